use std::fs::{self, File};
use std::net::SocketAddr;
use std::sync::Arc;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::{Row, RowAccessor};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescriptor;

use super::table::{Table, empty_columns};
use super::*;
use crate::conversation::{ConversationId, DetailName, FindingCode, FindingDetail, RouterTime};
use crate::field::Value;
use crate::record::{Cells, preview_source, put_preview};
use crate::testing;
use crate::text::write::{put, put_display};

#[test]
fn every_column_that_is_written_in_a_way_of_its_own_exists() {
    let tables = TableKind::ALL.map(|kind| SchemaDescriptor::new(kind.schema()));
    let has = |table: &SchemaDescriptor, name: &str| {
        table.columns().iter().any(|column| column.name() == name)
    };
    for name in schema::MANIFOLD.iter().chain(&schema::FEW) {
        assert!(tables.iter().any(|table| has(table, name)), "{name}");
    }
    for (table, name) in schema::KEYS {
        let mut of_table = tables.iter().filter(|one| one.name() == table);
        assert!(of_table.any(|table| has(table, name)), "{name}");
    }
}

/// A small data set of three of everything, in `bounds`.
fn filled(root: &Path, bounds: Bounds) -> DataSet {
    filled_by(root, NonZeroUsize::MIN, 3, bounds)
}

fn filled_by(root: &Path, threads: NonZeroUsize, count: u64, bounds: Bounds) -> DataSet {
    let mut set = DataSet::bounded(
        root,
        "x",
        PayloadDetail::Full,
        Secrets::NONE,
        threads,
        bounds,
    )
    .unwrap();
    for number in 1..=count {
        let mut event = testing::event(b"\xa0\xff\xff\xffhello");
        event.number = number;
        set.message(&event).unwrap();
        set.conversation(&testing::conversation(number)).unwrap();
        set.finding(&testing::finding(FindingCode::OrphanId))
            .unwrap();
    }
    set
}

