//! Draws the state, in cells.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::app::{App, Asked, Cursor, Screen};
use super::page::{Page, Tone, wrapped};
use super::{ExportFormat, Ladder, LadderLine, MessageLine, Row, SortKey, SortOrder, Source};
use crate::conversation::Level;
use crate::report::grid::cut;
use crate::report::titles;
use crate::text::escape::{Charset, columns_of};
use crate::wire::Direction;

/// Columns of the list: title, width, sort key, columns of the screen from which on it is shown,
/// and alignment.
const COLUMNS: [(&str, usize, Option<SortKey>, usize, Align); 11] = [
    (
        titles::CONVERSATION_SHORT,
        8,
        Some(SortKey::Capture),
        0,
        Align::Left,
    ),
    (titles::CLIENT, 21, None, 110, Align::Left),
    (titles::SERVER, 21, None, 130, Align::Left),
    (titles::IDS, 13, None, 100, Align::Left),
    (titles::STATE, 13, Some(SortKey::State), 0, Align::Left),
    (titles::START_SECONDS, 10, None, 0, Align::Right),
    (
        titles::DURATION,
        8,
        Some(SortKey::Duration),
        0,
        Align::Right,
    ),
    (
        titles::HANDSHAKE,
        9,
        Some(SortKey::Handshake),
        0,
        Align::Right,
    ),
    (
        titles::BYTES[0],
        7,
        Some(SortKey::ClientBytes),
        0,
        Align::Right,
    ),
    (
        titles::BYTES[1],
        7,
        Some(SortKey::ServerBytes),
        0,
        Align::Right,
    ),
    (titles::FINDINGS, 9, Some(SortKey::Findings), 0, Align::Left),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

/// The columns of the list that grow with the screen: their texts have no usual length.
const GROWING: [usize; 2] = [1, 2];

/// Columns of the name of the input, however much stands behind it.
const LEAST_TITLE: usize = 12;

/// Columns between the two lanes of a ladder, unless a label needs more and has it.
const LANES: usize = 34;

/// The columns of the list that a screen of so many columns shows, wide enough for these rows
/// where there is room.
fn list_columns(screen: usize, rows: &[Row]) -> Vec<(usize, usize)> {
    let mut shown: Vec<(usize, usize)> = COLUMNS
        .iter()
        .enumerate()
        .filter(|(_, column)| screen >= column.3)
        .map(|(index, column)| (index, column.1))
        .collect();
    let used: usize = 2 + shown.iter().map(|(_, width)| width + 1).sum::<usize>();
    let mut room = screen.saturating_sub(used);
    let is_growing = |(index, _): &&(usize, usize)| GROWING.contains(index);
    let mut left = shown.iter().filter(is_growing).count();
    for (index, width) in &mut shown {
        if GROWING.contains(index) {
            // A column that needs less than its share leaves the rest to those behind it.
            let needed = rows.iter().map(|row| columns_of(&cell(row, *index))).max();
            let more = needed.unwrap_or(0).saturating_sub(*width).min(room / left);
            *width += more;
            room -= more;
            left -= 1;
        }
    }
    shown
}

/// Whether colours are used; without, bold, reversed and written text has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colours {
    /// They are.
    Used,
    /// They are not.
    Unused,
}

/// The area and the style of drawing.
struct Sheet<'a> {
    area: Rect,
    buffer: &'a mut Buffer,
    colours: Colours,
    charset: Charset,
}

