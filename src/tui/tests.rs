//! Keys in, screens out.

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::*;
use crate::text::escape::{Charset, columns_of};

/// Conversations that are made up as they are asked for.
struct Made {
    count: usize,
    twice: usize,
    rows_read: usize,
    /// Messages that came to each conversation later.
    late: u64,
    sorted: Vec<(SortKey, SortOrder)>,
}

impl Made {
    fn of(count: usize) -> Self {
        Self {
            count,
            twice: 0,
            rows_read: 0,
            late: 0,
            sorted: Vec::new(),
        }
    }
}

impl Source for Made {
    fn count(&self) -> usize {
        self.count
    }

    fn outside(&self) -> usize {
        0
    }

    fn seen_twice(&self) -> usize {
        self.twice
    }

    fn emptiness(&self) -> Vec<String> {
        vec![
            "no conversation in this capture".to_owned(),
            "other ".repeat(30),
        ]
    }

    fn row(&mut self, at: usize) -> io::Result<Row> {
        self.rows_read += 1;
        Ok(Row {
            number: u32::try_from(at).unwrap() + 1,
            name: format!("c{}", at + 1),
            ends: ["127.0.0.1:40112".to_owned(), "größe".to_owned()],
            state: "server closed".to_owned(),
            level: (at % 7 == 3).then_some(Level::Error),
            findings: u64::from(at % 7 == 3),
            ..Row::default()
        })
    }

    fn sort(&mut self, key: SortKey, order: SortOrder) -> io::Result<()> {
        self.sorted.push((key, order));
        Ok(())
    }

    fn end_of(&self, _: u32) -> io::Result<u64> {
        Ok(self.late)
    }

    fn ladder(&mut self, number: u32) -> io::Result<Ladder> {
        if number == 13 {
            return Err(io::Error::other("the disk is gone"));
        }
        let head = |at: u64| {
            LadderLine::Message(MessageLine {
                place: at,
                number: at,
                time: format!("0.00{at}"),
                direction: Some(match at % 2 {
                    0 => Direction::ServerToClient,
                    _ => Direction::ClientToServer,
                }),
                label: format!("DATA ffffff  {at} B"),
                info: "x".repeat(300),
            })
        };
        let mut steps: Vec<LadderLine> = (1..=u64::from(number.min(40)) + self.late)
            .map(head)
            .collect();
        steps.push(LadderLine::Finding(
            Level::Warn,
            "ms.no_close: none".to_owned(),
        ));
        Ok(Ladder {
            title: format!("c{number}"),
            steps,
            left_out: 0,
            end: self.end_of(number)?,
        })
    }

    fn message(&mut self, place: u64) -> io::Result<Detail> {
        Ok(Detail {
            fields: vec![format!("message {place}"), "  payload ".repeat(20)],
            hex: vec!["0000  50 11".to_owned(); 30],
        })
    }

    fn follow(&mut self, number: u32) -> io::Result<Vec<StreamChunk>> {
        Ok(vec![StreamChunk {
            direction: Some(Direction::ClientToServer),
            head: "→ 0.1  3 B".to_owned(),
            lines: vec![format!("what c{number} said"), "größe 漢字".repeat(40)],
        }])
    }
}

fn screen(app: &mut App, source: &mut Made, width: u16, height: u16) -> Vec<String> {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    app.draw(area, &mut buffer, source, Colours::Used, Charset::Unicode);
    let line = |y| {
        let cells = (0..width).map(|x| buffer[(x, y)].symbol());
        cells.collect::<String>().trim_end().to_owned()
    };
    (0..height).map(line).collect()
}

fn press(app: &mut App, source: &mut Made, keys: &str) -> Task {
    let mut action = Task::None;
    for c in keys.chars() {
        let key = match c {
            '\n' => Key::Enter,
            '\x1b' => Key::Escape,
            c => Key::Char(c),
        };
        action = app.key(key, source);
    }
    action
}

