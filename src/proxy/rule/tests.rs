use super::*;

fn refusal(text: &str) -> (usize, String) {
    let error = Rule::parse(text).unwrap_err();
    (error.column, error.problem)
}

#[test]
fn every_action_is_read() {
    for text in [
        "type==ack && nth==3: drop",
        "all: pass",
        "all: duplicate",
        "all: delay 200ms",
        "type == ack: hold until type==data && dir == s2c",
        "n > 1: swap with next",
        "all: set id ffffff",
        "all: set id $server_id",
        "all: set type 0x53",
        r#"all: replace /2\d\d OK/ "500 no""#,
        r#"payload ~ /a: b/: replace /a, b: c/ "x, y: z""#,
        "all: truncate 2",
        "all: append hex:00ff",
        r#"all: append "text""#,
        "type==data: inject s2c close $client_id",
        "type==syn: inject s2c ack $id $id",
        "type==syn: inject c2s hex a1ff",
        "all: inject c2s ping",
        r#"all: inject s2c type:5f $client_id "x""#,
        "type==data: close both",
        "all: close client, drop",
        "src == 127.0.0.1:9004: drop",
        "dst == :9004: drop, inject s2c close $client_id, inject c2s close $server_id",
        "ts > 2004-05-25T12:00:00Z: drop",
    ] {
        let rule = Rule::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(rule.text(), text);
        assert!(!rule.actions.is_empty());
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, column, problem) in [
        ("type==ack", 10, "a rule is a filter, a colon and a space"),
        (
            "type==ack:drop",
            15,
            "a rule is a filter, a colon and a space",
        ),
        (
            "typ==ack: drop",
            1,
            "unknown field `typ`; did you mean `type`?",
        ),
        ("type==sync: drop", 7, "`type` is one of"),
        (
            "type==ack: dorp",
            12,
            "unknown action; did you mean `drop`? there are pass, drop",
        ),
        ("all: forward", 6, "unknown action; there are pass, drop"),
        (
            "tpye==syn: drop",
            1,
            "unknown field `tpye`; did you mean `type`?",
        ),
        (
            "type==syn && nht==3: drop",
            14,
            "unknown field `nht`; did you mean `nth`?",
        ),
        (
            "conv_nht==3: drop",
            1,
            "unknown field `conv_nht`; did you mean `conv_nth`?",
        ),
        ("colour==3: drop", 1, "unknown field `colour`"),
        (
            "type==ack && count>3: drop",
            14,
            "unknown field `count`; as in nth == 3",
        ),
        (
            "type==ack: hold until tpye==data",
            23,
            "unknown field `tpye`; did you mean `type`?",
        ),
        ("type==ack:", 11, "what is to be done?"),
        ("type==ack: drop, ", 18, "what is to be done?"),
        (
            "type==ack: drop duplicate",
            17,
            "another action comes behind a comma",
        ),
        ("type==ack: delay 20", 18, "a time needs a unit"),
        (
            "type==ack: delay 10000000000000000000s",
            18,
            "the time is too long; 30d is the longest",
        ),
        (
            "type==ack: delay 2592001s",
            18,
            "the time is too long; 30d is the longest",
        ),
        ("type==ack: hold for 2s", 17, "expected `until`"),
        ("type==ack: hold until foo==1", 23, "unknown field `foo`"),
        ("type==ack: swap with last", 22, "expected `next`"),
        ("type==ack: set id 12", 19, "an id is six hex digits"),
        (
            "type==ack: set type 53",
            21,
            "a type is 0x and two hex digits",
        ),
        ("type==ack: set colour", 16, "expected `id` or `type`"),
        ("type==ack: replace /(/ \"x\"", 20, "bad pattern"),
        (
            "type==ack: replace /x/ y",
            24,
            "a string begins with a double quote",
        ),
        ("type==ack: truncate x", 21, "how many bytes are left?"),
        ("type==ack: append 00", 19, "bytes are \"text\" or hex:00ff"),
        (
            "type==ack: inject up close zero",
            19,
            "injected into which direction",
        ),
        (
            "type==ack: inject c2s clos $id",
            23,
            "a message is syn|ack|data",
        ),
        (
            "type==ack: close all",
            18,
            "closed towards client, server or both",
        ),
        ("nth==x: drop", 6, "expected a number"),
        ("nth: drop", 4, "a number of messages is compared"),
        (
            "conv.state==refused: drop",
            1,
            "the outcome of a conversation is not known",
        ),
    ] {
        let (at, told) = refusal(text);
        assert!(told.starts_with(problem), "{text}: {told}");
        assert_eq!(at, column, "{text}: {told}");
    }
}

#[test]
fn a_file_has_comments_and_tells_the_line_of_an_error() {
    let rules = Rule::parse_file(
        "# late\n\n  type==ack: drop\nall: pass\n",
        FilterHint::to_string,
    )
    .unwrap();
    let texts: Vec<&str> = rules.iter().map(Rule::text).collect();
    assert_eq!(texts, ["type==ack: drop", "all: pass"]);
    let error = Rule::parse_file("all: pass\n# x\nall: past\n", FilterHint::to_string).unwrap_err();
    assert_eq!((error.line, error.column), (3, 6));
    assert!(
        error.to_string().ends_with("\n    all: past\n         ^"),
        "{error}"
    );
}

#[test]
fn the_rules_of_a_proxy_are_bounded() {
    let mut rules = Rules::default();
    let rule = || Rule::parse("all: pass").unwrap();
    for _ in 0..MAX_RULES {
        assert!(rules.add(rule()));
    }
    assert!(!rules.add(rule()));
    assert_eq!(rules.all().len(), 1_024);
}
