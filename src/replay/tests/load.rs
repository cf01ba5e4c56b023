//! Copies, passes and their limits.

use super::*;

fn load(load: Load) -> PlayOptions {
    PlayOptions {
        load,
        ..PlayOptions::default()
    }
}

fn prompt() -> impl FnMut(&Message) -> Replies {
    server(|_| then_close(b"answer"))
}

#[test]
fn passes_follow_each_other_after_their_gap() {
    let options = load(Load {
        loops: Loops::Times(3),
        loop_gap: millis(100),
        ..Load::default()
    });
    let mut rig = Rig::new(&exchange(), options, prompt());
    rig.run();
    let at: Vec<u128> = rig.sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [0, 10, 110, 120, 220, 230]);
    let passes: Vec<(u32, u64)> = rig.outcomes.iter().map(|o| (o.copy, o.pass)).collect();
    assert_eq!(passes, [(1, 1), (1, 2), (1, 3)]);
}

#[test]
fn copies_are_staggered() {
    let options = load(Load {
        concurrency: 4.try_into().unwrap(),
        stagger: millis(5),
        ..Load::default()
    });
    let mut rig = Rig::new(&exchange(), options, prompt());
    rig.run();
    let syns: Vec<u128> = rig
        .sent
        .iter()
        .filter(|(_, bytes)| bytes[0] == SYN)
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(syns, [0, 5, 10, 15]);
    assert_eq!(rig.results(), [ReplayResult::Same; 4]);
}

#[test]
fn nothing_begins_after_the_duration_but_what_began_is_finished() {
    let options = load(Load {
        loops: Loops::Forever,
        duration: Some(millis(25)),
        ..Load::default()
    });
    let mut rig = Rig::new(&exchange(), options, prompt());
    assert_eq!(rig.run(), PlayEnd::Complete);
    let at: Vec<u128> = rig.sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [0, 10, 10, 20, 20, 30]);
    assert_eq!(rig.results(), [ReplayResult::Same; 3]);
}

#[test]
fn no_more_are_open_at_top_speed_than_in_the_recording() {
    let conversation = |start: i64| -> Vec<(i64, u8, &'static [u8])> {
        vec![
            (start, SYN, b"d"),
            (start + 1, ACK, b""),
            (start + 2, SEND, b"request"),
            (start + 3, ANSWER, b"answer"),
            (start + 15, SERVER_CLOSE, b""),
        ]
    };
    // At 10 ms the first two overlap, and so on: two at once.
    let messages: Vec<_> = (0..50).map(|number| conversation(number * 10)).collect();
    let slices: Vec<&[(i64, u8, &[u8])]> = messages.iter().map(|messages| &**messages).collect();
    let mut inner = prompt();
    let mut open = 0_i32;
    let mut peak = 0;
    let peer = |message: &Message| {
        match message.frame_type.0 {
            SYN => open += 1,
            _ => open -= 1,
        }
        peak = peak.max(open);
        let mut replies = inner(message);
        for reply in &mut replies {
            reply.0 = millis(1);
        }
        replies
    };
    let mut rig = Rig::new(&recording(&slices), top_speed(), peer);
    rig.run();
    assert_eq!(rig.results(), [ReplayResult::Same; 50]);
    drop(rig);
    assert_eq!(peak, 2);
}

#[test]
fn the_same_seed_plays_the_same_bytes() {
    let play = || {
        let options = load(Load {
            concurrency: 50.try_into().unwrap(),
            ..Load::default()
        });
        let mut rig = Rig::new(&exchange(), options, prompt());
        rig.run();
        rig.sent
    };
    assert_eq!(play(), play());
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let plan = |options| Plan::new(&exchange(), &options).map(|_| ());
    assert_eq!(
        plan(PlayOptions {
            ids: IdPolicy::Recorded,
            ..load(Load {
                concurrency: 2.try_into().unwrap(),
                ..Load::default()
            })
        }),
        Err(PlanError::RecordedIdsCollide { concurrency: 2 })
    );
    assert_eq!(
        plan(PlayOptions {
            order: Order::None,
            ..PlayOptions::default()
        }),
        Err(PlanError::OrderNone)
    );
    for speed in [0.0, -1.0, f64::INFINITY] {
        assert_eq!(
            plan(PlayOptions {
                pace: Pace::Recorded { speed },
                ..PlayOptions::default()
            }),
            Err(PlanError::BadPace(speed))
        );
    }
    assert_eq!(
        Plan::new(&Recording::default(), &PlayOptions::default()).map(|_| ()),
        Err(PlanError::Nothing)
    );
}
