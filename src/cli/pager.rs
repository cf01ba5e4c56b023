//! The pager, through which results go that are longer than the screen.

use std::env;
use std::ffi::OsString;
use std::io::{self, Stdout, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGINT;
use signal_hook::flag;

use super::error::print_warning;
use super::terminal;

/// Rows that are left for a hint behind the results and the shell's prompt.
const SPARE_ROWS: usize = 2;

/// The options of `less` where the user sets none: end at once when everything fits after all, pass
/// colours on, leave the text on the screen.
const LESS_OPTIONS: &str = "FRX";

/// Whether results may go through a pager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paging {
    /// Never.
    Never,
    /// When they are longer than the screen.
    WhenLong,
}

/// Standard output, or a pager before it.
///
/// Dropping it waits until the user has left the pager.
#[derive(Debug)]
pub(crate) struct Results {
    stdout: Stdout,
    place: Outlet,
}

/// The outlet of results.
#[derive(Debug)]
enum Outlet {
    Stdout,
    /// Held back: so far they fit on the screen.
    Undecided {
        screen: Screenful,
        held: Vec<u8>,
    },
    Pager(Pager),
}

impl Results {
    /// Results on standard output. With [`Paging::WhenLong`] that must be a terminal, and
    /// `flush` be called at the end only.
    pub(crate) fn new(paging: Paging) -> Self {
        let size = match paging {
            Paging::Never => None,
            Paging::WhenLong => terminal::size(),
        };
        let place = match size {
            None => Outlet::Stdout,
            Some((columns, rows)) => Outlet::Undecided {
                screen: Screenful::new(columns, rows.saturating_sub(SPARE_ROWS)),
                held: Vec::new(),
            },
        };
        Self {
            stdout: io::stdout(),
            place,
        }
    }

    /// Writes the held text to the pager, or to the screen, and all later text as well.
    fn release(&mut self, pager: Option<Pager>) -> io::Result<()> {
        let place = pager.map_or(Outlet::Stdout, Outlet::Pager);
        match std::mem::replace(&mut self.place, place) {
            Outlet::Undecided { held, .. } => self.write_all(&held),
            Outlet::Stdout | Outlet::Pager(_) => Ok(()),
        }
    }
}

impl Write for Results {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.place {
            Outlet::Stdout => self.stdout.write(bytes),
            Outlet::Pager(pager) => pager.write(bytes),
            Outlet::Undecided { screen, held } => {
                held.extend_from_slice(bytes);
                if !screen.fits(bytes) {
                    let pager = Pager::start()?;
                    self.release(pager)?;
                }
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Outlet::Undecided { .. } = self.place {
            self.release(None)?;
        }
        match &mut self.place {
            Outlet::Pager(pager) => pager.flush(),
            Outlet::Stdout | Outlet::Undecided { .. } => self.stdout.flush(),
        }
    }
}

/// The filled part of a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Screenful {
    columns: usize,
    /// Rows that are free, the one that is being filled among them.
    free_rows: usize,
    /// Columns of that row that are taken.
    column: usize,
    /// Whether an escape sequence goes on, which takes no room.
    in_escape: bool,
}

impl Screenful {
    fn new(columns: usize, rows: usize) -> Self {
        Self {
            columns: columns.max(1),
            free_rows: rows,
            column: 0,
            in_escape: false,
        }
    }

    /// Takes the next bytes into account; whether all so far fit. Characters count as one
    /// column each, which is right for everything but payloads in East Asian scripts.
    fn fits(&mut self, bytes: &[u8]) -> bool {
        for &byte in bytes {
            match byte {
                _ if self.in_escape => self.in_escape = !byte.is_ascii_alphabetic(),
                b'\x1b' => self.in_escape = true,
                b'\n' => self.next_row(),
                // The rest of a character that was counted.
                0x80..=0xbf => {}
                _ if self.column == self.columns => {
                    self.next_row();
                    self.column = 1;
                }
                _ => self.column += 1,
            }
        }
        self.free_rows > 0
    }

    const fn next_row(&mut self) {
        self.free_rows = self.free_rows.saturating_sub(1);
        self.column = 0;
    }
}

/// A pager that runs.
#[derive(Debug)]
struct Pager {
    child: Child,
    /// `None` once it is closed, which shows the pager that there is no more.
    input: Option<ChildStdin>,
    /// Whether Ctrl-C ends us; while the pager runs it is the pager's.
    obeys_interrupt: Arc<AtomicBool>,
}

impl Pager {
    /// Starts the pager that the environment asks for; `None` where it asks for none, or
    /// there is none.
    fn start() -> io::Result<Option<Self>> {
        let Some(mut command) = command() else {
            return Ok(None);
        };
        let obeys_interrupt = Arc::new(AtomicBool::new(false));
        let Ok(mut child) = command.stdin(Stdio::piped()).spawn() else {
            return Ok(None);
        };
        flag::register_conditional_default(SIGINT, Arc::clone(&obeys_interrupt))?;
        let input = child.stdin.take();
        Ok(Some(Self {
            child,
            input,
            obeys_interrupt,
        }))
    }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.input {
            Some(input) => input.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.input.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Pager {
    fn drop(&mut self) {
        self.input = None;
        if let Err(error) = self.child.wait() {
            print_warning(format_args!("lost the pager: {error}"));
        }
        self.obeys_interrupt.store(true, Ordering::Relaxed);
    }
}

/// The pager's command with its arguments, split at spaces: `MINISTREAM_PAGER`, else `PAGER`,
/// else `less`. One that is set but empty, or `cat`, is none.
fn command() -> Option<Command> {
    let line = ["MINISTREAM_PAGER", "PAGER"]
        .into_iter()
        .find_map(env::var_os)
        .unwrap_or_else(|| OsString::from("less"));
    let mut words = line.to_str()?.split_whitespace();
    let program = words.next().filter(|program| *program != "cat")?;
    let mut command = Command::new(program);
    command.args(words);
    if env::var_os("LESS").is_none() {
        command.env("LESS", LESS_OPTIONS);
    }
    Some(command)
}

#[cfg(test)]
mod tests {
    use super::Screenful;

    #[test]
    fn rows_fill_by_line_ends_and_by_width() {
        for (text, rows) in [
            ("", 0),
            ("a\nb\n", 2),
            ("12345", 0),
            ("12345\n", 1),
            ("123456\n", 2),
            ("1234512345\n", 2),
            ("12345123451\n", 3),
            ("│││││\n", 1),
            ("\x1b[1;32m12345\x1b[0m\n", 1),
            ("\n\n\n", 3),
        ] {
            let fits = |free: usize| Screenful::new(5, free).fits(text.as_bytes());
            assert!(fits(rows + 1), "{text:?}");
            assert!(rows == 0 || !fits(rows), "{text:?}");
        }
    }

    #[test]
    fn what_comes_in_pieces_counts_like_the_whole() {
        let text = "\x1b[32m┌──┐\x1b[0m\nabcdefgh\n".as_bytes();
        let mut whole = Screenful::new(5, 10);
        whole.fits(text);
        let mut pieces = Screenful::new(5, 10);
        for byte in text {
            pieces.fits(&[*byte]);
        }
        assert_eq!(whole, pieces);
    }

    #[test]
    fn a_terminal_without_size_fills_at_once() {
        assert!(!Screenful::new(0, 0).fits(b"a"));
    }
}