#[test]
fn enter_goes_from_the_list_to_the_bytes_and_q_back_again() {
    let (mut app, mut source) = (App::new("a.pcap".to_owned()), Made::of(3));
    let (mut titles, mut back) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        titles.push(screen(&mut app, &mut source, 80, 24)[1].clone());
        assert_eq!(press(&mut app, &mut source, "\n"), Task::None);
    }
    for _ in 0..3 {
        back.push(screen(&mut app, &mut source, 80, 24)[1].clone());
        if back.len() < 3 {
            assert_eq!(press(&mut app, &mut source, "q"), Task::None);
        }
    }
    assert!(titles[0].starts_with("  Conv↑"), "{titles:?}");
    assert_eq!(titles[1], "c1");
    assert!(titles[2].starts_with("#1  DATA ffffff  1 B"), "{titles:?}");
    titles.reverse();
    assert_eq!(back, titles);
    assert_eq!(press(&mut app, &mut source, "q"), Task::Quit);
}

#[test]
fn a_million_conversations_cost_no_more_than_a_screen_of_them() {
    let (mut app, mut source) = (App::new("a.pcap".to_owned()), Made::of(1_000_000));
    for keys in ["", "G", "g", "G"] {
        press(&mut app, &mut source, keys);
        source.rows_read = 0;
        let shown = screen(&mut app, &mut source, 80, 24);
        assert_eq!(source.rows_read, 21);
        let expected = if keys == "G" { "c1000000" } else { "c1" };
        assert!(
            shown
                .iter()
                .any(|line| line.trim_start().starts_with(expected))
        );
    }
}

#[test]
fn a_search_goes_on_step_by_step_and_can_be_ended() {
    let (mut app, mut source) = (App::new("a.pcap".to_owned()), Made::of(50_000));
    press(&mut app, &mut source, "/c49999\n");
    let mut steps = 1;
    while app.tick(&mut source) {
        steps += 1;
    }
    assert!(steps > 10, "{steps}");
    let shown = screen(&mut app, &mut source, 80, 24);
    assert!(
        shown
            .iter()
            .any(|line| line.trim_start().starts_with("c49999 ")),
        "{shown:?}"
    );
    press(&mut app, &mut source, "/nothing\n\x1b");
    assert!(!app.tick(&mut source));
}

#[test]
fn what_is_marked_is_written_and_otherwise_what_is_under_the_cursor() {
    let (mut app, mut source) = (App::new("a.pcap".to_owned()), Made::of(9));
    let write = |format, path: &str, numbers: &[u32]| Task::Write {
        format,
        path: path.to_owned(),
        numbers: numbers.to_vec(),
    };
    assert_eq!(
        press(&mut app, &mut source, "jwx.pcapng\n"),
        write(ExportFormat::Packets, "x.pcapng", &[2])
    );
    assert_eq!(
        press(&mut app, &mut source, " j Ex\n"),
        write(ExportFormat::Streams, "x", &[2, 4])
    );
    // Unmarked again; in a ladder it is the conversation that is shown.
    assert_eq!(
        press(&mut app, &mut source, "ugjj\nHx.html\n"),
        write(ExportFormat::Page, "x.html", &[3])
    );
    assert_eq!(press(&mut app, &mut source, "wx\x1b"), Task::None);
    assert_eq!(press(&mut app, &mut source, "w\n"), Task::None);
}

#[test]
fn sorting_goes_through_the_columns_and_turns_around() {
    let (mut app, mut source) = (App::new("a.pcap".to_owned()), Made::of(9));
    press(&mut app, &mut source, "ssS");
    assert_eq!(
        source.sorted,
        [
            (SortKey::State, SortOrder::Up),
            (SortKey::Duration, SortOrder::Down),
            (SortKey::Duration, SortOrder::Up)
        ]
    );
    let head = &screen(&mut app, &mut source, 80, 24)[1];
    assert!(head.contains("Duration↑"), "{head}");
}

#[test]
fn at_80_columns_every_title_is_whole_whatever_is_sorted_by() {
    let (mut app, mut source) = (App::new("a.pcap".to_owned()), Made::of(9));
    let titles = [
        "Conv",
        "State",
        "Duration",
        "Handshake",
        "→ B",
        "← B",
        "Findings",
    ];
    for sorted in titles {
        let lines = screen(&mut app, &mut source, 80, 24);
        let (head, row) = (&lines[1], &lines[2]);
        let signs: Vec<_> = head.match_indices(['↑', '↓']).collect();
        assert_eq!(signs.len(), 1, "{head}");
        assert!(head[..signs[0].0].ends_with(sorted), "{sorted}: {head}");
        for title in titles {
            assert!(head.contains(title), "{title}: {head}");
        }
        assert!(!head.contains('…') && !row.contains('…'), "{head}\n{row}");
        press(&mut app, &mut source, "s");
    }
}