fn files(root: &Path, kind: TableKind) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory(root, kind, "x"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The rows of a file as the reader prints them, and how many each row group has.
fn read(path: &Path) -> (Vec<String>, Vec<i64>) {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let groups = reader.metadata().row_groups();
    let groups = groups.iter().map(|group| group.num_rows()).collect();
    let rows = reader.get_row_iter(None).unwrap();
    (rows.map(|row| row.unwrap().to_string()).collect(), groups)
}

const ONE_FILE: Bounds = Bounds {
    rows: 2,
    bytes: usize::MAX,
    row_groups: 100,
};

#[test]
fn rows_are_what_was_put() {
    let root = tempfile::tempdir().unwrap();
    let set = filled(root.path(), ONE_FILE);
    set.finish().unwrap();
    let first_row = |kind| {
        let path = directory(root.path(), kind, "x").join("part-00000.parquet");
        let (rows, groups) = read(&path);
        assert_eq!((rows.len(), groups), (3, vec![2, 1]));
        rows[0].clone()
    };
    assert_eq!(
        first_row(TableKind::Messages),
        "{n: 1, packet_n: 3, ts: 1085486400005000000, t_us: 5000, carrier: \"udp\", \
         src: \"127.0.0.1:40112\", dst: \"127.0.0.1:9004\", dir: \"c2s\", type: \"data\", \
         type_byte: 160, id: \"ffffff\", id_owner: \"server\", conv: \"c1\", \
         meaning: \"carries\", payload_bytes: 5, payload: [104, 101, 108, 108, 111], \
         payload_text: \"hello\", short_hex: null, server_id: null, destination_hash: null, \
         session: null, session_name: null, router_us: null, sent_n: null, \
         encapsulation: null, findings: []}"
    );
    assert_eq!(
        first_row(TableKind::Conversations),
        "{conv: \"c1\", client: \"127.0.0.1:40112\", client_name: null, \
         client_hash: \"47DEQpj8HBSa-~TImW-5JCeuQeRkm5NMpJWZG3hSuFU=\", \
         server: \"127.0.0.1:9004\", server_name: null, server_hash: null, carrier: \"udp\", \
         client_id: \"111111\", server_id: \"ffffff\", state: \"server_closed\", start_t_us: 0, \
         duration_us: 206000, handshake_us: 4000, first_byte_us: 5000, \
         c2s: {message_count: 1, payload_bytes: 27}, \
         s2c: {message_count: 1, payload_bytes: 44}, finding_count: 0, peer_view: null, \
         router_time_us: null}"
    );
    assert_eq!(
        first_row(TableKind::Findings),
        "{level: \"warn\", code: \"ms.orphan_id\", n: 3, packet_n: 3, conv: \"c1\", \
         text: \"seen\", detail: \"{\"id\":\"0bad1d\",\"offset_bytes\":7}\"}"
    );
}

#[test]
fn lists_structures_and_details_are_read_back() {
    let root = tempfile::tempdir().unwrap();
    let mut set = DataSet::new(
        root.path(),
        "x",
        PayloadDetail::None,
        Secrets::NONE,
        NonZeroUsize::MIN,
    )
    .unwrap();
    let findings = [
        FindingCode::OrphanId,
        FindingCode::Oversize,
        FindingCode::Chaff,
    ];
    let findings = findings.map(testing::finding);
    for count in [0, 3, 0, 1, 2] {
        let mut event = testing::event(b"\xa0\xff\xff\xffhello");
        event.findings = &findings[..count];
        set.message(&event).unwrap();
    }
    let mut conversation = testing::conversation(1);
    conversation.router = Some(RouterTime {
        message_count: 2,
        min_ns: -1_500,
        total_ns: 4_000,
        max_ns: 5_500,
    });
    set.conversation(&conversation).unwrap();
    let mut finding = testing::finding(FindingCode::OrphanId);
    finding.detail = vec![
        (DetailName::PacketCount, FindingDetail::Number(7)),
        (
            DetailName::Between,
            FindingDetail::Text("\"\u{1b}".to_owned()),
        ),
    ];
    set.finding(&finding).unwrap();
    set.finish().unwrap();

    let rows = |kind| read(&directory(root.path(), kind, "x").join("part-00000.parquet")).0;
    let lists: Vec<String> = rows(TableKind::Messages)
        .iter()
        .map(|row| row.split("findings: ").nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(
        lists,
        [
            "[]}",
            "[\"ms.orphan_id\", \"ms.oversize\", \"ms.chaff\"]}",
            "[]}",
            "[\"ms.orphan_id\"]}",
            "[\"ms.orphan_id\", \"ms.oversize\"]}",
        ]
    );
    assert!(rows(TableKind::Messages)[0].contains("payload: null, payload_text: null,"));
    let conversation = &rows(TableKind::Conversations)[0];
    assert!(
        conversation.ends_with("router_time_us: {min: -2, mean: 2, max: 5}}"),
        "{conversation}"
    );
    let finding = &rows(TableKind::Findings)[0];
    assert!(
        finding.contains(r#"{"packet_count":7,"between":"\"\u001b"}"#),
        "{finding}"
    );
}

#[test]
fn files_and_row_groups_end_at_their_bounds() {
    let one = Bounds {
        rows: 1,
        bytes: usize::MAX,
        row_groups: 1,
    };
    let by_bytes = Bounds {
        rows: usize::MAX,
        bytes: 1,
        row_groups: 2,
    };
    for (bounds, expected) in [
        (one, &[&[1][..], &[1], &[1]][..]),
        (by_bytes, &[&[1, 1], &[1]]),
        (Bounds::USUAL, &[&[3]]),
    ] {
        let root = tempfile::tempdir().unwrap();
        filled(root.path(), bounds).finish().unwrap();
        for kind in TableKind::ALL {
            let directory = directory(root.path(), kind, "x");
            let groups: Vec<Vec<i64>> = files(root.path(), kind)
                .iter()
                .map(|name| read(&directory.join(name)).1)
                .collect();
            assert_eq!(groups, expected, "{bounds:?}");
        }
        let names = files(root.path(), TableKind::Messages);
        assert_eq!(names[0], "part-00000.parquet");
        assert_eq!(
            names[expected.len() - 1],
            format!("part-{:05}.parquet", expected.len() - 1)
        );
    }
}

#[test]
fn files_are_the_same_whatever_the_number_of_threads() {
    let bytes_by = |threads| {
        let root = tempfile::tempdir().unwrap();
        let bounds = Bounds {
            rows: 7,
            bytes: usize::MAX,
            row_groups: 5,
        };
        let threads = NonZeroUsize::new(threads).unwrap();
        let set = filled_by(root.path(), threads, 100, bounds);
        set.finish().unwrap();
        TableKind::ALL.map(|kind| {
            let directory = directory(root.path(), kind, "x");
            let names = files(root.path(), kind);
            names
                .iter()
                .map(|name| fs::read(directory.join(name)).unwrap())
                .collect::<Vec<_>>()
        })
    };
    let expected = bytes_by(1);
    assert_eq!(expected[0].len(), 3);
    for threads in [2, 3, 4, 64] {
        assert!(bytes_by(threads) == expected, "{threads} threads");
    }
}

#[test]
fn a_table_without_rows_has_a_file_with_its_columns_and_what_it_is() {
    let root = tempfile::tempdir().unwrap();
    let redacted = Secrets {
        payload: true,
        destinations: true,
    };
    let set = DataSet::new(
        root.path(),
        "x",
        PayloadDetail::Full,
        redacted,
        NonZeroUsize::MIN,
    )
    .unwrap();
    set.finish().unwrap();
    for kind in TableKind::ALL {
        let path = directory(root.path(), kind, "x").join("part-00000.parquet");
        let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
        assert_eq!(
            reader.metadata().file_metadata().schema(),
            kind.schema().as_ref()
        );
        let said = reader.metadata().file_metadata().key_value_metadata();
        let said: Vec<(&str, &str)> = said
            .unwrap()
            .iter()
            .map(|one| (&*one.key, one.value.as_deref().unwrap()))
            .collect();
        assert_eq!(
            said,
            [
                ("schema", "ministream.dump/1"),
                ("tool_version", env!("CARGO_PKG_VERSION")),
                ("redacted", r#"["payload","dest"]"#),
            ]
        );
    }
}

#[test]
fn nothing_looks_like_data_until_all_of_it_is_whole() {
    let root = tempfile::tempdir().unwrap();
    let bounds = Bounds {
        rows: 1,
        bytes: usize::MAX,
        row_groups: 1,
    };
    let set = filled(root.path(), bounds);
    for kind in TableKind::ALL {
        for name in files(root.path(), kind) {
            assert!(
                name.starts_with("_part-") && name.ends_with(".partial"),
                "{name}"
            );
        }
    }
    assert_eq!(occupied_partition(root.path(), "x").unwrap(), None);
    drop(set);
    for kind in TableKind::ALL {
        assert!(files(root.path(), kind).is_empty());
    }
}

#[test]
fn what_was_there_stays_until_all_that_replaces_it_is_whole() {
    let root = tempfile::tempdir().unwrap();
    let small = Bounds {
        rows: 1,
        bytes: usize::MAX,
        row_groups: 1,
    };
    filled(root.path(), small).finish().unwrap();
    let occupied = occupied_partition(root.path(), "x").unwrap();
    assert_eq!(
        occupied,
        Some(root.path().join("messages").join("capture=x"))
    );
    assert_eq!(occupied_partition(root.path(), "y").unwrap(), None);

    drop(filled(root.path(), ONE_FILE));
    assert_eq!(files(root.path(), TableKind::Messages).len(), 3);
    filled(root.path(), ONE_FILE).finish().unwrap();
    for kind in TableKind::ALL {
        assert_eq!(files(root.path(), kind), ["part-00000.parquet"]);
    }
}

#[test]
fn an_error_names_the_file() {
    let root = tempfile::tempdir().unwrap();
    let set = filled(root.path(), ONE_FILE);
    let in_the_way = directory(root.path(), TableKind::Messages, "x").join("part-00000.parquet");
    fs::create_dir(&in_the_way).unwrap();
    let error = set.finish().unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("{}: ", in_the_way.display())),
        "{error}"
    );
}

/// The rows that a reader gets of row groups of `columns`, each of which one of `groups` fills.
fn written(columns: &str, groups: &[&dyn Fn(&mut Table)]) -> Vec<Row> {
    let schema = Arc::new(parse_message_type(&format!("message x {{ {columns} }}")).unwrap());
    let mut table = Table::new(&schema);
    let mut file = tempfile::tempfile().unwrap();
    let properties = properties(Secrets::NONE);
    let writer = SerializedFileWriter::new(&mut file, schema.clone(), properties.clone());
    let mut writer = writer.unwrap();
    let encoders = Encoders::new(NonZeroUsize::MIN).unwrap();
    let mut empty = empty_columns(&schema);
    for fill in groups {
        fill(&mut table);
        let group = encoders.start(table.replace_columns(empty), &properties);
        empty = group.write(&mut writer).unwrap();
    }
    writer.close().unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(Result::unwrap).collect()
}

/// The texts that a reader gets of cells: texts, or null.
fn read_back(cells: &[Option<String>]) -> Vec<Option<String>> {
    let columns = "optional binary src (STRING); required binary dst (STRING);";
    let fill = |table: &mut Table| {
        for cell in cells {
            table.put("src", cell.as_deref().map(Value::Text).into());
            table.text("dst", |out| put(out, cell.as_deref().unwrap_or_default()));
            table.end_row();
        }
    };
    let rows = written(columns, &[&fill]).into_iter();
    rows.zip(cells)
        .map(|(row, cell)| {
            assert_eq!(
                row.get_string(1).unwrap(),
                cell.as_deref().unwrap_or_default()
            );
            row.get_string(0).ok().cloned()
        })
        .collect()
}

/// Numbers that look like chance, the same in each run.
fn chance() -> impl FnMut(u64) -> u64 {
    let mut state = 1_u64;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    }
}

#[test]
fn texts_made_of_keys_are_read_back_also_where_keys_push_one_another_out() {
    for distinct in [1, 3, 255, 5_000] {
        let mut chance = chance();
        let numbers: Vec<u64> = (0..20_000).map(|_| chance(distinct)).collect();
        let address = |number: &u64| -> SocketAddr {
            match number % 3 {
                0 => format!("10.0.{}.{}:9", number / 256, number % 256).parse(),
                1 => format!("[fd00::{number}]:{number}").parse(),
                _ => format!("[fe80::1%{number}]:9").parse(),
            }
            .unwrap()
        };
        let word = |number: &u64| ["", "c1", "syn", "c2"][(number % 4) as usize];
        let fill = |numbers: &[u64], table: &mut Table| {
            for number in numbers {
                let to = address(number);
                table.made_of("dst", to, |out| put_display(out, to));
                // Whether it is made of a key or a text must not matter.
                let id = ConversationId(*number);
                match number % 2 {
                    0 => table.made_of("conv", id, |out| put_display(out, id)),
                    _ => table.word("conv", word(number)),
                }
                table.end_row();
            }
        };
        let columns = "required binary dst (STRING); required binary conv (STRING);";
        let (first, second) = numbers.split_at(7_001);
        let groups: [&dyn Fn(&mut Table); 2] =
            [&|table| fill(first, table), &|table| fill(second, table)];
        let rows = written(columns, &groups);
        assert_eq!(rows.len(), numbers.len());
        for (row, number) in rows.iter().zip(&numbers) {
            assert_eq!(row.get_string(0).unwrap(), &address(number).to_string());
            let conv = match number % 2 {
                0 => ConversationId(*number).to_string(),
                _ => word(number).to_owned(),
            };
            assert_eq!(row.get_string(1).unwrap(), &conv);
        }
    }
}

#[test]
fn numbers_are_read_back_however_far_they_are_from_one_another() {
    const FAR: [i64; 4] = [i64::MIN, i64::MAX, -1, 0];
    for count in (0..=5).chain([31, 32, 33, 127, 128, 129, 130, 257, 5_000]) {
        for bits in [0, 1, 7, 8, 31, 32, 33, 40, 62, 64] {
            for every in [0, 1, 3] {
                let mut chance = chance();
                let cells: Vec<Option<i64>> = (0..count)
                    .map(|n| {
                        let number = match bits {
                            64 => FAR[chance(4) as usize],
                            bits => i64::try_from(chance(u64::MAX) % (1 << bits)).unwrap() - 3,
                        };
                        (every == 0 || n % every != 0).then_some(number)
                    })
                    .collect();
                let fill = |table: &mut Table| {
                    for (n, &cell) in (0..).zip(&cells) {
                        table.put("sent_n", cell.map(Value::Number).into());
                        table.integer("n", cell.unwrap_or(n));
                        table.end_row();
                    }
                };
                let columns = "optional int64 sent_n; required int64 n;";
                let rows = written(columns, &[&fill]);
                let read = rows.iter().map(|row| row.get_long(0).ok());
                assert!(read.eq(cells.iter().copied()), "{count} of {bits} bits");
                let read = rows.iter().map(|row| row.get_long(1).unwrap());
                let all = (0..).zip(&cells).map(|(n, cell)| cell.unwrap_or(n));
                assert!(read.eq(all), "{count} of {bits} bits");
            }
        }
    }
}

#[test]
fn payloads_and_previews_are_read_back_from_pages_of_any_kind() {
    // Every how many rows one has no payload, and bytes that compress and do not.
    for (every, letters) in [(0, 256), (1, 256), (3, 256), (2, 2), (5, 100)] {
        let mut chance = chance();
        let payloads: Vec<Option<Vec<u8>>> = (0..3_001)
            .map(|n| {
                let length = chance(3_000) * chance(2);
                let bytes = (0..length).map(|_| chance(letters) as u8);
                (every == 0 || n % every != 1).then(|| bytes.collect())
            })
            .collect();
        let put_bytes = |table: &mut Table, name, bytes: Option<&[u8]>| match bytes {
            Some(bytes) => table.text(name, |out| out.extend_from_slice(bytes)),
            None => table.null(name),
        };
        let fill = |payloads: &[Option<Vec<u8>>], table: &mut Table| {
            for payload in payloads {
                let start = payload.as_deref().map(preview_source);
                put_bytes(table, "payload", payload.as_deref());
                put_bytes(table, "payload_text", start);
                table.end_row();
            }
        };
        let columns = "optional binary payload; optional binary payload_text (STRING);";
        let (first, second) = payloads.split_at(1_000);
        let groups: [&dyn Fn(&mut Table); 2] =
            [&|table| fill(first, table), &|table| fill(second, table)];
        let rows = written(columns, &groups);
        assert_eq!(rows.len(), payloads.len());
        for (row, payload) in rows.iter().zip(&payloads) {
            let bytes = row.get_bytes(0).ok().map(|bytes| bytes.data().to_vec());
            assert_eq!(&bytes, payload);
            let text = payload.as_ref().map(|payload| {
                let mut text = Vec::new();
                put_preview(&mut text, payload);
                String::from_utf8(text).unwrap()
            });
            assert_eq!(row.get_string(1).ok(), text.as_ref());
        }
    }
}

#[test]
fn texts_are_read_back_however_many_differ_and_wherever_one_is_missing() {
    for count in (0..=17).chain([129, 1_000]) {
        for distinct in [1, 2, 3, 5, 9, 17, 257] {
            for (every, at) in [(0, 0), (1, 0), (7, 2)] {
                let cells: Vec<Option<String>> = (0..count)
                    .map(|n| {
                        let is_missing = every != 0 && n % every == at;
                        (!is_missing).then(|| "w".repeat(n % 3) + &(n * 7 % distinct).to_string())
                    })
                    .collect();
                assert!(
                    read_back(&cells) == cells,
                    "{count} cells, {distinct} differ, every {every} missing"
                );
            }
        }
    }
}

#[test]
fn a_column_tells_its_least_and_greatest_text_unless_they_are_long() {
    let mut words = words::Words::default();
    for text in ["m", "b", &"z".repeat(65), "b"] {
        words.push(|out| put(out, text));
    }
    let told = words.statistics(2);
    assert_eq!(told.min_bytes_opt(), Some(&b"b"[..]));
    assert_eq!(told.max_bytes_opt(), None);
    assert_eq!(told.null_count_opt(), Some(2));
}
