use proptest::prelude::*;

use super::*;
use crate::conversation::ConversationId;
use crate::report::style::put_duration;
use crate::testing::{self, Written};
use crate::text::write::text_of;

fn drawn(style: Style, conversations: &[Conversation]) -> String {
    let mut table = Written::by(ConversationTable::new(style));
    for conversation in conversations {
        table.conversation(conversation);
    }
    table.table(&[])
}

#[test]
fn conversations_are_sorted_by_number_and_columns_fit() {
    let refused = Conversation {
        state: ConversationState::Refused,
        server_id: None,
        handshake_ns: None,
        finding_count: 2,
        ..testing::conversation(10)
    };
    let style = Style {
        width: 97,
        ..testing::style()
    };
    assert_eq!(
        drawn(style, &[refused, testing::conversation(2)]),
        "\
Conversations (2)
┌──────┬───────────────┬───────────────┬───────┬──────────┬───────────┬──────────┬──────────┬───┐
│ Conv ┆ Ids cli/srv   ┆ State         ┆ Start ┆ Duration ┆ Handshake ┆ → msgs/B ┆ ← msgs/B ┆ ! │
╞══════╪═══════════════╪═══════════════╪═══════╪══════════╪═══════════╪══════════╪══════════╪═══╡
│ c2   ┆ 111111/ffffff ┆ server closed ┆ 0.000 ┆   206 ms ┆    4.0 ms ┆     1/27 ┆     1/44 ┆   │
│ c10  ┆ 111111/-      ┆ refused       ┆ 0.000 ┆   206 ms ┆         - ┆     1/27 ┆     1/44 ┆ 2 │
└──────┴───────────────┴───────────────┴───────┴──────────┴───────────┴──────────┴──────────┴───┘
"
    );
}

#[test]
fn open_conversations_take_their_place_among_the_others() {
    let mut table = Written::by(ConversationTable::new(testing::style()));
    for number in [5, 1, 3] {
        table.conversation(&testing::conversation(number));
    }
    let open = [2, 4, 600].map(testing::conversation);
    let open: Vec<&Conversation> = open.iter().collect();
    let numbers = |drawn: &str| -> Vec<String> {
        let cells = drawn.lines().filter_map(|line| line.strip_prefix("│ c"));
        cells.map(|line| line[..3].trim().to_owned()).collect()
    };
    let so_far = table.table(&open);
    assert!(so_far.starts_with("Conversations (6)\n"), "{so_far}");
    assert_eq!(numbers(&so_far), ["1", "2", "3", "4", "5", "600"]);
    let later = table.table(&[]);
    assert_eq!(numbers(&later), ["1", "3", "5"]);
}

#[test]
fn no_conversations_give_a_heading_only() {
    assert_eq!(drawn(testing::style(), &[]), "Conversations (0)\n");
}

#[test]
fn ends_on_i2cp_are_named_and_their_views_linked() {
    let mut conversation = testing::conversation(1);
    conversation.carrier = Carrier::I2cp;
    conversation.server.nickname = Some("srv\u{1b}[2J".to_owned());
    conversation.peer_view = Some(ConversationId(7));
    let style = Style {
        charset: Charset::Ascii,
        width: 120,
        ..testing::style()
    };
    let drawn = drawn(style, &[conversation, testing::conversation(3)]);
    assert!(
        drawn.contains("| c1   | c7   | 47D...FU= | srv\\x1b[2J |"),
        "{drawn}"
    );
    let widths: Vec<usize> = drawn.lines().skip(1).map(columns_of).collect();
    assert!(widths.iter().all(|&width| width == widths[0]), "{drawn}");
    assert!(drawn.contains("| c3   | -    | -         | -"), "{drawn}");
}

#[test]
fn narrow_terminals_lose_times_first() {
    let mut style = testing::style();
    for (width, titles) in [
        (97, &["Start", "Duration", "Handshake"][..]),
        (90, &["Duration", "Handshake"]),
        (79, &["Handshake"]),
        (65, &[]),
        (10, &[]),
    ] {
        style.width = width;
        let drawn = drawn(style, &[testing::conversation(1)]);
        for title in ["Start", "Duration", "Handshake"] {
            assert_eq!(
                drawn.contains(title),
                titles.contains(&title),
                "{width}\n{drawn}"
            );
        }
        assert!(drawn.contains("111111/ffffff") && drawn.contains("server closed"));
    }
}

#[test]
fn names_give_way_to_the_width_of_the_terminal() {
    let mut conversation = testing::conversation(1);
    conversation.carrier = Carrier::I2cp;
    conversation.client.nickname = Some("a-rather-long-name-of-a-client".to_owned());
    conversation.server.nickname = Some("srv-of-mine".to_owned());
    conversation.peer_view = Some(ConversationId(7));
    let mut style = testing::style();
    for (width, cells) in [
        (
            200,
            "│ c1   ┆ c7   ┆ a-rather-long-name-of-a-client ┆ srv-of-mine ┆ 111111/ffffff ┆",
        ),
        (
            110,
            "│ c1   ┆ c7   ┆ a-rather-long-name-… ┆ srv-of-mine ┆ 111111/ffffff ┆",
        ),
        (
            104,
            "│ c1   ┆ c7   ┆ a-rather-long… ┆ srv-of-mine ┆ 111111/ffffff ┆",
        ),
        (92, "│ c1   ┆ c7   ┆ a-rath… ┆ srv-o… ┆ 111111/ffffff ┆"),
        (90, "│ c1   ┆ c7   ┆ 111111/ffffff ┆"),
        (80, "│ c1   ┆ c7   ┆ 111111/ffffff ┆"),
        (72, "│ c1   ┆ 111111/ffffff ┆"),
    ] {
        style.width = width;
        let drawn = drawn(style, std::slice::from_ref(&conversation));
        assert!(drawn.contains(cells), "{width}\n{drawn}");
        assert!(
            drawn.lines().all(|line| columns_of(line) <= width),
            "{width}\n{drawn}"
        );
    }
}