#[test]
fn a_pause_holds_the_list_and_the_end_goes_with_what_is_new() {
    let (mut app, mut source) = (App::new("eth0".to_owned()), Made::of(5));
    app.go_with_what_is_new();
    let shown = |app: &mut App, source: &mut Made, name: &str| {
        let name = format!("{name} ");
        let lines = screen(app, source, 80, 10);
        lines
            .iter()
            .any(|line| line.trim_start().starts_with(&name))
    };
    source.count = 100;
    assert!(shown(&mut app, &mut source, "c100"));
    press(&mut app, &mut source, "p");
    source.count = 200;
    assert!(shown(&mut app, &mut source, "c100") && !shown(&mut app, &mut source, "c200"));
    assert!(screen(&mut app, &mut source, 80, 10)[0].contains("PAUSED"));
    press(&mut app, &mut source, "p");
    assert!(shown(&mut app, &mut source, "c200"));
    press(&mut app, &mut source, "k");
    source.count = 300;
    assert!(!shown(&mut app, &mut source, "c300"));
}

#[test]
fn a_ladder_grows_with_its_conversation_unless_nothing_new_is_shown() {
    let (mut app, mut source) = (App::new("eth0".to_owned()), Made::of(5));
    let come = |app: &mut App, source: &mut Made, late: u64| {
        source.late = late;
        app.refresh(source);
        let shown = screen(app, source, 80, 24);
        let messages = shown.iter().filter(|line| line.contains("DATA"));
        messages.count()
    };
    press(&mut app, &mut source, "jj\n");
    assert_eq!(come(&mut app, &mut source, 0), 3);
    assert_eq!(come(&mut app, &mut source, 2), 5);
    // The cursor stays where it is, but goes with what is new from the last line on.
    let title = |app: &mut App, source: &mut Made| {
        press(app, source, "\n");
        let title = screen(app, source, 80, 24)[1].clone();
        press(app, source, "q");
        title
    };
    assert!(title(&mut app, &mut source).starts_with("#1 "));
    press(&mut app, &mut source, "G");
    assert_eq!(come(&mut app, &mut source, 4), 7);
    assert!(title(&mut app, &mut source).starts_with("#7 "));
    press(&mut app, &mut source, "p");
    assert_eq!(come(&mut app, &mut source, 6), 7);
    press(&mut app, &mut source, "p");
    assert_eq!(come(&mut app, &mut source, 6), 9);
}

#[test]
fn keys_that_do_nothing_say_so() {
    let (mut app, mut source) = (App::new("a.pcap".to_owned()), Made::of(3));
    let foot = |app: &mut App, source: &mut Made, keys: &str| {
        press(app, source, keys);
        screen(app, source, 80, 24)[23].clone()
    };
    for keys in ["x", "\nx", "\nx", "Fx", "qqq?x"] {
        let foot = foot(&mut app, &mut source, keys);
        assert_eq!(foot, "x does nothing here; ? shows the keys", "{keys:?}");
    }
    assert_eq!(
        foot(&mut app, &mut source, "q\n "),
        "Space does nothing here; ? shows the keys"
    );
    assert_eq!(
        foot(&mut app, &mut source, "n"),
        "nothing was searched for yet; / begins a search"
    );
    assert_eq!(
        foot(&mut app, &mut source, "\n["),
        "this is the first message"
    );
    assert_eq!(foot(&mut app, &mut source, "]"), "this is the last message");
    source.count = 0;
    assert_eq!(
        foot(&mut app, &mut source, "qq\n"),
        "there is no conversation"
    );
}

#[test]
fn the_stream_is_followed_from_a_message_too() {
    let (mut app, mut source) = (App::new("a.pcap".to_owned()), Made::of(3));
    press(&mut app, &mut source, "j\n\nF");
    let shown = screen(&mut app, &mut source, 80, 24);
    assert!(shown[1].starts_with("Stream of c2"), "{shown:?}");
}

