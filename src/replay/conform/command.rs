//! The commands to the service behind a tested server, and to the application before a tested
//! client: it takes them, a line each, from the tunnel.

/// The longest line that is a command.
pub const LONGEST_COMMAND: usize = 32;

/// Bytes that are sent for a command, at most.
const MAX_SENT_BYTES: usize = 64 << 20;

/// A request to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `echo`: send back all that follows.
    Echo,
    /// `send N`: send so many bytes of the payload `seq`, and close; at most 64 MiB.
    Send(usize),
    /// `take N`: read N bytes, and report how many of them were those of the payload `seq`. So a
    /// peer is judged by the bytes that it handed on, and not by the way it carries them back.
    Take(usize),
    /// `open`: report the number of open connections, this one included.
    Open,
    /// `last`: report the number of bytes behind the command of the connection that was last to
    /// end.
    Last,
}

/// The command in a line without its end.
pub fn command(line: &[u8]) -> Option<Command> {
    match line {
        b"echo" => Some(Command::Echo),
        b"open" => Some(Command::Open),
        b"last" => Some(Command::Last),
        _ => {
            let (name, count) = std::str::from_utf8(line).ok()?.split_once(' ')?;
            let count = count.parse().ok()?;
            match name {
                // A peer may say anything, and they are made at once.
                "send" => (count <= MAX_SENT_BYTES).then_some(Command::Send(count)),
                "take" => Some(Command::Take(count)),
                _ => None,
            }
        }
    }
}
