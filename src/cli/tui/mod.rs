//! `--tui`: the driver of [`crate::tui`]. Keys come from the terminal, conversations from this same
//! program, which writes its records (`-T ndjson`) into a pipe; files that the user asks for are
//! written by it, too. So every option for the input holds here as well.

mod jobs;
mod row;
mod store;

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::mem;
use std::panic;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{
    self, DisableMouseCapture, EnableMouseCapture, Event, KeyCode, KeyEvent, KeyEventKind,
    KeyModifiers, MouseButton, MouseEventKind,
};
use ratatui::crossterm::execute;
use tempfile::TempPath;

use self::jobs::{JobResult, Jobs, Packets, Source, with_value};
use self::row::Scope;
use self::store::Store;
use super::args::DumpArgs;
use super::error::{DumpError, hint_text};
use super::exit::Ending;
use super::interrupt::Interrupt;
use super::output::terminal_style;
use super::secrets;
use super::targets::is_standard;
use super::terminal;
use crate::capture::Inputs;
use crate::report::TemporaryError;
use crate::report::style::{Colouring, Style};
use crate::select::filter::Filter;
use crate::text::escape::Charset;
use crate::tui::{App, Colours, Key, Task};

/// The flag itself.
const FLAG: &str = "--tui";

/// Time for which a key is waited for before new rows are shown.
const WAIT: Duration = Duration::from_millis(60);

/// Between two drawings while nothing is typed.
const REDRAW: Duration = Duration::from_millis(200);

/// A ladder is read again after so many times the time that it took.
const REFRESH_SHARE: u32 = 10;

/// Time for which the first record is waited for before the screen is taken.
const FIRST_WORD: Duration = Duration::from_millis(500);

/// Bytes that are read of the records at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// The results of the reading thread.
#[derive(Default)]
struct Reading {
    has_begun: AtomicBool,
    is_over: AtomicBool,
    problem: Mutex<Option<io::Error>>,
}

/// The process and files that must not be left behind, however this ends.
#[derive(Default)]
struct Kept {
    /// The names of the records and packets. Threads that still hold the files are not waited for.
    files: Vec<TempPath>,
    /// The process that writes them.
    record_writer: Option<Child>,
}

impl Kept {
    /// The exit status of that process, if it has ended.
    fn exit_status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.record_writer
            .as_mut()
            .map_or(Ok(None), Child::try_wait)
    }

    /// Removes the files, and ends the process that still reads, which is not wanted any more.
    fn clear(&mut self) -> io::Result<Option<ExitStatus>> {
        for file in mem::take(&mut self.files) {
            match file.close() {
                // That process removes packets that it cannot keep.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                closed => closed?,
            }
        }
        let status = self.exit_status()?;
        if let Some(mut record_writer) = self.record_writer.take()
            && status.is_none()
        {
            record_writer.kill()?;
            record_writer.wait()?;
        }
        Ok(status)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // A caller that wants its exit status has cleared it before.
        drop(self.clear());
    }
}

