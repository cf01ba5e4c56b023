//! `docs/tour.md` shows what the program writes.
//!
//! `MINISTREAM_BLESS=1 cargo test --all-features --test dump tour` writes it anew.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::run::run;

const TOUR: &str = "docs/tour.md";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The tour, every output in it replaced by what its command writes, and the
/// pictures that commands write into files.
fn rewritten(tour: &str) -> (String, Vec<(String, String)>) {
    let mut text = String::new();
    let mut pictures = Vec::new();
    let mut output = None;
    let mut lines = tour.lines();
    while let Some(line) = lines.next() {
        text += line;
        text.push('\n');
        if let Some(arguments) = line.strip_prefix("ministream-dump ") {
            match arguments.split_once(" > ") {
                Some((arguments, path)) => pictures.push((path.to_owned(), written(arguments))),
                None if arguments.contains("--html") => {}
                // What a real terminal showed: see `tui.rs`.
                None if arguments.contains("--tui") => output = Some(screens()),
                None => output = Some(written(arguments)),
            }
        }
        if let Some(fence) = line
            .strip_suffix("text")
            .filter(|fence| fence.starts_with("```"))
        {
            text += &output.take().expect("a command stands above its output");
            let end = lines.find(|line| *line == fence);
            text += end.expect("the block has an end");
            text.push('\n');
        }
    }
    (text, pictures)
}

/// The screens of `--tui`, without the lines that are empty in a row.
fn screens() -> String {
    let screens = fs::read_to_string(file("tests/dump/tui/80x24.txt")).unwrap();
    let mut text = String::new();
    for line in screens.lines() {
        if !(line.is_empty() && text.ends_with("\n\n")) {
            text += line;
            text.push('\n');
        }
    }
    text
}

fn written(arguments: &str) -> String {
    run(arguments.split_whitespace()).ok()
}

#[test]
fn the_tour_shows_what_its_commands_write() {
    let tour = fs::read_to_string(file(TOUR)).unwrap();
    let (expected, pictures) = rewritten(&tour);
    assert_eq!(pictures.len(), 2);
    if env::var_os("MINISTREAM_BLESS").is_some() {
        fs::write(file(TOUR), &expected).unwrap();
        for (path, picture) in &pictures {
            fs::write(file(path), picture).unwrap();
        }
    }
    let tour = fs::read_to_string(file(TOUR)).unwrap();
    assert!(tour == expected, "{TOUR} is out of date:\n{expected}");
    for (path, picture) in pictures {
        let there = fs::read_to_string(file(&path)).unwrap();
        assert!(there == picture, "{path} is out of date");
    }
}

#[test]
fn every_picture_of_the_tour_is_there() {
    let tour = fs::read_to_string(file(TOUR)).unwrap();
    let pictures = tour.split("](pictures/").skip(1);
    let names: Vec<&str> = pictures.filter_map(|rest| rest.split(')').next()).collect();
    assert_eq!(
        names,
        [
            "ladder.svg",
            "router.svg",
            "report.png",
            "dark.png",
            "replay.png",
            "conform.png"
        ]
    );
    for name in names {
        let bytes = fs::metadata(file("docs/pictures").join(name))
            .unwrap()
            .len();
        assert!((1_000..400_000).contains(&bytes), "{name}: {bytes} bytes");
    }
}