#[test]
fn at_80_columns_the_title_has_all_that_changes_and_cuts_what_is_long() {
    let (mut app, mut source) = (App::new("i2cp-eight-sessions.pcap".to_owned()), Made::of(8));
    source.twice = 4;
    app.set_progress("LIVE, 23 messages".to_owned());
    press(&mut app, &mut source, "p  ");
    app.set_filter("state == refused".to_owned());
    let title = |app: &mut App, source: &mut Made| screen(app, source, 80, 24)[0].clone();
    assert_eq!(
        title(&mut app, &mut source),
        " i2cp-eight-…  8 conversations  PAUSED  LIVE, 23 messages  2 marked  filter: st…"
    );
    press(&mut app, &mut source, "pu");
    assert_eq!(
        title(&mut app, &mut source),
        " i2cp-eight-…  8 conversations  LIVE, 23 messages  filter: state == refused  4 …"
    );
    app.set_filter(String::new());
    assert_eq!(
        title(&mut app, &mut source),
        " i2cp-eight-sessions…  8 conversations  LIVE, 23 messages  4 seen twice (router)"
    );
}

#[test]
fn an_input_without_conversations_says_why_on_lines_that_fit() {
    let (mut app, mut source) = (App::new("a.pcap".to_owned()), Made::of(0));
    let shown = screen(&mut app, &mut source, 80, 24);
    assert_eq!(shown[2], "  no conversation in this capture");
    assert!(
        shown[3].ends_with("other") && shown[4].ends_with("other"),
        "{shown:?}"
    );
    app.set_filter("n == 0".to_owned());
    let shown = screen(&mut app, &mut source, 80, 24);
    assert_eq!(
        shown[2],
        "  no conversation matches the filter; Escape shows all"
    );
}

#[test]
fn a_refused_filter_stays_and_arrows_bring_back_earlier_ones() {
    let (mut app, mut source) = (App::new("a.pcap".to_owned()), Made::of(9));
    let asked = |text: &str| Task::Filter(text.to_owned());
    assert_eq!(
        press(&mut app, &mut source, "ftype == sin\n"),
        asked("type == sin")
    );
    app.show_message("`sin` is no type".to_owned());
    let foot = |app: &mut App, source: &mut Made| screen(app, source, 80, 24)[23].clone();
    press(&mut app, &mut source, "f");
    assert_eq!(foot(&mut app, &mut source), "filter (-Y): type == sin_");
    for _ in 0..3 {
        app.key(Key::Backspace, &mut source);
    }
    assert_eq!(press(&mut app, &mut source, "syn\n"), asked("type == syn"));
    app.set_filter("type == syn".to_owned());
    // Escape shows all again; the filter is still at hand.
    assert_eq!(press(&mut app, &mut source, "\x1b"), asked(""));
    app.set_filter(String::new());
    press(&mut app, &mut source, "f");
    assert_eq!(foot(&mut app, &mut source), "filter (-Y): _");
    for (key, shown) in [
        (Key::Up, "type == syn"),
        (Key::Up, "type == sin"),
        (Key::Up, "type == sin"),
        (Key::Down, "type == syn"),
        (Key::Down, ""),
        (Key::Down, ""),
    ] {
        app.key(key, &mut source);
        assert_eq!(
            foot(&mut app, &mut source),
            format!("filter (-Y): {shown}_")
        );
    }
    press(&mut app, &mut source, "\x1b/");
    app.key(Key::Up, &mut source);
    assert_eq!(foot(&mut app, &mut source), "/_");
}

