//! When messages go.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::units::LONGEST_TIME;

/// A server that answers at once, whatever the recording says.
fn prompt() -> impl FnMut(&Message) -> Replies {
    server(|_| then_close(b"answer"))
}

/// `count` one-message conversations, one each second.
fn each_second(count: i64) -> Recording {
    let messages: Vec<Vec<(i64, u8, &[u8])>> = (0..count)
        .map(|number| {
            vec![
                (number * 1_000, SYN, &b"d"[..]),
                (number * 1_000 + 1, SERVER_CLOSE, b""),
            ]
        })
        .collect();
    let slices: Vec<&[(i64, u8, &[u8])]> = messages.iter().map(|messages| &**messages).collect();
    recording(&slices)
}

fn refusing(message: &Message) -> Replies {
    vec![now(frame(SERVER_CLOSE, message.id.0, b""))]
}

fn sent_at<P>(rig: &Rig<P>) -> Vec<u128> {
    rig.sent.iter().map(|(at, _)| *at).collect()
}

#[test]
fn messages_go_when_they_went_in_the_recording() {
    let mut rig = Rig::new(&exchange(), PlayOptions::default(), prompt());
    rig.run();
    assert_eq!(sent_at(&rig), [0, 10]);
    assert_eq!(rig.player.stats().send_lag().unwrap().max, 0);
}

#[test]
fn a_minute_of_recording_takes_a_minute_divided_by_the_speed() {
    for (speed, last) in [(1.0, 60_000), (10.0, 6_000), (0.5, 120_000), (2.0, 30_000)] {
        let options = PlayOptions {
            pace: Pace::Recorded { speed },
            ..PlayOptions::default()
        };
        let mut rig = Rig::new(&each_second(61), options, refusing);
        rig.run();
        assert_eq!(rig.results(), [ReplayResult::Same; 61]);
        let at = sent_at(&rig);
        assert!(
            at.last().unwrap().abs_diff(last) <= 1,
            "speed {speed}: {at:?}"
        );
        assert!(at[30].abs_diff(last / 2) <= 1, "speed {speed}: {at:?}");
    }
}

#[test]
fn a_long_gap_is_cut_and_told() {
    let recorded = recording(&[
        &[(0, SYN, b"d"), (1, SERVER_CLOSE, b"")],
        &[(60_001, SYN, b"d"), (60_002, SERVER_CLOSE, b"")],
        &[(60_502, SYN, b"d"), (60_503, SERVER_CLOSE, b"")],
    ]);
    let options = PlayOptions::default();
    let plan = Plan::new(&recorded, &options).unwrap();
    let cut = plan.gaps_cut();
    assert_eq!((cut.count, cut.total), (1, Duration::from_secs(50)));
    let mut rig = Rig::new(&recorded, options, refusing);
    rig.run();
    assert_eq!(sent_at(&rig), [0, 10_001, 10_502]);
}

#[test]
fn a_peer_that_took_its_time_to_refuse_is_granted_it_again() {
    // The reference refuses after 5 s what nobody accepts: as long as we wait by default.
    let recorded = recording(&[&[(0, SYN, b"d"), (5_010, SERVER_CLOSE, b"")]]);
    for (after, expected) in [
        (1, ReplayResult::Same),
        (5_010, ReplayResult::Same),
        (10_000, ReplayResult::Same),
        (10_020, ReplayResult::NoReply),
    ] {
        let slow =
            move |message: &Message| vec![(millis(after), frame(SERVER_CLOSE, message.id.0, b""))];
        let mut rig = Rig::new(&recorded, PlayOptions::default(), slow);
        rig.run();
        assert_eq!(rig.results(), [expected], "refused after {after} ms");
        let recorded = rig.only_outcome().recorded_handshake;
        assert_eq!(recorded, Some(millis(5_010)));
    }
}