/// Shows conversations until the user has seen enough.
pub(super) fn run(args: &DumpArgs, arguments: &[OsString]) -> Result<Ending, DumpError> {
    if !io::stdout().is_terminal() {
        return Err(DumpError::Usage {
            wrong: "--tui needs a terminal, and standard output is not one",
            help: "omit it for tables; --html has a report for a browser",
        });
    }
    let style = terminal_style(args);
    let kept = Arc::new(Mutex::new(Kept::default()));
    let interrupt = {
        let kept = Arc::downgrade(&kept);
        Interrupt::catch_and(move || {
            if let Some(kept) = kept.upgrade() {
                drop(locked(&kept).clear());
            }
        })?
    };
    let scope = match (&args.filter, &args.conv) {
        (Some(_), _) => Scope::Selected,
        (None, Some(_)) => Scope::Conversations,
        (None, None) => Scope::Whole,
    };
    let (store, records) = Store::new(style, scope).map_err(TemporaryError::of)?;
    let records_path = records.to_path_buf();
    locked(&kept).files.push(records);
    let store = Arc::new(Mutex::new(store));
    let mut arguments: Vec<OsString> = arguments
        .iter()
        .skip(1)
        .filter(|argument| *argument != FLAG)
        .cloned()
        .collect();
    if let Some(log) = &args.keylog {
        let copy = secrets::copy(log)?;
        arguments = with_value(&arguments, "keylog", Some(&copy));
        locked(&kept).files.push(copy);
    }
    let packets = if comes_once(args) && args.redact.is_empty() {
        let file = packet_file().map_err(TemporaryError::of)?;
        let packets = Packets::Kept(file.to_path_buf());
        locked(&kept).files.push(file);
        packets
    } else if comes_once(args) {
        Packets::InRecords
    } else {
        Packets::OfInput
    };
    let mut child = spawn_record_writer(args, &arguments, &packets).map_err(DumpError::Output)?;
    let reading = Arc::new(Reading::default());
    let complaints = listen(&mut child, &store, &reading);
    locked(&kept).record_writer = Some(child);
    let screen = Screen {
        app: App::new(title(args)),
        store,
        reading,
        jobs: Jobs::new(arguments, source(args), records_path, packets),
        style,
        is_live: args.interface.is_some(),
        knew_the_end: false,
        refreshed: Instant::now(),
        refresh_took: Duration::ZERO,
    };
    let ending = show(screen, &kept, &interrupt);
    let status = locked(&kept).clear().map_err(DumpError::Output)?;
    let complaints = complaints.join();
    let complaints = complaints.unwrap_or_else(|panic| panic::resume_unwind(panic));
    if !complaints.is_empty() {
        terminal::print_line(format_args!("{}", complaints.trim_end()));
    }
    Ok(match status.and_then(|status| status.code()) {
        Some(2) => Ending::Failed,
        Some(3) => ending?.max(Ending::Incomplete),
        _ => ending?,
    })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn source(args: &DumpArgs) -> Source {
    let captures: Vec<PathBuf> = args.read.iter().chain(&args.files).cloned().collect();
    match (&args.interface, &args.filter) {
        (Some(_), _) => Source::Live,
        (None, None) if Inputs::are_files(&captures) => Source::Captures,
        (None, _) => Source::Once,
    }
}

/// Whether the input cannot be read a second time: an interface or a pipe.
fn comes_once(args: &DumpArgs) -> bool {
    let is_pipe =
        |path: &PathBuf| is_standard(path) || path.exists() && !path.is_file() && !path.is_dir();
    args.interface.is_some() || args.read.iter().chain(&args.files).any(is_pipe)
}

/// A file for packets, as private as that of the records.
fn packet_file() -> io::Result<TempPath> {
    let file = tempfile::Builder::new()
        .prefix("ministream-")
        .suffix(".pcapng")
        .tempfile()?;
    Ok(file.into_temp_path())
}

/// This program as a child process that writes records (`-T ndjson`), and keeps packets.
fn spawn_record_writer(
    args: &DumpArgs,
    arguments: &[OsString],
    packets: &Packets,
) -> io::Result<Child> {
    // Records that come slowly out of a pipe are seen as they come.
    let at_once = (source(args) == Source::Once && !args.line_buffered).then_some("-l");
    Command::new(std::env::current_exe()?)
        .args(at_once)
        .args(arguments)
        .args(["-T", "ndjson", "--payload", "full", "--progress", "never"])
        .args(packets.keeping())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Takes its records, on threads; its complaints are shown when it has ended.
fn listen(
    child: &mut Child,
    store: &Arc<Mutex<Store>>,
    reading: &Arc<Reading>,
) -> JoinHandle<String> {
    let stderr = child.stderr.take();
    let complaints = thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut stderr) = stderr {
            // Its errors before it could not be read any more are shown.
            stderr.read_to_end(&mut text).ok();
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    if let Some(stdout) = child.stdout.take() {
        let (store, reading) = (Arc::clone(store), Arc::clone(reading));
        thread::spawn(move || {
            if let Err(error) = take(stdout, &store, &reading) {
                *locked(&reading.problem) = Some(error);
            }
            if let Err(error) = locked(&store).arrange() {
                *locked(&reading.problem) = Some(error);
            }
            reading.is_over.store(true, Ordering::Release);
        });
    }
    complaints
}

fn take(input: impl Read, store: &Mutex<Store>, reading: &Reading) -> io::Result<()> {
    let mut input = BufReader::with_capacity(CHUNK_BYTES, input);
    let mut rest = Vec::new();
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        let count = bytes.len();
        match bytes.iter().rposition(|byte| *byte == b'\n') {
            None => rest.extend_from_slice(bytes),
            Some(end) => {
                rest.extend_from_slice(&bytes[..=end]);
                locked(store).push(&rest).map_err(TemporaryError::of)?;
                rest.clear();
                rest.extend_from_slice(&bytes[end + 1..]);
                reading.has_begun.store(true, Ordering::Release);
            }
        }
        input.consume(count);
    }
}

/// Everything on the screen.
fn show(
    mut screen: Screen,
    kept: &Mutex<Kept>,
    interrupt: &Interrupt,
) -> Result<Ending, DumpError> {
    let reading = Arc::clone(&screen.reading);
    let begin = Instant::now();
    while !reading.has_begun.load(Ordering::Acquire) && begin.elapsed() < FIRST_WORD {
        if interrupt.is_asked_for() {
            return Ok(Ending::Interrupted);
        }
        if let Some(status) = locked(kept).exit_status().map_err(DumpError::Output)?
            && reading.is_over.load(Ordering::Acquire)
            && !reading.has_begun.load(Ordering::Acquire)
        {
            return Ok(if status.success() {
                Ending::Fine
            } else {
                Ending::Failed
            });
        }
        thread::sleep(Duration::from_millis(5));
    }
    if screen.is_live {
        screen.app.go_with_what_is_new();
    }
    let mut terminal = ratatui::try_init().map_err(DumpError::Output)?;
    let shown = execute!(io::stdout(), EnableMouseCapture)
        .and_then(|()| screen.go(&mut terminal, interrupt));
    let restored =
        execute!(io::stdout(), DisableMouseCapture).and_then(|()| ratatui::try_restore());
    if terminal.show_cursor().is_err() {
        // Dropped, it would write to a terminal that is gone, and panic over that.
        mem::forget(terminal);
    }
    let written = screen.jobs.await_written(|| interrupt.is_asked_for());
    match shown.and(restored) {
        // A terminal that is gone takes no words.
        Err(_) if interrupt.is_asked_for() => Ok(written),
        shown => shown.map(|()| written).map_err(DumpError::Output),
    }
}

fn title(args: &DumpArgs) -> String {
    if let Some(interface) = &args.interface {
        return interface.clone();
    }
    let name = args.files.first().map(|path| match path.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => path.to_string_lossy().into_owned(),
    });
    let name = name.unwrap_or_else(|| "-".to_owned());
    let name = crate::text::escape::escaped(name.as_bytes(), Charset::Unicode);
    match args.files.len() {
        0 | 1 => name,
        count => format!("{name} and {} more", count - 1),
    }
}

