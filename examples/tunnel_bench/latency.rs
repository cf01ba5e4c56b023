//! How long small requests take on each way.
//!
//! Whatever else a machine does for a moment shows in the slowest hundredth of the requests of
//! that moment, on whichever way they were. So the ways take turns many times, each turn after
//! the other from the other end, the results of one round are compared with each other only, and
//! of all rounds the median counts.

use std::io;

use crate::work::{Latency, small_requests};
use crate::{Scale, Way, Work};

/// How often the ways take turns.
const ROUNDS: usize = 50;

type Quantile = fn(&Latency) -> f64;

/// Compares ways with a baseline.
pub(crate) fn compare(baseline: &Way<'_>, ways: &[Way<'_>]) -> io::Result<()> {
    let all: Vec<_> = std::iter::once(baseline).chain(ways).collect();
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let mut results: Vec<Option<Latency>> = all.iter().map(|_| None).collect();
        for turn in 0..all.len() {
            let number = match round % 2 {
                0 => turn,
                _ => all.len() - 1 - turn,
            };
            let way = all[number];
            let result = small_requests(way.address)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", way.name)))?;
            results[number] = Some(result);
        }
        rounds.push(results.into_iter().flatten().collect::<Vec<_>>());
    }
    let Scale { what, unit, factor } = Work::Requests.scale();
    let quantiles: [(&str, Quantile); 2] = [
        ("p50", |latency| latency.p50),
        ("p99", |latency| latency.p99),
    ];
    for (quantile, of) in quantiles {
        for (number, way) in all.iter().enumerate() {
            let what = match number {
                0 => format!("{quantile} of {what}"),
                _ => String::new(),
            };
            let times = Spread::of(rounds.iter().map(|results| of(&results[number])));
            print!(
                "{what:<28} {:<11} {:>9.1} {unit}",
                way.name,
                times.median * factor
            );
            if number == 0 {
                println!();
                continue;
            }
            let ratios = rounds
                .iter()
                .map(|results| of(&results[number]) / of(&results[0]));
            let Spread {
                median,
                lower,
                upper,
            } = Spread::of(ratios);
            println!("    ratio {median:.2}, in half of {ROUNDS} rounds {lower:.2} to {upper:.2}");
        }
    }
    Ok(())
}

/// The median of many results, and the quartiles.
struct Spread {
    median: f64,
    lower: f64,
    upper: f64,
}

impl Spread {
    fn of(results: impl Iterator<Item = f64>) -> Self {
        let mut results: Vec<f64> = results.collect();
        results.sort_by(f64::total_cmp);
        let at = |quarters| results[(results.len() - 1) * quarters / 4];
        Self {
            median: at(2),
            lower: at(1),
            upper: at(3),
        }
    }
}
