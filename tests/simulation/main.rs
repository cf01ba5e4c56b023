//! Random schedules on a pair of endpoints in virtual time.
//!
//! Each schedule follows from one number. `MINISTREAM_SCHEDULES` says how many
//! to run (10,000 on each kind of network by default), `MINISTREAM_SEED` runs
//! that one alone. A failure prints its number.

mod applications;
mod pair;
mod year;

use std::time::Duration;

use ministream::endpoint::{AddressProof, Config, DuplicateSyn, OnEof, SlowReader, Stats};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::applications::Applications;
use crate::pair::{Network, Pair};

const SCHEDULES: u64 = 10_000;

/// Says which schedule failed.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "schedule {0} failed: MINISTREAM_SEED={0} runs it alone",
                self.0
            );
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("the variable is a number"))
}

/// Runs `schedule` for each seed.
fn for_each_seed(schedule: impl Fn(u64)) {
    let seeds = match number("MINISTREAM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MINISTREAM_SCHEDULES").unwrap_or(SCHEDULES),
    };
    for seed in seeds {
        let name = Named(seed);
        schedule(seed);
        drop(name);
    }
}

fn pick<T: Copy>(rng: &mut Xoshiro256PlusPlus, choices: &[T]) -> T {
    choices[rng.random_range(0..choices.len())]
}

fn random_config(rng: &mut Xoshiro256PlusPlus) -> Config {
    let eof = [
        OnEof::Close,
        OnEof::Drain(Some(Duration::from_millis(30))),
        OnEof::Drain(Some(Duration::from_secs(5))),
    ];
    let mut config = Config::default();
    config.max_payload = pick(rng, &[3, 7, 100, 32_768]);
    config.merge = pick(
        rng,
        &[None, Some(Duration::ZERO), Some(Duration::from_millis(100))],
    );
    config.turn = pick(rng, &[0, 20, 100_000]);
    config.slow_reader = pick(
        rng,
        &[SlowReader::Pause, SlowReader::Pause, SlowReader::Close],
    );
    config.client_eof = pick(rng, &eof);
    config.server_eof = pick(rng, &eof);
    config.send_buffer = pick(rng, &[200, 4_000]);
    config.receive_buffer = pick(rng, &[150, 2_000]);
    config.receive_total = pick(rng, &[1_000, 1_000_000]);
    config.duplicate_syn = pick(
        rng,
        &[DuplicateSyn::NewConversation, DuplicateSyn::AnswerAgain],
    );
    config.address_proof = pick(rng, &[AddressProof::NotNeeded, AddressProof::Required]);
    config.limits.total = pick(rng, &[3, 100, 100]);
    config.limits.per_peer = pick(rng, &[2, 100, 100]);
    config.limits.half_open = pick(rng, &[1, 100, 100]);
    config.limits.half_open_per_peer = 100;
    config
}

/// A pair with random settings that has lived through a random schedule.
fn after_schedule(seed: u64, network: Network, idle_timeout: Option<Duration>) -> Applications {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut configs = [(), ()].map(|()| {
        let mut config = random_config(&mut rng);
        config.idle_timeout = idle_timeout;
        config
    });
    // Two that keep each other alive do not end where closes get lost.
    let keepers = if idle_timeout.is_some() { 1 } else { 2 };
    for config in &mut configs[..keepers] {
        config.keep_alive = pick(&mut rng, &[None, Some(Duration::from_secs(1))]);
    }
    let mut applications = Applications::new(Pair::new(configs, network, seed));
    for _ in 0..rng.random_range(5..60) {
        applications.act(&mut rng);
        let pause = Duration::from_millis(pick(&mut rng, &[0, 0, 0, 0, 1, 1, 20, 20, 200, 6_000]));
        applications.run_for(pause);
    }
    applications
}

#[test]
fn on_a_reliable_network_every_stream_that_both_sides_call_complete_is_equal() {
    for_each_seed(|seed| {
        let latency = [
            "",
            "latency=500us±500us",
            "latency=25ms±25ms",
            "latency=1s±1s",
        ];
        let latency = latency[usize::try_from(seed % 4).expect("below 4")];
        let mut applications = after_schedule(seed, Network::with(latency), None);
        applications.close_everything();
        applications.run_until_quiet();
        applications.assert_all_ended();
        applications.assert_streams_equal();
    });
}

#[test]
fn on_an_unreliable_network_everything_ends_and_no_conversation_gets_the_bytes_of_another() {
    for_each_seed(|seed| {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(!seed);
        let latency = pick(&mut rng, &["500us±500us", "25ms±25ms", "1s±1s"]);
        let loss = pick(&mut rng, &["0%", "1%", "20%"]);
        let twice = pick(&mut rng, &["0%", "1%", "20%"]);
        let overtaken = pick(&mut rng, &["0%", "5%", "50%"]);
        let network = Network::with(&format!(
            "latency={latency},loss={loss},dup={twice},reorder={overtaken}"
        ));
        // Half of the schedules end by the applications closing, half by silence.
        let idle_timeout = (seed % 2 == 0).then_some(Duration::from_secs(30));
        let mut applications = after_schedule(seed, network, idle_timeout);
        match idle_timeout {
            None => applications.close_everything(),
            Some(_) => applications.only_read(),
        }
        applications.run_until_quiet();
        applications.assert_all_ended();
    });
}

#[test]
fn a_schedule_runs_the_same_way_each_time() {
    let network = Network::with("latency=25ms±25ms,loss=10%,dup=10%,reorder=30%");
    let stats = |seed| -> [Stats; 2] {
        let mut applications = after_schedule(seed, network.clone(), None);
        applications.close_everything();
        applications.run_until_quiet();
        applications.stats()
    };
    for seed in 0..50 {
        assert_eq!(stats(seed), stats(seed));
    }
}

#[test]
fn the_schedules_reach_what_they_are_meant_to_test() {
    let mut tally = applications::Tally::default();
    for seed in 0..1_000 {
        let network = Network::with("latency=25ms±25ms");
        let mut applications = after_schedule(seed, network, None);
        applications.close_everything();
        applications.run_until_quiet();
        tally.add(&applications);
    }
    tally.assert_varied();
}