impl Sheet<'_> {
    /// A line of the screen, cut where it is too long, in one style from edge to edge.
    fn put(&mut self, line: usize, text: &str, style: Style) {
        self.put_at(0, line, text, style);
    }

    fn put_at(&mut self, column: usize, line: usize, text: &str, style: Style) {
        let width = usize::from(self.area.width).saturating_sub(column);
        if line >= usize::from(self.area.height) || width == 0 {
            return;
        }
        let text = if columns_of(text) > width {
            cut(text, width, self.charset)
        } else {
            format!("{text}{}", " ".repeat(width - columns_of(text)))
        };
        // Both are within the area, whose sides are of 16 bits.
        let x = self.area.x + u16::try_from(column).unwrap_or(u16::MAX);
        let y = self.area.y + u16::try_from(line).unwrap_or(u16::MAX);
        self.buffer.set_stringn(x, y, text, width, style);
    }

    fn coloured(&self, colour: Color) -> Style {
        match self.colours {
            Colours::Used => Style::new().fg(colour),
            Colours::Unused => Style::new(),
        }
    }

    fn of_level(&self, level: Option<Level>) -> Style {
        match level {
            Some(Level::Error) => self.coloured(Color::Red),
            Some(Level::Warn) => self.coloured(Color::Yellow),
            Some(Level::Note) => self.coloured(Color::Cyan),
            None => Style::new(),
        }
    }
}

const BAR: Style = Style::new().add_modifier(Modifier::REVERSED);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

impl App {
    /// Draws everything. Two lines stand above the part that scrolls, and one below.
    pub(crate) fn draw(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        source: &mut dyn Source,
        colours: Colours,
        charset: Charset,
    ) {
        self.lines = usize::from(area.height).saturating_sub(3).max(1);
        self.columns = usize::from(area.width);
        let mut sheet = Sheet {
            area,
            buffer,
            colours,
            charset,
        };
        let sheet = &mut sheet;
        let lines = self.lines;
        self.put_title(sheet, source);
        match self.screens.last_mut() {
            None => self.put_list(sheet, source),
            Some(Screen::Ladder { ladder, cursor, .. }) => {
                cursor.keep_on_screen(lines, ladder.steps.len());
                put_ladder(sheet, ladder, *cursor, lines);
            }
            Some(Screen::Message(page) | Screen::Stream(page) | Screen::Help(page)) => {
                put_page(sheet, page, lines);
            }
        }
        self.put_foot(sheet);
    }

    fn put_title(&self, sheet: &mut Sheet<'_>, source: &dyn Source) {
        let count = self.count(source) - source.outside().min(self.count(source));
        let noun = if count == 1 {
            "conversation"
        } else {
            "conversations"
        };
        // The longest come last: the edge of the screen cuts them.
        let mut text = format!("  {count} {noun}");
        if self.is_paused() {
            text += "  PAUSED";
        }
        if !self.progress.is_empty() {
            text += &format!("  {}", self.progress);
        }
        if !self.marks.is_empty() {
            text += &format!("  {} marked", self.marks.len());
        }
        if !self.filter.is_empty() {
            text += &format!("  filter: {}", self.filter);
        }
        if let twice @ 1.. = source.seen_twice() {
            text += &format!("  {twice} seen twice (router)");
        }
        let room = self.columns.saturating_sub(1 + columns_of(&text));
        let room = room.max(LEAST_TITLE);
        let title = if columns_of(&self.title) > room {
            cut(&self.title, room, sheet.charset)
        } else {
            self.title.clone()
        };
        sheet.put(0, &format!(" {title}{text}"), BAR);
    }