#[test]
fn a_rate_is_held_over_a_minute() {
    for per_second in [1.0, 100.0, 900.0] {
        let options = PlayOptions {
            pace: Pace::Rate { per_second },
            load: Load {
                loops: Loops::Forever,
                duration: Some(Duration::from_secs(60)),
                concurrency: 16.try_into().unwrap(),
                ..Load::default()
            },
            ..PlayOptions::default()
        };
        let mut rig = Rig::new(&exchange(), options, prompt());
        rig.run();
        let sent = rig.player.stats().sent_messages as f64;
        let expected = per_second * 60.0;
        assert!(
            (sent - expected).abs() <= expected * 0.01 + 33.0,
            "{sent} of {expected} messages"
        );
        // The first hundred are even, too.
        let at = sent_at(&rig);
        let first: Vec<u128> = at.iter().take(20).copied().collect();
        for (index, at) in first.iter().enumerate() {
            let due = (index as f64 * 1_000.0 / per_second) as u128;
            assert!(
                at.abs_diff(due) <= 1,
                "message {index} at {at} ms, not {due}"
            );
        }
    }
}

#[test]
fn a_pace_slower_than_any_clock_sends_all_but_the_first_message_in_a_hundred_years() {
    let paces = [
        Pace::Recorded { speed: 1e-300 },
        Pace::Recorded {
            speed: f64::MIN_POSITIVE,
        },
        Pace::Rate { per_second: 1e-300 },
        Pace::Rate {
            per_second: f64::from_bits(1),
        },
    ];
    for pace in paces {
        let options = PlayOptions {
            pace,
            max_gap: Duration::MAX,
            timeouts: Timeouts {
                overall: 10 * LONGEST_TIME,
                ..Timeouts::default()
            },
            ..PlayOptions::default()
        };
        let plan = Plan::new(&each_second(5), &options).unwrap();
        assert!(plan.duration() >= LONGEST_TIME, "{pace:?}");
        let mut rig = Rig::new(&each_second(5), options, refusing);
        rig.run();
        let at = sent_at(&rig);
        assert_eq!((at.len(), at[0]), (5, 0), "{pace:?}");
        assert!(at[1] >= LONGEST_TIME.as_millis(), "{pace:?}: {at:?}");
    }
}

#[test]
fn a_message_waits_for_the_ids_that_it_needs_and_no_longer() {
    let mut inner = prompt();
    let slow = move |message: &Message| {
        let mut replies = inner(message);
        for reply in &mut replies {
            reply.0 = millis(300);
        }
        replies
    };
    let mut rig = Rig::new(&exchange(), PlayOptions::default(), slow);
    rig.run();
    assert_eq!(sent_at(&rig), [0, 300]);
    assert_eq!(
        rig.player.stats().send_lag().unwrap().max,
        0,
        "the wait for the peer is not ours"
    );
    assert_eq!(rig.results(), [ReplayResult::Same]);
}

#[test]
fn in_order_of_replies_a_message_also_waits_for_bytes_in_any_pieces() {
    let dialogue = recording(&[&[
        (0, SYN, b"d"),
        (1, ACK, b""),
        (10, SEND, b"one"),
        (20, ANSWER, b"1st"),
        (30, SEND, b"two"),
        (40, ANSWER, b"2nd"),
        (50, CLIENT_CLOSE, b""),
    ]]);
    for (order, second_at) in [(Order::Ids, 30), (Order::Replies, 212)] {
        let mut inner = server(|request| {
            let answer = if request == b"one" { b"1st" } else { b"2nd" };
            answer.iter().map(|byte| vec![*byte]).collect()
        });
        let slow = move |message: &Message| {
            let mut replies = inner(message);
            if message.frame_type.0 == SEND {
                for (index, reply) in (0..).zip(&mut replies) {
                    reply.0 = millis(200 + index);
                }
            }
            replies
        };
        let options = PlayOptions {
            order,
            ..PlayOptions::default()
        };
        let mut rig = Rig::new(&dialogue, options, slow);
        rig.run();
        assert_eq!(sent_at(&rig)[2], second_at, "{order:?}");
        assert_eq!(rig.results(), [ReplayResult::Same], "{order:?}");
    }
}

