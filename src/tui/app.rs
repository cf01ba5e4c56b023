//! The state machine: keys in, actions out.

use std::collections::BTreeSet;
use std::io;

use super::page::Page;
use super::{ExportFormat, Key, Ladder, LadderLine, MessageLine, SortKey, SortOrder, Source, Task};

/// Rows that a search looks at before the screen is drawn again.
const ROWS_A_STEP: usize = 2_000;

/// Columns in the order of the key `s`.
const SORT_KEYS: [SortKey; 7] = [
    SortKey::Capture,
    SortKey::State,
    SortKey::Duration,
    SortKey::Handshake,
    SortKey::ClientBytes,
    SortKey::ServerBytes,
    SortKey::Findings,
];

/// The text for the key `?`.
pub(super) const HELP: &str = "\
Moving
  j k, arrows, wheel    a line down, up; a click selects, a second one opens
  Ctrl-F Ctrl-B, PgDn PgUp, Space b in pages: a page; Ctrl-D Ctrl-U: half of one
  g G, Home End         the first, the last; G in the list goes with what is new
  Enter, l, Right       open: conversation, ladder, message, fields and bytes
  q, Escape, h, Left    back; q in the list ends the program, Ctrl-C everywhere
  [ ]                   in a message: the one before, the next
Conversations
  F                     follow the stream
  f                     filter as with -Y: payload contains \"GET\"; Up: the last
  / n N                 search in what is shown: the next, the one before
  s S                   sort by the next column; the other way
  Space u               mark; unmark all
  p                     pause: nothing new is shown until p
Writing marked conversations, or the one under the cursor
  w                     packets into a pcapng file (-w), whole TCP connections
  E                     streams into a directory (--export)
  H                     a report for a browser (--html)
";

/// Everything that is shown.
#[derive(Debug)]
pub(crate) struct App {
    /// The name of the input.
    pub(super) title: String,
    pub(super) list: Cursor,
    pub(super) sort: (SortKey, SortOrder),
    pub(super) marks: BTreeSet<u32>,
    pub(super) screens: Vec<Screen>,
    pub(super) prompt: Option<Prompt>,
    /// The latest message to the user.
    pub(super) message: String,
    /// The progress: `loading`, `live`.
    pub(super) progress: String,
    pub(super) filter: String,
    /// The filter that was typed last: the one that holds, or was refused.
    typed: String,
    /// The filters that were typed, each once.
    earlier: Vec<String>,
    /// Conversations that are shown while nothing new is.
    paused_at: Option<usize>,
    /// Whether the cursor follows new conversations.
    pub(super) is_tailing: bool,
    needle: String,
    searching: Option<Search>,
    /// Lines between the head and the foot of the screen, as it was drawn last.
    pub(super) lines: usize,
    pub(super) columns: usize,
}

/// A place in a list, and where the screen begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) at: usize,
    pub(super) top: usize,
}

/// The screen open above the list.
#[derive(Debug)]
pub(super) enum Screen {
    Ladder {
        number: u32,
        ladder: Ladder,
        cursor: Cursor,
    },
    Message(Page),
    Stream(Page),
    Help(Page),
}

/// A line that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prompt {
    pub(super) what: Asked,
    pub(super) text: String,
    /// How far back among earlier texts it is.
    back: usize,
    /// What was typed before it went back.
    draft: String,
}

impl Prompt {
    /// Changes the text, which is a new one by that, also if it was an earlier one.
    fn edit(&mut self, key: Key) {
        match key {
            Key::Char(c) => self.text.push(c),
            Key::Backspace => drop(self.text.pop()),
            _ => self.text.clear(),
        }
        self.back = 0;
    }
}

/// The purpose of a typed line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Search,
    Filter,
    Path(ExportFormat),
}

/// A search in the list that goes on.
#[derive(Clone, Copy, Debug)]
struct Search {
    next: usize,
    left: usize,
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Down,
    Up,
}

