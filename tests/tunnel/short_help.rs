//! What `-h` of each command shows: one screen, with what a newcomer needs.

use crate::documents::{blocks, pages};
use crate::endpoint::command;

/// The lines of a terminal, but for that of its prompt.
const SCREEN: usize = 23;

/// What a command prints where lines have 80 columns.
fn printed(words: &[&str], flag: &str) -> String {
    let output = command(words)
        .arg(flag)
        .env("COLUMNS", "80")
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The program and its commands, each as the words that name it.
fn commands() -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut next = 0;
    while let Some(words) = commands.get(next).cloned() {
        let named: Vec<&str> = words.iter().map(String::as_str).collect();
        let help = printed(&named, "-h");
        let listed = help.split("Commands:\n").nth(1).unwrap_or_default();
        let listed = listed.lines().take_while(|line| !line.is_empty());
        for name in listed.filter_map(|line| line.split_whitespace().next()) {
            // That of a program needs no help.
            if name != "help" {
                commands.push([&words[..], &[name.to_owned()]].concat());
            }
        }
        next += 1;
    }
    commands
}

/// The options of the first example of a command on a page.
fn options_of_the_first_example(page: &str, words: &[String]) -> Vec<String> {
    let start = format!("ministream-replay {} ", words.join(" "));
    let quoted = regex::Regex::new("'[^']*'").unwrap();
    for block in blocks(page) {
        // A line that goes on in the next.
        let block = block.replace("\\\n", " ");
        let Some((_, example)) = block.split_once(&start) else {
            continue;
        };
        let example = quoted.replace_all(example.lines().next().unwrap_or_default(), "Q");
        let own = example
            .split_whitespace()
            .take_while(|word| !["|", "&", "#", ")"].contains(word));
        let options = own.filter(|word| word.starts_with('-'));
        return options.map(str::to_owned).collect();
    }
    Vec::new()
}

#[test]
fn the_short_help_of_every_command_is_one_screen() {
    let commands = commands();
    let keys_new = ["keys", "new"].map(str::to_owned);
    assert!(commands.len() >= 13 && commands.iter().any(|words| words[..] == keys_new));
    for words in commands {
        let named: Vec<&str> = words.iter().map(String::as_str).collect();
        let short = printed(&named, "-h");
        // Its commands leave no line for the prompt.
        let screen = if words.is_empty() { SCREEN + 1 } else { SCREEN };
        assert!(short.lines().count() <= screen, "{short}");
        assert!(
            short.lines().all(|line| line.chars().count() <= 80),
            "{short}"
        );
        let more = if printed(&named, "--help").lines().count() > short.lines().count() {
            "Print help (see more with '--help')"
        } else {
            "Print help"
        };
        let last = short.lines().last().unwrap();
        let (option, about) = last.split_once("--help ").unwrap();
        assert_eq!((option.trim(), about.trim()), ("-h,", more), "{short}");
    }
}

/// Options of such examples that only `--help` shows, each with its page: a newcomer does not need
/// faults that repeat.
const FOR_LATER: [(&str, &str); 1] = [("docs/faults.md", "--seed")];

#[test]
fn options_of_the_first_examples_of_pages_are_in_the_short_help() {
    let mut count = 0;
    for words in commands() {
        let named: Vec<&str> = words.iter().map(String::as_str).collect();
        let short = printed(&named, "-h");
        for page in pages() {
            for option in options_of_the_first_example(&page, &words) {
                if FOR_LATER.contains(&(&page, &option)) {
                    continue;
                }
                // The example above them has them, too.
                let listed = short.split("Options:\n").nth(1).unwrap_or_default();
                let mut names = listed.lines().filter(|line| line.trim().starts_with('-'));
                let is_named = names.any(|line| {
                    let words = line.split_whitespace().take(2);
                    words
                        .map(|word| word.trim_end_matches(','))
                        .any(|word| word == option)
                });
                assert!(is_named, "{option} of {page} is not in\n{short}");
                count += 1;
            }
        }
    }
    assert!(count > 40, "{count} options in examples");
}