#[test]
fn what_is_typed_outlives_the_arrows() {
    let (mut app, mut source) = (App::new("a.pcap".to_owned()), Made::of(9));
    let foot = |app: &mut App, source: &mut Made| screen(app, source, 80, 24)[23].clone();
    let follow = |app: &mut App, source: &mut Made, keys: &[(Key, &str)]| {
        for (key, shown) in keys {
            app.key(*key, source);
            assert_eq!(foot(app, source), format!("filter (-Y): {shown}_"));
        }
    };
    press(&mut app, &mut source, "fn ==");
    follow(
        &mut app,
        &mut source,
        &[(Key::Up, "n =="), (Key::Down, "n ==")],
    );
    press(&mut app, &mut source, " 1\nfn == 2\nf");
    app.key(Key::Ctrl('u'), &mut source);
    press(&mut app, &mut source, "typ");
    let there_and_back = [
        (Key::Down, "typ"),
        (Key::Up, "n == 1n == 2"),
        (Key::Up, "n == 1"),
        (Key::Up, "n == 1"),
        (Key::Down, "n == 1n == 2"),
        (Key::Down, "typ"),
        (Key::Down, "typ"),
        (Key::Up, "n == 1n == 2"),
        // An earlier one that is changed is what is typed now.
        (Key::Backspace, "n == 1n == "),
        (Key::Down, "n == 1n == "),
        (Key::Up, "n == 1n == 2"),
        (Key::Down, "n == 1n == "),
    ];
    follow(&mut app, &mut source, &there_and_back);
    // The one that holds is there already when the prompt opens.
    press(&mut app, &mut source, "\x1bf");
    let holds = [
        (Key::Up, "n == 1"),
        (Key::Down, "n == 1n == 2"),
        (Key::Down, "n == 1n == 2"),
    ];
    follow(&mut app, &mut source, &holds);
}

#[test]
fn what_cannot_be_read_is_told_and_nothing_else_happens() {
    let (mut app, mut source) = (App::new("a.pcap".to_owned()), Made::of(20));
    press(&mut app, &mut source, "jjjjjjjjjjjj\n");
    let shown = screen(&mut app, &mut source, 80, 24);
    assert_eq!(shown[23], "the disk is gone");
    assert!(shown[1].contains("Conv"), "{shown:?}");
}

#[test]
fn without_colours_levels_and_the_cursor_are_still_seen() {
    let (mut app, mut source) = (App::new("a.pcap".to_owned()), Made::of(9));
    let area = Rect::new(0, 0, 80, 24);
    let mut buffer = Buffer::empty(area);
    app.draw(
        area,
        &mut buffer,
        &mut source,
        Colours::Unused,
        Charset::Unicode,
    );
    let cells = buffer.content();
    assert!(
        cells
            .iter()
            .all(|cell| cell.fg == ratatui::style::Color::Reset)
    );
    let reversed = ratatui::style::Modifier::REVERSED;
    assert!(buffer[(0, 2)].modifier.contains(reversed));
    assert!(!buffer[(0, 3)].modifier.contains(reversed));
    let text: String = cells.iter().map(|cell| cell.symbol()).collect();
    assert!(text.contains("1 error"), "{text}");
}

#[test]
fn nothing_in_the_keys_is_wider_than_the_narrowest_screen() {
    for line in app::HELP.lines() {
        assert!(columns_of(line) <= 80, "{line}");
    }
}

fn any_key() -> impl Strategy<Value = Key> {
    let keys = "jkgGhlqFfsS upnN/wEH?[]b x";
    prop_oneof![
        8 => prop::sample::select(keys.chars().collect::<Vec<_>>()).prop_map(Key::Char),
        4 => Just(Key::Enter),
        1 => prop::sample::select(vec![
            Key::Escape, Key::Backspace, Key::Up, Key::Down, Key::Left, Key::Right, Key::PageUp,
            Key::PageDown, Key::Home, Key::End, Key::WheelUp, Key::WheelDown, Key::Ctrl('d'),
            Key::Ctrl('u'), Key::Ctrl('f'), Key::Ctrl('b'),
        ]),
        1 => (0_u16..30).prop_map(Key::Click),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_keys_on_any_screen_are_taken(
        keys in prop::collection::vec(any_key(), 1..40),
        width in 1_u16..220,
        height in 1_u16..60,
        count in prop::sample::select(vec![0_usize, 1, 2, 30, 5_000]),
    ) {
        let (mut app, mut source) = (App::new("a.pcap".to_owned()), Made::of(count));
        for key in keys {
            app.key(key, &mut source);
            app.tick(&mut source);
            let shown = screen(&mut app, &mut source, width, height);
            prop_assert_eq!(shown.len(), usize::from(height));
        }
    }
}