impl Cursor {
    /// Moves by so many of `count` lines.
    fn step(&mut self, by: isize, count: usize) {
        self.at = self
            .at
            .saturating_add_signed(by)
            .min(count.saturating_sub(1));
    }

    /// Sees to it that the cursor is on a screen of so many lines.
    pub(super) fn keep_on_screen(&mut self, lines: usize, count: usize) {
        self.at = self.at.min(count.saturating_sub(1));
        let last_top = count.saturating_sub(lines);
        self.top = self.top.min(last_top);
        if self.at < self.top {
            self.top = self.at;
        } else if self.at >= self.top + lines.max(1) {
            self.top = self.at + 1 - lines.max(1);
        }
    }
}

impl App {
    /// A list of conversations of the input named `title`.
    pub(crate) fn new(title: String) -> Self {
        Self {
            title,
            list: Cursor::default(),
            sort: (SortKey::Capture, SortOrder::Up),
            marks: BTreeSet::new(),
            screens: Vec::new(),
            prompt: None,
            message: String::new(),
            progress: String::new(),
            filter: String::new(),
            typed: String::new(),
            earlier: Vec::new(),
            paused_at: None,
            is_tailing: false,
            needle: String::new(),
            searching: None,
            lines: 20,
            columns: 80,
        }
    }

    /// Lets the cursor follow new conversations.
    pub(crate) const fn go_with_what_is_new(&mut self) {
        self.is_tailing = true;
    }

    /// Shows a message; the next key takes it away.
    pub(crate) fn show_message(&mut self, text: String) {
        self.message = text;
    }

    /// Shows the progress.
    pub(crate) fn set_progress(&mut self, text: String) {
        self.progress = text;
    }

    /// The filter that holds.
    pub(crate) fn set_filter(&mut self, filter: String) {
        self.typed.clone_from(&filter);
        self.filter = filter;
        self.list = Cursor::default();
        // The message that the search goes on is taken away.
        self.message.clear();
    }

    /// Reads the ladder that is shown again if something came to its conversation. A cursor on the
    /// last line goes with what is new.
    pub(crate) fn refresh(&mut self, source: &mut dyn Source) {
        if let Err(error) = self.read_again(source) {
            self.message = error.to_string();
        }
    }

    fn read_again(&mut self, source: &mut dyn Source) -> io::Result<()> {
        let is_paused = self.is_paused();
        let Some(Screen::Ladder {
            number,
            ladder,
            cursor,
        }) = self.screens.last_mut()
        else {
            return Ok(());
        };
        if is_paused || source.end_of(*number)? == ladder.end {
            return Ok(());
        }
        let now = source.ladder(*number)?;
        if cursor.at + 1 >= ladder.steps.len() {
            cursor.at = now.steps.len().saturating_sub(1);
        } else {
            // Of a long one the first lines are gone.
            let gone = usize::try_from(now.left_out - ladder.left_out.min(now.left_out));
            cursor.at = cursor.at.saturating_sub(gone.unwrap_or(usize::MAX));
        }
        *ladder = now;
        Ok(())
    }