    fn put_list(&mut self, sheet: &mut Sheet<'_>, source: &mut dyn Source) {
        let count = self.count(source);
        if self.is_tailing {
            self.list.at = count.saturating_sub(1);
        }
        self.list.keep_on_screen(self.lines, count);
        let mut rows = Vec::with_capacity(self.lines);
        for line in 0..self.lines.min(count - self.list.top) {
            match source.row(self.list.top + line) {
                Ok(row) => rows.push(row),
                Err(error) => {
                    self.message = error.to_string();
                    return;
                }
            }
        }
        let shown = list_columns(self.columns, &rows);
        let mut head = "  ".to_owned();
        for &(index, width) in &shown {
            let (title, _, key, _, align) = &COLUMNS[index];
            let sign = match self.sort {
                (by, SortOrder::Up) if Some(by) == *key => "↑",
                (by, SortOrder::Down) if Some(by) == *key => "↓",
                _ => "",
            };
            let title_and_sign = format!("{title}{sign}");
            if columns_of(&title_and_sign) == width + 1 {
                // The sign has the gap before the next column: at 80 columns there is no other room.
                head += &title_and_sign;
            } else {
                head += &aligned(&title_and_sign, width, *align, sheet.charset);
                head.push(' ');
            }
        }
        // A gap behind the last column would be cut, and the cut be marked.
        sheet.put(1, head.trim_end(), BOLD);
        if count == 0 {
            let lines = match &*self.filter {
                "" => source.emptiness(),
                _ => vec!["no conversation matches the filter; Escape shows all".to_owned()],
            };
            let room = self.columns.saturating_sub(4).max(1);
            let lines = lines.iter().flat_map(|line| wrapped(line, room));
            for (line, text) in lines.take(self.lines).enumerate() {
                sheet.put(2 + line, &format!("  {text}"), Style::new());
            }
        }
        for (line, row) in rows.iter().enumerate() {
            let at = self.list.top + line;
            let mark = if self.marks.contains(&row.number) {
                "* "
            } else {
                "  "
            };
            let mut text = mark.to_owned();
            for &(index, width) in &shown {
                let align = COLUMNS[index].4;
                text += &aligned(&cell(row, index), width, align, sheet.charset);
                text.push(' ');
            }
            let style = sheet.of_level(row.level);
            let style = if at == self.list.at {
                style.add_modifier(Modifier::REVERSED)
            } else {
                style
            };
            sheet.put(line + 2, text.trim_end(), style);
        }
    }

    fn put_foot(&self, sheet: &mut Sheet<'_>) {
        let line = usize::from(sheet.area.height).saturating_sub(1);
        if let Some(prompt) = &self.prompt {
            let asked = match prompt.what {
                Asked::Search => "/",
                Asked::Filter => "filter (-Y): ",
                Asked::Path(ExportFormat::Packets) => "write packets to (.pcapng): ",
                Asked::Path(ExportFormat::Streams) => "export streams to directory: ",
                Asked::Path(ExportFormat::Page) => "write report to (.html): ",
            };
            // The end of a long line is where the cursor is.
            let room = self.columns.saturating_sub(columns_of(asked) + 1);
            let chars: Vec<char> = prompt.text.chars().collect();
            let from = chars.len().saturating_sub(room);
            let text: String = chars[from..].iter().collect();
            return sheet.put(line, &format!("{asked}{text}_"), BOLD);
        }
        if !self.message.is_empty() {
            return sheet.put(line, &self.message, BOLD);
        }
        let keys = match self.screens.last() {
            None => "Enter open  F follow  f filter  / search  s sort  Space mark  w write  ? keys",
            Some(Screen::Ladder { .. }) => {
                "Enter message  F follow  / search  w write  ? keys  q back"
            }
            Some(Screen::Message(_)) => {
                "[ ] other messages  F follow  / search  w write  ? keys  q back"
            }
            Some(Screen::Stream(_) | Screen::Help(_)) => "/ search  ? keys  q back",
        };
        sheet.put(line, keys, BAR);
    }
}

fn cell(row: &Row, column: usize) -> String {
    match column {
        0 => row.name.clone(),
        1 => row.ends[0].clone(),
        2 => row.ends[1].clone(),
        3 => row.ids.clone(),
        4 => row.state.clone(),
        5 => row.start.clone(),
        6 => row.duration.clone(),
        7 => row.handshake.clone(),
        8 => row.bytes[0].clone(),
        9 => row.bytes[1].clone(),
        _ => match (row.findings, row.level) {
            (0, _) | (_, None) => String::new(),
            (count, Some(level)) => format!("{count} {level}"),
        },
    }
}

