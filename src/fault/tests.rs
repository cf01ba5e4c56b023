use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::*;
use crate::wire::Direction;

/// Messages that came out: number, bytes, and time.
type Arrivals = Vec<(usize, Vec<u8>, Duration)>;

fn message(number: usize) -> Vec<u8> {
    let mut bytes = vec![0xa0, 0, 0, 1];
    bytes.extend(u32::try_from(number).unwrap().to_be_bytes());
    bytes.extend([0x55; 2]);
    bytes
}

fn number(bytes: &[u8]) -> usize {
    let digits = bytes[4..8].try_into().unwrap();
    u32::from_be_bytes(digits).try_into().unwrap()
}

/// Sends numbered messages of ten bytes a millisecond apart.
fn through(spec: &str, count: usize) -> (Arrivals, FaultStats, bool) {
    let start = Instant::now();
    let mut engine = Engine::new(spec.parse().unwrap(), [7; 32], 0, start);
    let mut out = Vec::new();
    let mut broke = false;
    for step in 0.. {
        let now = start + Duration::from_millis(step as u64);
        if step < count {
            engine.submit(now, (), message(step));
        }
        while let Some(delivery) = engine.poll(now) {
            match delivery {
                LaneEvent::Arrives((), bytes) => out.push((number(&bytes), bytes, now - start)),
                LaneEvent::Breaks(()) => broke = true,
            }
        }
        if step >= count && engine.is_idle() {
            break;
        }
    }
    assert_eq!(engine.next_due(), None, "everything came out");
    assert!(engine.has_room() && !engine.is_full());
    (out, engine.stats().clone(), broke)
}