    /// Whether nothing new is to be shown.
    pub(crate) const fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }

    /// Conversations in the list.
    pub(super) fn count(&self, source: &dyn Source) -> usize {
        let count = source.count();
        self.paused_at.map_or(count, |paused| paused.min(count))
    }

    /// Goes on with a search; returns whether there is more to do.
    pub(crate) fn tick(&mut self, source: &mut dyn Source) -> bool {
        let Some(mut search) = self.searching.take() else {
            return false;
        };
        let count = self.count(source);
        for _ in 0..ROWS_A_STEP.min(search.left) {
            match source.row(search.next) {
                Ok(row) if self.is_in_row(&row) => {
                    self.list.at = search.next;
                    self.is_tailing = false;
                    self.message = String::new();
                    return false;
                }
                Ok(_) => {}
                Err(error) => {
                    self.message = error.to_string();
                    return false;
                }
            }
            search.left -= 1;
            search.next = next_place(search.next, search.way, count);
        }
        if search.left == 0 {
            self.message = format!("not found: {}", self.needle);
            return false;
        }
        self.message = format!("searching; {} rows left, Escape ends it", search.left);
        self.searching = Some(search);
        true
    }

    fn is_in_row(&self, row: &super::Row) -> bool {
        let needle = &self.needle;
        [&row.name, &row.ends[0], &row.ends[1], &row.ids, &row.state]
            .into_iter()
            .any(|text| text.to_lowercase().contains(needle))
            || row
                .level
                .is_some_and(|level| level.name().contains(&**needle))
    }

    /// Takes a key.
    pub(crate) fn key(&mut self, key: Key, source: &mut dyn Source) -> Task {
        match self.handle(key, source) {
            Ok(task) => task,
            Err(error) => {
                self.message = error.to_string();
                Task::None
            }
        }
    }

    fn handle(&mut self, key: Key, source: &mut dyn Source) -> io::Result<Task> {
        if key == Key::Ctrl('c') {
            return Ok(Task::Quit);
        }
        self.message = String::new();
        if self.searching.take().is_some() && key == Key::Escape {
            return Ok(Task::None);
        }
        if let Some(prompt) = self.prompt.take() {
            return self.type_into(prompt, key, source);
        }
        match key {
            Key::Char('?') => {
                let page = Page::of_text("Keys".to_owned(), HELP);
                if !matches!(self.screens.last(), Some(Screen::Help(_))) {
                    self.screens.push(Screen::Help(page));
                }
                return Ok(Task::None);
            }
            Key::Char('/') => return Ok(self.ask(Asked::Search, String::new())),
            Key::Char('f') => return Ok(self.ask(Asked::Filter, self.typed.clone())),
            Key::Char('n') => return self.search(Way::Down, source),
            Key::Char('N') => return self.search(Way::Up, source),
            Key::Char('w') => {
                return Ok(self.ask(Asked::Path(ExportFormat::Packets), String::new()));
            }
            Key::Char('E') => {
                return Ok(self.ask(Asked::Path(ExportFormat::Streams), String::new()));
            }
            Key::Char('H') => return Ok(self.ask(Asked::Path(ExportFormat::Page), String::new())),
            Key::Char('p') => {
                self.paused_at = match self.paused_at {
                    None => Some(source.count()),
                    Some(_) => None,
                };
                return Ok(Task::None);
            }
            _ => {}
        }
        if self.screens.is_empty() {
            return self.handle_in_list(key, source);
        }
        self.handle_above(key, source)?;
        Ok(Task::None)
    }

    /// Says that a key does nothing where it was typed.
    fn refuse(&mut self, key: Key) {
        if let Key::Char(c) = key
            && !c.is_control()
        {
            let name = match c {
                ' ' => "Space".to_owned(),
                c => c.to_string(),
            };
            self.message = format!("{name} does nothing here; ? shows the keys");
        }
    }

    fn ask(&mut self, what: Asked, text: String) -> Task {
        self.prompt = Some(Prompt {
            what,
            text,
            back: 0,
            draft: String::new(),
        });
        Task::None
    }

    fn type_into(
        &mut self,
        mut prompt: Prompt,
        key: Key,
        source: &mut dyn Source,
    ) -> io::Result<Task> {
        match key {
            Key::Escape => return Ok(Task::None),
            Key::Backspace if prompt.text.is_empty() => return Ok(Task::None),
            Key::Ctrl('u') | Key::Backspace | Key::Char(_) => prompt.edit(key),
            Key::Up | Key::Down if prompt.what == Asked::Filter => self.recall(&mut prompt, key),
            Key::Enter => return self.answer(prompt, source),
            _ => {}
        }
        self.prompt = Some(prompt);
        Ok(Task::None)
    }

    /// Puts an earlier filter, or a later one, into the place of what is typed, which comes behind
    /// the last of them again.
    fn recall(&self, prompt: &mut Prompt, key: Key) {
        if prompt.back == 0 {
            prompt.draft.clone_from(&prompt.text);
        }
        let last = self.earlier.last();
        // What is there already is no news.
        let is_draft = |back: usize| back == 1 && last == Some(&prompt.draft);
        let step = |back: usize| match key {
            Key::Up => (back + 1).min(self.earlier.len()),
            _ => back.saturating_sub(1),
        };
        let mut back = step(prompt.back);
        if is_draft(back) {
            back = step(back);
        }
        prompt.back = back;
        prompt.text = match back {
            0 => prompt.draft.clone(),
            back => self.earlier[self.earlier.len() - back].clone(),
        };
    }

    fn answer(&mut self, prompt: Prompt, source: &mut dyn Source) -> io::Result<Task> {
        let text = prompt.text;
        match prompt.what {
            Asked::Search => {
                self.needle = text.to_lowercase();
                self.search(Way::Down, source)
            }
            Asked::Filter => {
                let text = text.trim().to_owned();
                self.typed.clone_from(&text);
                if !text.is_empty() {
                    self.earlier.retain(|earlier| *earlier != text);
                    self.earlier.push(text.clone());
                }
                Ok(Task::Filter(text))
            }
            Asked::Path(_) if text.is_empty() => Ok(Task::None),
            Asked::Path(format) => {
                let numbers = self.selection(source)?;
                if numbers.is_empty() {
                    self.message = "there is no conversation to write".to_owned();
                    return Ok(Task::None);
                }
                Ok(Task::Write {
                    format,
                    path: text,
                    numbers,
                })
            }
        }
    }

    /// The marked conversations, or the one that is looked at.
    fn selection(&self, source: &mut dyn Source) -> io::Result<Vec<u32>> {
        if !self.marks.is_empty() {
            return Ok(self.marks.iter().copied().collect());
        }
        let number = match self.open_number() {
            Some(number) => Some(number),
            None if self.count(source) > 0 => Some(source.row(self.list.at)?.number),
            None => None,
        };
        Ok(number.filter(|&number| number > 0).into_iter().collect())
    }

    fn open_number(&self) -> Option<u32> {
        self.screens.iter().find_map(|screen| match screen {
            Screen::Ladder { number, .. } => Some(*number),
            _ => None,
        })
    }

    fn search(&mut self, way: Way, source: &mut dyn Source) -> io::Result<Task> {
        if self.needle.is_empty() {
            self.message = "nothing was searched for yet; / begins a search".to_owned();
            return Ok(Task::None);
        }
        let columns = self.columns;
        match self.screens.last_mut() {
            None => {
                let count = self.count(source);
                if count > 0 {
                    self.searching = Some(Search {
                        next: next_place(self.list.at, way, count),
                        left: count,
                        way,
                    });
                    self.tick(source);
                }
            }
            Some(Screen::Ladder { ladder, cursor, .. }) => {
                let texts = ladder.steps.iter().map(|step| match step {
                    LadderLine::Message(head) => format!("{} {}", head.label, head.info),
                    LadderLine::Finding(level, text) => format!("{level} {text}"),
                });
                let texts: Vec<String> = texts.collect();
                match found(&texts, &self.needle, cursor.at, way) {
                    Some(at) => cursor.at = at,
                    None => self.message = format!("not found: {}", self.needle),
                }
            }
            Some(Screen::Message(page) | Screen::Stream(page) | Screen::Help(page)) => {
                let lines = page.lines(columns).into_iter();
                let texts: Vec<String> = lines.map(|line| line.text).collect();
                let from = page.found.unwrap_or(match way {
                    Way::Down => texts.len().saturating_sub(1),
                    Way::Up => 0,
                });
                match found(&texts, &self.needle, from, way) {
                    Some(at) => {
                        page.found = Some(at);
                        page.top = at.saturating_sub(self.lines / 3);
                    }
                    None => self.message = format!("not found: {}", self.needle),
                }
            }
        }
        Ok(Task::None)
    }

    fn handle_in_list(&mut self, key: Key, source: &mut dyn Source) -> io::Result<Task> {
        let count = self.count(source);
        if let Some(by) = movement(key, self.lines) {
            self.is_tailing = matches!(key, Key::Char('G') | Key::End);
            self.list.step(by, count);
            return Ok(Task::None);
        }
        match key {
            Key::Char('q') => return Ok(Task::Quit),
            Key::Escape if !self.filter.is_empty() => return Ok(Task::Filter(String::new())),
            Key::Enter | Key::Right | Key::Char('l') if count > 0 => self.open(source)?,
            Key::Char('F') if count > 0 => {
                let row = source.row(self.list.at)?;
                self.follow(row.number, source)?;
            }
            Key::Char(' ') if count > 0 => {
                let number = source.row(self.list.at)?.number;
                if number > 0 && !self.marks.remove(&number) {
                    self.marks.insert(number);
                }
                self.list.step(1, count);
            }
            Key::Char('u') => self.marks.clear(),
            Key::Char('s') => {
                let at = SORT_KEYS.iter().position(|key| *key == self.sort.0);
                let next = SORT_KEYS[(at.unwrap_or(0) + 1) % SORT_KEYS.len()];
                let order = match next {
                    SortKey::Capture | SortKey::State => SortOrder::Up,
                    _ => SortOrder::Down,
                };
                self.sort_by(next, order, source)?;
            }
            Key::Char('S') => {
                let (key, order) = self.sort;
                let other = match order {
                    SortOrder::Up => SortOrder::Down,
                    SortOrder::Down => SortOrder::Up,
                };
                self.sort_by(key, other, source)?;
            }
            // Two lines stand above the first row.
            Key::Click(line) if line >= 2 => {
                let at = self.list.top + usize::from(line) - 2;
                if at < count && at == self.list.at {
                    self.open(source)?;
                } else if at < count {
                    self.list.at = at;
                    self.is_tailing = false;
                }
            }
            Key::Enter | Key::Right | Key::Char('l' | 'F' | ' ') => {
                self.message = "there is no conversation".to_owned();
            }
            key => self.refuse(key),
        }
        Ok(Task::None)
    }

    fn sort_by(
        &mut self,
        key: SortKey,
        order: SortOrder,
        source: &mut dyn Source,
    ) -> io::Result<()> {
        source.sort(key, order)?;
        self.sort = (key, order);
        self.list = Cursor::default();
        self.is_tailing = false;
        Ok(())
    }

    fn open(&mut self, source: &mut dyn Source) -> io::Result<()> {
        let number = source.row(self.list.at)?.number;
        self.screens.push(Screen::Ladder {
            number,
            ladder: source.ladder(number)?,
            cursor: Cursor::default(),
        });
        Ok(())
    }

    fn follow(&mut self, number: u32, source: &mut dyn Source) -> io::Result<()> {
        let chunks = source.follow(number)?;
        let title = match number {
            0 => "Stream of messages outside of conversations".to_owned(),
            number => format!("Stream of c{number}"),
        };
        self.screens
            .push(Screen::Stream(Page::of_stream(title, chunks)));
        Ok(())
    }

    fn handle_above(&mut self, key: Key, source: &mut dyn Source) -> io::Result<()> {
        if matches!(
            key,
            Key::Char('q' | 'h') | Key::Escape | Key::Left | Key::Backspace
        ) {
            self.screens.pop();
            return Ok(());
        }
        let (lines, columns) = (self.lines, self.columns);
        match self.screens.last_mut() {
            Some(Screen::Ladder {
                number,
                ladder,
                cursor,
            }) => {
                let number = *number;
                if let Some(by) = movement(key, lines) {
                    cursor.step(by, ladder.steps.len());
                    return Ok(());
                }
                let clicked = match key {
                    Key::Click(line) if line >= 2 => {
                        let at = cursor.top + usize::from(line) - 2;
                        let is_second = at == cursor.at;
                        cursor.at = at.min(ladder.steps.len().saturating_sub(1));
                        is_second
                    }
                    _ => false,
                };
                if clicked || matches!(key, Key::Enter | Key::Right | Key::Char('l')) {
                    self.open_message(source)?;
                } else if key == Key::Char('F') {
                    self.follow(number, source)?;
                } else {
                    self.refuse(key);
                }
            }
            Some(Screen::Message(_)) if key == Key::Char('F') => {
                if let Some(number) = self.open_number() {
                    self.follow(number, source)?;
                }
            }
            Some(Screen::Message(_)) if matches!(key, Key::Char('[' | ']')) => {
                self.screens.pop();
                let by = if key == Key::Char(']') { 1 } else { -1 };
                self.step_to_message(by);
                self.open_message(source)?;
            }
            Some(Screen::Message(page) | Screen::Stream(page) | Screen::Help(page)) => {
                let by = match key {
                    Key::Char(' ') => movement(Key::PageDown, lines),
                    Key::Char('b') => movement(Key::PageUp, lines),
                    key => movement(key, lines),
                };
                if let Some(by) = by {
                    let last = page.lines(columns).len().saturating_sub(lines);
                    page.top = page.top.saturating_add_signed(by).min(last);
                } else {
                    self.refuse(key);
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Moves the cursor of the ladder to the next message or the one before.
    fn step_to_message(&mut self, by: isize) {
        if let Some(Screen::Ladder { ladder, cursor, .. }) = self.screens.last_mut() {
            let mut at = cursor.at;
            while let Some(next) = at.checked_add_signed(by)
                && let Some(step) = ladder.steps.get(next)
            {
                at = next;
                if matches!(step, LadderLine::Message(_)) {
                    cursor.at = at;
                    return;
                }
            }
            let which = if by > 0 { "last" } else { "first" };
            self.message = format!("this is the {which} message");
        }
    }

    fn open_message(&mut self, source: &mut dyn Source) -> io::Result<()> {
        let Some(head) = self.message_at_cursor() else {
            return Ok(());
        };
        let title = format!("#{}  {}", head.number, head.label);
        let detail = source.message(head.place)?;
        self.screens
            .push(Screen::Message(Page::of_message(title, detail)));
        Ok(())
    }

    /// The message under the cursor of the ladder, or that of the finding there.
    fn message_at_cursor(&self) -> Option<MessageLine> {
        let Some(Screen::Ladder { ladder, cursor, .. }) = self.screens.last() else {
            return None;
        };
        let above = ladder.steps.get(..=cursor.at)?;
        above.iter().rev().find_map(|step| match step {
            LadderLine::Message(head) => Some(head.clone()),
            LadderLine::Finding(..) => None,
        })
    }
}

/// The place after or before, round and round.
fn next_place(at: usize, way: Way, count: usize) -> usize {
    match way {
        Way::Down => (at + 1) % count.max(1),
        Way::Up => at.checked_sub(1).unwrap_or(count.saturating_sub(1)),
    }
}

/// The next text after `from` that holds the needle.
fn found(texts: &[String], needle: &str, from: usize, way: Way) -> Option<usize> {
    let mut at = from;
    for _ in 0..texts.len() {
        at = next_place(at, way, texts.len());
        if texts[at].to_lowercase().contains(needle) {
            return Some(at);
        }
    }
    None
}

/// Number of lines by which a key moves.
fn movement(key: Key, lines: usize) -> Option<isize> {
    let page = isize::try_from(lines).unwrap_or(isize::MAX).max(2) - 1;
    Some(match key {
        Key::Up | Key::Char('k') => -1,
        Key::Down | Key::Char('j') => 1,
        Key::WheelUp => -3,
        Key::WheelDown => 3,
        Key::PageUp | Key::Ctrl('b') => -page,
        Key::PageDown | Key::Ctrl('f') => page,
        Key::Ctrl('u') => -(page / 2).max(1),
        Key::Ctrl('d') => (page / 2).max(1),
        Key::Home | Key::Char('g') => isize::MIN,
        Key::End | Key::Char('G') => isize::MAX,
        _ => return None,
    })
}
