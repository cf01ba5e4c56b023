//! `--fault` on what plays a peer.

use std::time::{Duration, Instant};

use crate::process::{ALL_SAME, SAMPLES, Server, code, conclusion, reason, run, stderr, stdout};

#[test]
fn every_command_with_a_carrier_takes_faults_and_refuses_bad_ones_before_it_begins() {
    for command in [
        "replay captures/spec-samples.pcap --carrier tcp://127.0.0.1:1",
        "mock captures/spec-samples.pcap --carrier tcp://127.0.0.1:0",
        "inject --carrier tcp://127.0.0.1:1 ping",
        "conform server --carrier tcp://127.0.0.1:1",
        "client --carrier tcp://127.0.0.1:1 --listen 127.0.0.1:0",
        "server --carrier tcp://127.0.0.1:0 --target 127.0.0.1:1",
    ] {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.extend(["--fault", "loss=101%"]);
        let output = run(&arguments);
        assert_eq!(
            reason(&output),
            "invalid value 'loss=101%' for '--fault <FAULTS>': loss=101%: a share is 0% to 100%",
            "{command}"
        );
    }
}

/// What `replay` says with these faults, and what `mock` does with those.
fn played(at_mock: &[&str], at_replay: &[&str]) -> (i32, String, Duration) {
    let mock = [SAMPLES, "--carrier", "tcp://127.0.0.1:0", "--topspeed"];
    let mock = Server::quiet("mock", &[&mock[..], at_mock].concat());
    let began = Instant::now();
    let replay = ["replay", SAMPLES, "--topspeed", "--carrier", &mock.carrier];
    let times = ["--handshake-timeout", "700ms", "--reply-timeout", "700ms"];
    let output = run(&[&replay[..], &times, at_replay].concat());
    (code(&output), stdout(&output), began.elapsed())
}

#[test]
fn what_is_only_late_is_played_the_same() {
    let late = "c2s: latency=60ms; s2c: latency=60ms, slice=1B";
    for (at_mock, at_replay) in [(&["--fault", late][..], &[][..]), (&[], &["--fault", late])] {
        let (code, told, took) = played(at_mock, at_replay);
        assert_eq!(code, 0, "{told}");
        assert_eq!(conclusion(&told), ALL_SAME, "{told}");
        // A handshake and an answer, one after the other.
        assert!(took >= Duration::from_millis(240), "{took:?}");
    }
}

#[test]
fn what_is_lost_or_damaged_is_no_success() {
    for fault in [
        "s2c: loss=100%",
        "s2c: corrupt=100%",
        "c2s: blackhole=0s..9s",
    ] {
        for (at_mock, at_replay) in [
            (&["--fault", fault][..], &[][..]),
            (&[], &["--fault", fault]),
        ] {
            let seed = ["--seed", "1"];
            let (code, told, _) = played(&[at_mock, &seed].concat(), &[at_replay, &seed].concat());
            assert!(code == 1 || code == 4, "{fault}: {code} {told}");
            let conclusion = conclusion(&told);
            let (results, times) = conclusion.split_once('\n').expect("two lines");
            assert_eq!(
                results,
                "3 conversations: 3 no reply. Not replayed: #12 orphan, #13 ping, #14 unknown \
                 type.",
                "{fault}: {told}"
            );
            assert_eq!(
                times, "sent 3 messages in T; worst send T late   FAILED\n",
                "{fault}: {told}"
            );
        }
    }
}

#[test]
fn a_script_that_waits_long_enough_passes_over_a_slow_line_and_fails_over_a_lossy_one() {
    for (fault, expected) in [("s2c: latency=50ms", 0), ("s2c: loss=100%", 1)] {
        let mock = [SAMPLES, "--carrier", "udp://127.0.0.1:0", "--topspeed"];
        let mock = Server::quiet("mock", &mock);
        let inject = [
            "inject",
            "--carrier",
            &mock.carrier,
            "--fault",
            fault,
            "--seed",
            "1",
        ];
        let steps = ["syn 111111", "expect ack 111111 within 1s"];
        let output = run(&[&inject[..], &steps].concat());
        let told = stdout(&output);
        assert_eq!(
            code(&output) != 0,
            expected != 0,
            "{told}{}",
            stderr(&output)
        );
    }
}