struct Screen {
    app: App,
    store: Arc<Mutex<Store>>,
    reading: Arc<Reading>,
    jobs: Jobs,
    style: Style,
    is_live: bool,
    knew_the_end: bool,
    /// When the ladder was read again last, and how long that took.
    refreshed: Instant,
    refresh_took: Duration,
}

impl Screen {
    fn go(
        &mut self,
        terminal: &mut ratatui::DefaultTerminal,
        interrupt: &Interrupt,
    ) -> io::Result<()> {
        let mut drawn: Option<Instant> = None;
        let mut is_changed = true;
        while !interrupt.is_asked_for() {
            self.note_progress()?;
            let is_due = drawn.is_none_or(|at| at.elapsed() >= REDRAW);
            if is_due {
                self.refresh();
            }
            if is_changed || is_due {
                self.draw(terminal)?;
                drawn = Some(Instant::now());
            }
            let searches = self.app.tick(&mut *locked(&self.store));
            is_changed = searches;
            let wait = if searches { Duration::ZERO } else { WAIT };
            while event::poll(if is_changed && !searches {
                Duration::ZERO
            } else {
                wait
            })? {
                is_changed = true;
                let Some(key) = key_of(&event::read()?) else {
                    continue;
                };
                let task = self.app.key(key, &mut *locked(&self.store));
                if self.act(task)? == Goes::NoFurther {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Has the ladder grow. To read a long one takes a while: a tenth of the time at most goes there.
    fn refresh(&mut self) {
        if self.refreshed.elapsed() < REFRESH_SHARE * self.refresh_took {
            return;
        }
        let begin = Instant::now();
        self.app.refresh(&mut *locked(&self.store));
        self.refresh_took = begin.elapsed();
        self.refreshed = Instant::now();
    }

    fn draw(&mut self, terminal: &mut ratatui::DefaultTerminal) -> io::Result<()> {
        let colours = match self.style.colour {
            Colouring::Ansi => Colours::Used,
            Colouring::Never => Colours::Unused,
        };
        let charset = self.style.charset;
        let mut store = locked(&self.store);
        terminal.draw(|frame| {
            let area = frame.area();
            self.app
                .draw(area, frame.buffer_mut(), &mut *store, colours, charset);
        })?;
        Ok(())
    }

    /// Shows the progress, and takes the results of jobs.
    fn note_progress(&mut self) -> io::Result<()> {
        if let Some(problem) = locked(&self.reading.problem).take() {
            self.app
                .show_message(format!("records cannot be kept: {problem}"));
        }
        let is_over = self.reading.is_over.load(Ordering::Acquire);
        let what = match (is_over, self.is_live) {
            (true, _) => "",
            (false, true) => "LIVE, ",
            (false, false) => "reading, ",
        };
        let messages = locked(&self.store).messages();
        let noun = if messages == 1 { "message" } else { "messages" };
        self.app.set_progress(format!("{what}{messages} {noun}"));
        while let Some(outcome) = self.jobs.next() {
            match outcome {
                JobResult::Message(text) => self.app.show_message(text),
                JobResult::Matching { filter, numbers } => {
                    locked(&self.store).show(Some(numbers))?;
                    self.app.set_filter(filter);
                }
            }
        }
        if is_over && !self.knew_the_end {
            self.knew_the_end = true;
            // Conversations that came since the filter was set are asked for again.
            if let Some(filter) = self.jobs.filter() {
                self.jobs.filter_by(filter);
            }
        }
        Ok(())
    }

    fn act(&mut self, task: Task) -> io::Result<Goes> {
        match task {
            Task::None => {}
            Task::Quit => return Ok(Goes::NoFurther),
            Task::Filter(text) if text.is_empty() => {
                self.jobs.forget_filter();
                locked(&self.store).show(None)?;
                self.app.set_filter(text);
            }
            Task::Filter(text) => match Filter::parse(&text) {
                Err(error) => {
                    let hint = error.meant().map(|hint| format!("; {}", hint_text(hint)));
                    self.app.show_message(format!(
                        "{}{}",
                        error.problem(),
                        hint.unwrap_or_default()
                    ));
                }
                Ok(_) => {
                    self.app.show_message("filtering".to_owned());
                    self.jobs.filter_by(text);
                }
            },
            Task::Write {
                format,
                path,
                numbers,
            } => {
                self.app.show_message(format!("writing {path}"));
                self.jobs.write(format, path, &numbers);
            }
        }
        Ok(Goes::On)
    }
}

/// Whether there is more to show.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goes {
    On,
    NoFurther,
}

fn key_of(event: &Event) -> Option<Key> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => key_of_keyboard(key),
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::ScrollUp => Some(Key::WheelUp),
            MouseEventKind::ScrollDown => Some(Key::WheelDown),
            MouseEventKind::Down(MouseButton::Left) => Some(Key::Click(mouse.row)),
            _ => None,
        },
        _ => None,
    }
}

fn key_of_keyboard(key: &KeyEvent) -> Option<Key> {
    let is_ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char(c) if is_ctrl => Key::Ctrl(c.to_ascii_lowercase()),
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}