#[test]
fn a_close_never_cuts_off_an_answer_that_is_owed() {
    let mut inner = server(|_| vec![b"answer".to_vec()]);
    let slow = move |message: &Message| {
        let mut replies = inner(message);
        if message.frame_type.0 == SEND {
            replies[0].0 = millis(1_000);
        }
        replies
    };
    let mut rig = Rig::new(&client_closes(), PlayOptions::default(), slow);
    rig.run();
    assert_eq!(sent_at(&rig), [0, 10, 1_010]);
    assert_eq!(rig.results(), [ReplayResult::Same]);
}

#[test]
fn a_blocked_link_holds_everything_and_the_lag_shows_it() {
    let mut rig = Rig::new(&exchange(), PlayOptions::default(), prompt());
    assert_eq!(rig.run_until(|rig| rig.sent.len() == 1), None);
    rig.player.handle_blocked();
    rig.now += millis(500);
    assert!(matches!(
        rig.player.poll_output(rig.now),
        PlayerOutput::Timeout(_) | PlayerOutput::Idle
    ));
    while let Some(first) = rig.under_way.first_entry() {
        let message = first.remove();
        rig.player.handle_message(rig.now, &message);
    }
    rig.now += millis(250);
    rig.player.handle_ready();
    rig.run();
    assert_eq!(sent_at(&rig), [0, 750]);
    assert_eq!(rig.results(), [ReplayResult::Same]);
}

#[test]
fn the_start_is_delayed_as_asked() {
    let options = PlayOptions {
        start_delay: Duration::from_secs(3),
        ..PlayOptions::default()
    };
    let mut rig = Rig::new(&exchange(), options, prompt());
    rig.run();
    assert_eq!(sent_at(&rig), [3_000, 3_010]);
}

#[test]
fn the_schedule_tells_times_and_substitutions() {
    let options = PlayOptions::default();
    let plan = Plan::new(&client_closes(), &options).unwrap();
    let schedule: Vec<_> = plan
        .schedule()
        .into_iter()
        .map(|message| {
            (
                message.offset,
                message.recorded_id.to_u32(),
                message.substitution,
            )
        })
        .collect();
    assert_eq!(
        schedule,
        [
            (millis(0), 0x101, Substitution::FreshClientId),
            (millis(10), 0x201, Substitution::LearntServerId),
            (millis(30), 0x201, Substitution::LearntServerId),
        ]
    );
    assert_eq!(plan.duration(), millis(30));
}

#[test]
fn the_schedule_of_a_rate_tells_when_messages_go_at_that_rate() {
    let options = PlayOptions {
        pace: Pace::Rate { per_second: 10.0 },
        ..PlayOptions::default()
    };
    let plan = Plan::new(&client_closes(), &options).unwrap();
    let offsets: Vec<_> = plan
        .schedule()
        .iter()
        .map(|message| message.offset)
        .collect();
    assert_eq!(offsets, [millis(0), millis(100), millis(200)]);
    assert_eq!(plan.duration(), millis(200));
}

#[test]
fn an_answer_that_is_heard_before_the_time_is_judged_is_not_missing_however_late_it_is() {
    let answers: Rc<RefCell<Vec<Bytes>>> = Rc::default();
    let kept = Rc::clone(&answers);
    let mut server = prompt();
    let mut rig = Rig::new(&exchange(), top_speed(), move |message: &Message| {
        let replies = server(message);
        match message.frame_type.0 {
            SYN => replies,
            // It lies in the socket buffer of a player that stands still.
            _ => {
                let mut kept = kept.borrow_mut();
                kept.extend(replies.into_iter().map(|(_, bytes)| Bytes::from(bytes)));
                Vec::new()
            }
        }
    });
    assert_eq!(rig.run_until(|_| !answers.borrow().is_empty()), None);
    rig.now += millis(7_000);
    for answer in answers.take() {
        rig.player.handle_message(rig.now, &answer);
    }
    rig.run();
    assert_eq!(rig.results(), [ReplayResult::Same]);
}