fn numbers(arrivals: &Arrivals) -> Vec<usize> {
    arrivals.iter().map(|(number, ..)| *number).collect()
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn latency_delays_within_its_bounds_and_keeps_the_order() {
    let (out, stats, _) = through("latency=50ms±10ms", 500);
    assert_eq!(numbers(&out), (0..500).collect::<Vec<_>>());
    for (number, _, at) in out {
        let late = at - ms(number as u64);
        // The order can hold a message back by what its forerunner was late.
        assert!((ms(40)..=ms(61)).contains(&late), "{number}: {late:?}");
    }
    let effect = stats.effect(FaultKind::Latency);
    assert_eq!(effect.count, 500);
    let mean = effect.delay / 500;
    assert!((ms(48)..=ms(52)).contains(&mean), "{mean:?}");
}

#[test]
fn shares_are_met_about_and_counted_exactly() {
    let lost = 10_000 - through("loss=10%", 10_000).0.len();
    assert!((900..1_100).contains(&lost), "{lost}");
    let (out, stats, _) = through("dup=10%", 10_000);
    let doubled = out.len() - 10_000;
    assert!((900..1_100).contains(&doubled), "{doubled}");
    assert_eq!(stats.effect(FaultKind::Duplicates).count, doubled as u64);
    let (out, stats, _) = through("corrupt=10%", 10_000);
    let sent: Vec<Vec<u8>> = (0..10_000).map(message).collect();
    let damaged = out
        .iter()
        .zip(&sent)
        .filter(|((_, got, _), sent)| got != *sent)
        .count();
    assert!((900..1_100).contains(&damaged), "{damaged}");
    assert_eq!(stats.effect(FaultKind::Corrupted).count, damaged as u64);
    for ((_, got, _), sent) in out.iter().zip(&sent) {
        let changed = got.iter().zip(sent).filter(|(a, b)| a != b).count();
        assert!(changed <= 1 && got.len() == sent.len());
    }
    let (out, stats, _) = through("loss=100%", 100);
    assert!(out.is_empty());
    assert_eq!(stats.effect(FaultKind::Loss).count, 100);
    assert_eq!((stats.messages, stats.bytes), (100, 1_000));
}

#[test]
fn damage_meets_every_byte_and_changes_it_in_every_way() {
    let (out, ..) = through("corrupt=100%", 10_000);
    let (mut places, mut masks) = (BTreeSet::new(), BTreeSet::new());
    for ((_, got, _), sent) in out.iter().zip((0..).map(message)) {
        let changed = (0..sent.len()).filter(|place| got[*place] != sent[*place]);
        for place in changed {
            places.insert(place);
            masks.insert(got[place] ^ sent[place]);
        }
    }
    assert_eq!(places, (0..10).collect());
    assert_eq!(masks, (1..=u8::MAX).collect());
}

#[test]
fn what_a_message_met_takes_the_memory_of_each_fault() {
    let mut applied = AppliedFaults::default();
    assert_eq!(applied.held_bytes(), 0);
    for count in 1..100 {
        applied.note(FaultKind::Latency, ms(1));
        let least = count * size_of::<(FaultKind, Duration)>();
        // Room for the first four, then for twice as many.
        assert!((least..=4 * least).contains(&applied.held_bytes()));
    }
}

#[test]
fn when_all_is_forgotten_nothing_is_under_way_and_connections_begin_anew() {
    let now = Instant::now();
    let spec = "latency=1s,cut-after=20B".parse().unwrap();
    let mut engine = Engine::new(spec, [7; 32], 0, now);
    for number in 0..3 {
        engine.submit(now, (), message(number));
    }
    engine.forget_all();
    assert_eq!((engine.is_idle(), engine.held_bytes()), (true, 0));
    engine.submit(now, (), message(3));
    let arrives = Some(LaneEvent::Arrives((), message(3)));
    assert_eq!(engine.poll(now + ms(1_000)), arrives);
}

#[test]
fn a_reordered_message_comes_right_behind_the_next() {
    let (out, stats, _) = through("reorder=10%", 10_000);
    let mut all = numbers(&out);
    let overtaken = all.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!((800..1_000).contains(&overtaken), "{overtaken}");
    let counted = stats.effect(FaultKind::Reordered).count;
    assert!(counted >= overtaken as u64);
    all.sort_unstable();
    assert_eq!(all, (0..10_000).collect::<Vec<_>>(), "none is lost");
    // Without a next one it comes all the same.
    let (out, ..) = through("reorder=100%", 1);
    assert_eq!(out[0].2, ms(20));
}

#[test]
fn a_rate_is_kept() {
    // Ten bytes a millisecond come in, one goes out.
    let (out, stats, _) = through("rate=1000B/s", 100);
    assert_eq!(out.len(), 100);
    assert_eq!(out[99].2, ms(1_000));
    assert!(stats.effect(FaultKind::Rate).count > 90);
}

#[test]
fn a_stall_holds_everything_once_for_its_time() {
    let (out, stats, _) = through("stall=200ms@30B", 10);
    let times: Vec<u128> = out.iter().map(|(.., at)| at.as_millis()).collect();
    assert_eq!(times, [0, 1, 2, 203, 203, 203, 203, 203, 203, 203]);
    assert_eq!(stats.effect(FaultKind::Stall).count, 1);
    assert_eq!(stats.effect(FaultKind::Stall).delay, ms(200));
}

#[test]
fn a_black_hole_swallows_what_comes_in_its_time() {
    let (out, stats, _) = through("blackhole=3ms..6ms", 10);
    assert_eq!(numbers(&out), [0, 1, 2, 6, 7, 8, 9]);
    assert_eq!(stats.effect(FaultKind::BlackHole).count, 3);
}

#[test]
fn messages_that_are_merged_come_together() {
    let (out, ..) = through("merge=30B", 7);
    let times: Vec<u128> = out.iter().map(|(.., at)| at.as_millis()).collect();
    // The last waits for company in vain.
    assert_eq!(times, [2, 2, 2, 5, 5, 5, 26]);
    assert_eq!(numbers(&out), [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn the_connection_breaks_after_its_bytes() {
    for (cut, arrived) in [(0, 0), (9, 0), (10, 1), (95, 9), (100, 10), (1_000, 100)] {
        let (out, stats, broke) = through(&format!("latency=5ms,cut-after={cut}B"), 100);
        // Messages behind a break are of a new connection.
        let first = numbers(&out)
            .windows(2)
            .take_while(|pair| pair[1] == pair[0] + 1)
            .count();
        assert!(
            out.is_empty() && arrived == 0 || first + 1 >= arrived,
            "{cut}: {out:?}"
        );
        assert_eq!(broke, cut < 1_000);
        assert_eq!(stats.effect(FaultKind::CutAfter).count > 0, broke);
    }
}

#[test]
fn connections_do_not_share_their_fate() {
    let start = Instant::now();
    let spec = "cut-after=15B,latency=1ms".parse().unwrap();
    let mut engine = Engine::new(spec, [1; 32], 0, start);
    for (key, count) in [("a", 3), ("b", 1)] {
        for index in 0..count {
            engine.submit(start, key, message(index));
        }
    }
    let mut out = Vec::new();
    while let Some(delivery) = engine.poll(start + ms(1)) {
        out.push(match delivery {
            LaneEvent::Arrives(key, _) => (key, "arrives"),
            LaneEvent::Breaks(key) => (key, "breaks"),
        });
    }
    assert_eq!(out, [("a", "arrives"), ("a", "breaks"), ("b", "arrives")]);
}

#[test]
fn an_end_comes_behind_all_and_is_never_lost() {
    let start = Instant::now();
    for spec in [
        "loss=100%",
        "reorder=100%",
        "latency=50ms±50ms",
        "merge=1MiB",
        "dup=100%",
    ] {
        for seed in 0..50 {
            let mut engine = Engine::new(spec.parse().unwrap(), [seed; 32], 0, start);
            for index in 0..5 {
                engine.submit(start, (), message(index));
            }
            engine.submit_end(start, (), b"end!0000".to_vec());
            let mut last = None;
            let mut ends = 0;
            while let Some(LaneEvent::Arrives((), bytes)) = engine.poll(start + ms(1_000)) {
                ends += usize::from(bytes.starts_with(b"end!"));
                last = Some(bytes);
            }
            assert!(last.unwrap().starts_with(b"end!"), "{spec}");
            assert_eq!(ends, 1, "{spec}");
        }
    }
}

#[test]
fn what_nobody_wants_waits_and_does_not_hold_up_others() {
    let start = Instant::now();
    let mut engine = Engine::new("latency=1ms".parse().unwrap(), [1; 32], 0, start);
    engine.submit(start, "a", message(0));
    engine.submit(start, "b", message(1));
    let now = start + ms(1);
    let got = engine.poll_wanted(now, |key| *key == "b");
    assert_eq!(got, Some(LaneEvent::Arrives("b", message(1))));
    assert_eq!(engine.poll_wanted(now, |key| *key == "b"), None);
    assert_eq!(engine.next_due_after(now), None);
    assert_eq!(engine.next_due(), Some(now));
    assert_eq!(engine.poll(now), Some(LaneEvent::Arrives("a", message(0))));
}

#[test]
fn what_was_put_aside_comes_in_its_order_when_it_is_wanted_again() {
    let start = Instant::now();
    let mut engine = Engine::new("reorder=100%".parse().unwrap(), [1; 32], 0, start);
    // It waits for the next one, which comes only when it is overdue.
    engine.submit(start, "a", message(0));
    engine.set_spec("latency=1ms".parse().unwrap());
    for (number, key) in [(1, "b"), (2, "c"), (3, "b"), (4, "d")] {
        let at = start + ms(number as u64);
        engine.submit(at, key, message(number));
    }
    let now = start + ms(100);
    let got = engine.poll_wanted(now, |key| *key == "d");
    assert_eq!(got, Some(LaneEvent::Arrives("d", message(4))));
    assert_eq!(engine.poll_wanted(now, |_| false), None);
    assert!(!engine.is_idle());
    assert_eq!(engine.next_due(), Some(start + ms(2)));
    engine.submit(now - ms(1), "a", message(5));
    engine.submit(now, "b", message(6));
    engine.forget(&"c");
    let mut got = Vec::new();
    while let Some(LaneEvent::Arrives(key, bytes)) = engine.poll(now + ms(1)) {
        got.push((key, bytes));
    }
    let wanted = [("b", 1), ("b", 3), ("a", 5), ("a", 0), ("b", 6)];
    assert_eq!(got, wanted.map(|(key, number)| (key, message(number))));
    assert_eq!((engine.held_bytes(), engine.is_idle()), (0, true));
}

#[test]
fn what_was_put_aside_is_gone_with_its_connection() {
    let start = Instant::now();
    let mut engine = Engine::new("latency=1ms".parse().unwrap(), [1; 32], 0, start);
    for key in ["a", "b", "b", "b", "b"] {
        engine.submit(start, key, vec![0; 1_000]);
    }
    let held_bytes = engine.held_bytes();
    assert_eq!(engine.poll_wanted(start + ms(1), |_| false), None);
    assert_eq!(engine.held_bytes(), held_bytes);
    // Less than half of all.
    engine.forget(&"a");
    assert_eq!(engine.held_bytes(), held_bytes / 5 * 4);
    engine.forget_all();
    assert_eq!((engine.held_bytes(), engine.is_idle()), (0, true));
}

#[test]
fn a_full_engine_says_so_until_half_of_it_is_out() {
    const COUNT: usize = 509;
    let start = Instant::now();
    let mut engine = Engine::new("latency=1s".parse().unwrap(), [1; 32], 0, start);
    let mut count = 0;
    while !engine.is_full() {
        engine.submit(start, (), vec![0; 32_768]);
        count += 1;
    }
    assert_eq!(count, COUNT, "16 MiB with what each takes beside its bytes");
    while !engine.has_room() {
        engine.poll(start + ms(1_000)).unwrap();
        count -= 1;
    }
    assert_eq!(count, COUNT / 2);
    engine.forget(&());
    assert!(engine.is_idle());
}

#[test]
fn the_same_seed_does_the_same_and_another_does_not() {
    let spec = "latency=5ms±5ms,loss=20%,dup=20%,reorder=20%,corrupt=10%,merge=64B";
    assert_eq!(through(spec, 1_000), through(spec, 1_000));
    let start = Instant::now();
    let run = |seed: u8, stream| {
        let mut engine = Engine::new("loss=50%".parse().unwrap(), [seed; 32], stream, start);
        let mut passed = Vec::new();
        for index in 0..64 {
            engine.submit(start, (), message(index));
            passed.push(engine.poll(start).is_some());
        }
        passed
    };
    assert_eq!(run(1, 0), run(1, 0));
    assert_ne!(run(1, 0), run(2, 0));
    assert_ne!(run(1, 0), run(1, 1));
}

#[test]
fn every_fault_is_shown_as_it_is_read() {
    for text in [
        "latency=50ms±10ms, loss=1%, dup=0.5%, reorder=2%, corrupt=0.1%, slice=512B, \
         merge=8KiB, rate=1MiB/s, stall=2s@10KiB, cut-after=10KiB, blackhole=5s..8s",
        "latency=1500us",
        "latency=120s",
        "rate=1025B/s",
        "stall=1ms@0B",
        "loss=33.3%",
    ] {
        let spec: FaultSpec = text.parse().unwrap();
        assert_eq!(spec.to_string(), text);
    }
    assert_eq!(
        "latency=2m".parse::<FaultSpec>().unwrap().to_string(),
        "latency=120s"
    );
    assert_eq!(
        "latency=5ms+-1ms".parse(),
        "latency=5ms±1ms".parse::<Fault>()
    );
    for kind in FaultKind::ALL {
        let text = format!("{}={}", kind.name(), kind.example());
        let fault: Fault = text.parse().unwrap();
        assert_eq!(fault.kind(), kind);
        assert_eq!(fault.to_string(), text);
    }
}

#[test]
fn faults_are_read_whole_or_refused_with_a_reason() {
    for (text, error) in [
        ("loss=1", "loss=1: a share is 0% to 100%"),
        ("dup=101%", "dup=101%: a share is 0% to 100%"),
        ("corrupt=NaN%", "corrupt=NaN%: a share is 0% to 100%"),
        (
            "latency=5",
            "latency=5: a latency is a time, as in 50ms or 50ms±10ms",
        ),
        (
            "slice=1kB",
            "slice=1kB: a size is bytes above 0, as in 512B or 10KiB",
        ),
        (
            "slice=0B",
            "slice=0B: a size is bytes above 0, as in 512B or 10KiB",
        ),
        ("rate=0B/s", "rate=0B/s: a rate is as in 512KiB/s"),
        ("rate=1MiB", "rate=1MiB: a rate is as in 512KiB/s"),
        (
            "stall=2s",
            "stall=2s: a stall is a time and after how much, as in 2s@10KiB",
        ),
        (
            "blackhole=8s..5s",
            "blackhole=8s..5s: a black hole is from a time to a later one, as in 5s..8s",
        ),
        (
            "cut-after=10",
            "cut-after=10: a size is bytes, as in 512B or 10KiB",
        ),
        ("loss=1%,loss=2%", "loss is given twice"),
        // A text from a file may hold anything; a terminal is shown none of it as it is.
        (
            "rate=\u{1b}[2J",
            "rate=\\u{1b}[2J: a rate is as in 512KiB/s",
        ),
    ] {
        assert_eq!(text.parse::<FaultLines>().unwrap_err().to_string(), error);
    }
    assert_eq!(
        "up: loss=1%".parse::<FaultLines>().unwrap_err().to_string(),
        "`up` is no direction; there are c2s and s2c"
    );
    for text in ["", "loss", "slowness=1%", "loss=1%,", "c2s:", "loss=1%;"] {
        let error = text.parse::<FaultLines>().unwrap_err();
        assert!(matches!(error, FaultError::Unknown(_)), "{text}: {error}");
        assert!(error.to_string().contains("stall=2s@10KiB"));
    }
}

/// A few bytes that were the beginning of a large read.
fn slice_of_a_read() -> Bytes {
    let mut read = BytesMut::zeroed(64 * 1024);
    read.split_to(5).freeze()
}

#[test]
fn what_is_late_does_not_hold_the_reads_that_it_was_a_part_of() {
    for spec in [
        "latency=60s",
        "rate=1B/s",
        "stall=60s@0B",
        "reorder=100%",
        "merge=1MiB",
        "latency=60s,dup=100%",
    ] {
        let now = Instant::now();
        let mut engine = Engine::new(spec.parse().unwrap(), [1; 32], 0, now);
        for _ in 0..100 {
            let message = slice_of_a_read();
            engine.submit(now, (), message.clone());
            assert!(message.is_unique(), "{spec}: a slice of the read is kept");
        }
        let end = slice_of_a_read();
        engine.submit_end(now, (), end.clone());
        assert!(end.is_unique(), "{spec}: a slice of the read is kept");
    }
}

#[test]
fn what_passes_at_once_is_not_copied_unless_nobody_takes_it() {
    let start = Instant::now();
    let mut engine = Engine::new("dup=100%".parse().unwrap(), [1; 32], 0, start);
    let read = slice_of_a_read();
    engine.submit(start, (), read.clone());
    for _ in 0..2 {
        match engine.poll(start) {
            Some(LaneEvent::Arrives((), passed)) => assert_eq!(passed.as_ptr(), read.as_ptr()),
            other => panic!("{other:?}"),
        }
    }
    engine.submit(start, (), slice_of_a_read());
    let read = slice_of_a_read();
    engine.submit(start + ms(1), (), read.clone());
    assert!(read.is_unique(), "it waits behind another");
}

#[test]
fn a_message_counts_all_that_it_keeps() {
    /// An empty message in something large.
    #[derive(Clone, Debug)]
    struct Wrapped;

    impl Parcelled for Wrapped {
        fn bytes(&self) -> usize {
            0
        }

        fn held_bytes(&self) -> usize {
            60_000
        }

        fn own_memory(&mut self) {}

        fn damage(&mut self, _place: usize, _mask: u8) {}
    }

    let now = Instant::now();
    let spec = "latency=1s,dup=100%".parse().unwrap();
    let mut engine = Engine::new(spec, [1; 32], 0, now);
    for key in 0..2 {
        for _ in 0..50 {
            engine.submit(now, key, Wrapped);
        }
    }
    engine.submit_end(now, 0, Wrapped);
    assert!((12_060_000..12_120_000).contains(&engine.held_bytes()));
    // Less than half of all: it is still there, but does not arrive.
    engine.forget(&1);
    assert!((12_060_000..12_120_000).contains(&engine.held_bytes()));
    engine.submit(now, 1, Wrapped);
    let mut arrived = [0; 2];
    while let Some(event) = engine.poll(now + ms(1_000)) {
        assert!(matches!(event, LaneEvent::Arrives(..)));
        arrived[*event.key()] += 1;
    }
    assert_eq!(
        arrived,
        [101, 2],
        "what came before the connection was gone"
    );
    assert!(engine.is_idle());
    assert_eq!(engine.held_bytes(), 0);
    // More than half.
    for key in [0, 1, 1] {
        engine.submit(now, key, Wrapped);
    }
    engine.forget(&1);
    assert!((120_000..121_000).contains(&engine.held_bytes()));
    engine.forget(&0);
    assert!(engine.is_idle());
    assert_eq!(engine.held_bytes(), 0);
}

#[test]
fn lines_without_a_direction_are_about_what_is_sent() {
    let read = |texts: &[&str], sends: &[Direction]| {
        let lines: Vec<FaultLines> = texts.iter().map(|text| text.parse().unwrap()).collect();
        Faults::of(&lines, sends).to_string()
    };
    let (c2s, s2c) = (Direction::ClientToServer, Direction::ServerToClient);
    assert_eq!(read(&["loss=1%"], &[c2s]), "c2s: loss=1%");
    assert_eq!(read(&["loss=1%"], &[s2c]), "s2c: loss=1%");
    assert_eq!(
        read(&["loss=1%"], &[c2s, s2c]),
        "c2s: loss=1%; s2c: loss=1%"
    );
    assert_eq!(
        read(&["s2c: loss=1%", "dup=2%"], &[c2s]),
        "c2s: dup=2%; s2c: loss=1%"
    );
    assert_eq!(
        read(&["c2s: loss=1%; s2c: dup=1%", "c2s:loss=2%,dup=3%"], &[]),
        "c2s: loss=2%, dup=3%; s2c: dup=1%"
    );
    assert_eq!(read(&[], &[c2s]), "");
}
