//! What the service behind a tested server does, and the application before a
//! tested client: it takes commands, a line each, from the tunnel.

/// The longest line that is a command.
pub const LONGEST_COMMAND: usize = 32;

/// What a connection is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `echo`: send back all that follows.
    Echo,
    /// `send N`: send so many bytes of the payload `seq`, and close.
    Send(usize),
    /// `take N`: read N bytes, and tell how many of them were those of the payload `seq`.
    /// So a peer is judged by what it handed on, and not by how it carries them back.
    Take(usize),
    /// `open`: tell how many connections are open, this one included.
    Open,
    /// `last`: tell how many bytes followed the command of the connection that was
    /// last to end.
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
                "send" => Some(Command::Send(count)),
                "take" => Some(Command::Take(count)),
                _ => None,
            }
        }
    }
}