fn aligned(text: &str, width: usize, align: Align, charset: Charset) -> String {
    let columns = columns_of(text);
    if columns > width {
        return cut(text, width, charset);
    }
    let gap = " ".repeat(width - columns);
    match align {
        Align::Left => format!("{text}{gap}"),
        Align::Right => format!("{gap}{text}"),
    }
}

fn put_ladder(sheet: &mut Sheet<'_>, ladder: &Ladder, cursor: Cursor, lines: usize) {
    let mut title = ladder.title.clone();
    if ladder.left_out > 0 {
        title += &format!("  ({} messages before these not shown)", ladder.left_out);
    }
    sheet.put(1, &title, BOLD);
    let lanes = lanes_for(ladder, usize::from(sheet.area.width));
    let steps = ladder.steps.iter().enumerate().skip(cursor.top).take(lines);
    for (line, (at, step)) in steps.enumerate() {
        let (text, style) = match step {
            LadderLine::Message(head) => (ladder_line(head, lanes, sheet.charset), Style::new()),
            LadderLine::Finding(level, text) => (
                format!("{:>12}  ! {level}: {text}", ""),
                sheet.of_level(Some(*level)),
            ),
        };
        let style = if at == cursor.at {
            style.add_modifier(Modifier::REVERSED)
        } else {
            style
        };
        sheet.put(line + 2, &text, style);
    }
}

/// Columns between the lanes: as many as the longest label needs, but at most half of a wide
/// screen.
fn lanes_for(ladder: &Ladder, screen: usize) -> usize {
    let labels = ladder.steps.iter().map(|step| match step {
        LadderLine::Message(head) => columns_of(&head.label) + 6,
        LadderLine::Finding(..) => 0,
    });
    labels.max().unwrap_or(0).min(screen / 2).max(LANES)
}

/// `    0.004000  │◀──── ACK 111111 → ffffff ────│ accepted`
fn ladder_line(head: &MessageLine, lanes: usize, charset: Charset) -> String {
    let (bar, dash, left, right) = match charset {
        Charset::Unicode => ("│", "─", "◀", "▶"),
        Charset::Ascii => ("|", "-", "<", ">"),
    };
    let (start, end) = match head.direction {
        Some(Direction::ClientToServer) => (dash, right),
        Some(Direction::ServerToClient) => (left, dash),
        None => (dash, dash),
    };
    let label = if columns_of(&head.label) > lanes - 6 {
        cut(&head.label, lanes - 6, charset)
    } else {
        head.label.clone()
    };
    let dashes = lanes - 4 - columns_of(&label);
    let before = dashes / 2;
    format!(
        "{:>12}  {bar}{start}{} {label} {}{end}{bar} {}",
        head.time,
        dash.repeat(before),
        dash.repeat(dashes - before),
        head.info
    )
}

fn put_page(sheet: &mut Sheet<'_>, page: &mut Page, lines: usize) {
    let all = page.lines(usize::from(sheet.area.width));
    page.top = page.top.min(all.len().saturating_sub(lines));
    let last = (page.top + lines).min(all.len());
    let title = format!(
        "{}  ({}-{} of {} lines)",
        page.title,
        page.top + 1,
        last,
        all.len()
    );
    sheet.put(1, &title, BOLD);
    for (line, (at, shown)) in all
        .iter()
        .enumerate()
        .skip(page.top)
        .take(lines)
        .enumerate()
    {
        let style = match shown.tone {
            Tone::Plain => Style::new(),
            Tone::Heading => BOLD,
            Tone::Client => sheet.coloured(Color::Blue),
            Tone::Server => sheet.coloured(Color::Green),
        };
        let style = if page.found == Some(at) {
            style.add_modifier(Modifier::REVERSED)
        } else {
            style
        };
        sheet.put(line + 2, &shown.text, style);
    }
}