/// A table of so many conversations, with as many more that are open, all in another order
/// than that of their numbers.
fn long_table(workers: usize, count: u64) -> (ConversationTable, Vec<Conversation>) {
    let workers = NonZeroUsize::new(workers).unwrap();
    let mut table = ConversationTable::new(testing::style()).with_workers(workers);
    for place in 0..count {
        // 7,919 is a prime: every number below `count` comes once.
        let number = 2 * (place * 7_919 % count) + 1;
        let conversation = testing::conversation(number);
        table.conversation(&conversation, &mut Vec::new()).unwrap();
    }
    let open = (0..count).map(|number| testing::conversation(2 * number + 2));
    (table, open.collect())
}

#[test]
fn two_threads_write_what_one_does() {
    for count in [1, 2_048, 2_049, 10_000] {
        let [alone, shared] = [1, 2].map(|workers| {
            let (table, open) = long_table(workers, count);
            let open: Vec<&Conversation> = open.iter().collect();
            Written::by(table).table(&open)
        });
        assert!(alone == shared, "{count}");
        let numbers = alone
            .lines()
            .filter_map(|line| line.strip_prefix("│ c")?.split(' ').next());
        let expected = (1..=2 * count).map(|number| number.to_string());
        assert!(numbers.eq(expected), "{count}");
    }
}

#[test]
fn an_output_that_fails_ends_both_threads() {
    let (mut table, _) = long_table(2, 40_000);
    let mut buffer = Vec::new();
    let mut written = 0;
    let result = table.table(
        &[],
        &mut SharedOutput {
            buffer: &mut buffer,
            drain: &mut |buffer| {
                written += buffer.len();
                buffer.clear();
                match written {
                    0..1_000_000 => Ok(()),
                    _ => Err(io::ErrorKind::BrokenPipe.into()),
                }
            },
        },
    );
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

fn any_conversation() -> impl Strategy<Value = Conversation> {
    (
        any::<[u64; 6]>(),
        any::<[i64; 3]>(),
        any::<[Option<u32>; 3]>(),
        0..ConversationState::ALL.len(),
    )
        .prop_map(|(counts, times, ids, state)| {
            let id = |index: usize| ids[index].map(StreamId::from_u32);
            Conversation {
                client_id: id(0).map(crate::wire::ClientId),
                server_id: id(1).map(crate::wire::ServerId),
                peer_view: ids[2].map(|number| ConversationId(number.into())),
                state: ConversationState::ALL[state],
                start_us: times[0],
                end: testing::START.plus_nanos(times[1] / 4),
                handshake_ns: Some(times[2]),
                c2s: Tally {
                    message_count: counts[0],
                    payload_bytes: counts[1],
                },
                s2c: Tally {
                    message_count: counts[2],
                    payload_bytes: counts[3],
                },
                finding_count: counts[4] >> 32,
                ..testing::conversation(counts[5])
            }
        })
}

proptest! {
    #[test]
    fn rows_survive_the_way_through_the_file(conversation in any_conversation()) {
        let mut table = ConversationTable::new(testing::style());
        let row = Row {
            number: conversation.id.0,
            peer: conversation.peer_view.and_then(|id| NonZeroU64::new(id.0)),
            client: NameId(1),
            server: NameId(u32::MAX),
            client_id: conversation.client_id.map(StreamId::from),
            server_id: conversation.server_id.map(StreamId::from),
            state: conversation.state,
            start_us: conversation.start_us,
            duration_ns: conversation.duration_ns(),
            handshake_ns: Some(7),
            c2s: conversation.c2s,
            s2c: conversation.s2c,
            finding_count: 9,
        };
        prop_assert_eq!(Row::from_words(row.to_words()), row);
        prop_assert!(table.conversation(&conversation, &mut Vec::new()).is_ok());
    }

    #[test]
    fn no_cell_is_wider_than_its_column(
        conversations in prop::collection::vec(any_conversation(), 1..5),
    ) {
        let style = Style { width: 400, ..testing::style() };
        let drawn = drawn(style, &conversations);
        let widths: Vec<usize> = drawn.lines().skip(1).map(columns_of).collect();
        prop_assert!(widths.iter().all(|&width| width == widths[0]), "{}", drawn);
    }

    #[test]
    fn the_width_of_a_duration_is_known_without_writing_it(nanos in any::<i64>(), shift in 0_u32..64) {
        let nanos = nanos >> shift;
        let text = text_of(|out| put_duration(out, nanos, Charset::Unicode));
        prop_assert_eq!(duration_width(nanos), columns_of(&text), "{}", text);
    }
}

#[test]
fn the_names_of_ends_are_bounded_and_further_ones_are_unknown() {
    let mut names = Names::default();
    let places: Vec<NameId> = (0..MAX_NAMES + 10)
        .map(|number| names.place_of(number.to_string()))
        .collect();
    assert_eq!(names.texts.len(), 65_536);
    assert_eq!(names.get(places[MAX_NAMES - 1]), "65535");
    assert_eq!(names.get(places[MAX_NAMES]), "-");
    assert_eq!(names.place_of("7".to_owned()), places[7]);
}
