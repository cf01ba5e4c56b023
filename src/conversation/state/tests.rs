use Direction::{ClientToServer, ServerToClient};

use super::*;

const STIMULI: [Stimulus; 7] = [
    Stimulus::Ack,
    Stimulus::EmptyAck,
    Stimulus::MisshapenAck,
    Stimulus::Data(ClientToServer),
    Stimulus::Data(ServerToClient),
    Stimulus::Close(ClientToServer),
    Stimulus::Close(ServerToClient),
];

#[test]
fn phases_are_numbered_in_the_order_of_their_list() {
    for (number, phase) in Phase::ALL.into_iter().enumerate() {
        assert_eq!(phase as usize, number);
    }
}

const OCCURRENCES: [Occurrence; 4] = [
    Occurrence::AnswerOverdue,
    Occurrence::CutShort,
    Occurrence::AckInGap,
    Occurrence::LateSyn,
];

const WHOLE: Circumstances = Circumstances {
    awaits_ack: false,
    late: None,
    server_spoke: false,
};

const CIRCUMSTANCES: [(&str, Circumstances); 4] = [
    (
        "its ACK may still come",
        Circumstances {
            awaits_ack: true,
            ..WHOLE
        },
    ),
    (
        "the client's direction is read late",
        Circumstances {
            late: Some(ClientToServer),
            ..WHOLE
        },
    ),
    (
        "the server's direction is read late",
        Circumstances {
            late: Some(ServerToClient),
            ..WHOLE
        },
    ),
    (
        "the server sent data, and its ACK may be missing",
        Circumstances {
            server_spoke: true,
            ..WHOLE
        },
    ),
];

const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::SynSent => "syn sent",
        Phase::NoAnswer => "no answer",
        Phase::Refused => "refused",
        Phase::Open => "open",
        Phase::AckClosed => "closed by an empty ACK",
        Phase::ClientClosed => "client closed",
        Phase::ServerClosed => "server closed",
    }
}

const MESSAGES: [&str; 7] = [
    "ACK",
    "ACK without id",
    "ACK of another length",
    "data →",
    "data ←",
    "close →",
    "close ←",
];

fn in_words(phase: Phase, transition: Transition) -> String {
    let effect = match transition.effect {
        Effect::Accepts => "accepts",
        Effect::Refuses => "refuses",
        Effect::Carries => "carries",
        Effect::Closes => "closes",
        Effect::ClosesAgain => "closes again",
        Effect::Ignored => "ignored",
    };
    let next = if transition.next == phase {
        String::new()
    } else {
        format!(" → {}", phase_name(transition.next))
    };
    format!("{effect}{next}{}", finding_in_words(transition.finding))
}

fn finding_in_words(finding: Option<(FindingCode, Level)>) -> String {
    finding.map_or_else(String::new, |(code, level)| format!(", {level} `{code}`"))
}

const fn occurrence_name(occurrence: Occurrence) -> &'static str {
    match occurrence {
        Occurrence::AnswerOverdue => {
            "no answer within 60 s, or for 5 s or more until its channel or the capture ends"
        }
        Occurrence::CutShort => "no answer for less than 5 s until its channel or the capture ends",
        Occurrence::AckInGap => "its client names an id that nothing announced, behind a gap",
        Occurrence::LateSyn => "its SYN is read behind an answer",
    }
}

/// The table for conversations that were seen whole and in order.
fn table() -> String {
    let mut table = format!(
        "| phase | {} |\n|{}\n",
        MESSAGES.join(" | "),
        "---|".repeat(8)
    );
    for phase in Phase::ALL {
        let cells = STIMULI.map(|stimulus| in_words(phase, phase.transition(stimulus, WHOLE)));
        table.push_str(&format!(
            "| {} | {} |\n",
            phase_name(phase),
            cells.join(" | ")
        ));
    }
    table
}

/// Its exceptions for those that were not.
fn exceptions() -> String {
    let mut table = String::from("| when | phase | message | what it does |\n|---|---|---|---|\n");
    for (when, circumstances) in CIRCUMSTANCES {
        for phase in Phase::ALL {
            for (stimulus, message) in STIMULI.into_iter().zip(MESSAGES) {
                let transition = phase.transition(stimulus, circumstances);
                if transition != phase.transition(stimulus, WHOLE) {
                    let (phase_name, what) = (phase_name(phase), in_words(phase, transition));
                    table.push_str(&format!("| {when} | {phase_name} | {message} | {what} |\n"));
                }
            }
        }
    }
    table
}

/// Changes of phases without a message of the conversation.
fn occurrences() -> String {
    let mut table = String::from("| what happens | when | phase | becomes |\n|---|---|---|---|\n");
    for occurrence in OCCURRENCES {
        for phase in Phase::ALL {
            let stays = Change {
                next: phase,
                finding: None,
            };
            let mut usual = stays;
            for (when, circumstances) in [("always", WHOLE)].into_iter().chain(CIRCUMSTANCES) {
                let change = phase.change(occurrence, circumstances);
                if change != usual {
                    table.push_str(&format!(
                        "| {} | {when} | {} | {}{} |\n",
                        occurrence_name(occurrence),
                        phase_name(phase),
                        phase_name(change.next),
                        finding_in_words(change.finding)
                    ));
                }
                if circumstances == WHOLE {
                    usual = change;
                }
            }
        }
    }
    table
}

#[test]
fn the_documented_tables_are_the_ones_that_decide() {
    let page = include_str!("../../../docs/protocol.md");
    for table in [table(), exceptions(), occurrences()] {
        assert!(
            page.contains(&table),
            "docs/protocol.md should have this table:\n{table}"
        );
    }
}

#[test]
fn a_closed_conversation_stays_closed_unless_an_empty_ack_closed_it() {
    for phase in Phase::ALL.into_iter().filter(|phase| phase.is_closed()) {
        for stimulus in STIMULI {
            for (_, circumstances) in CIRCUMSTANCES {
                let transition = phase.transition(stimulus, circumstances);
                let reopens = phase == Phase::AckClosed && matches!(stimulus, Stimulus::Data(_));
                assert_eq!(
                    transition.next.is_closed(),
                    !reopens,
                    "{phase:?} {stimulus:?}"
                );
            }
        }
    }
}

#[test]
fn only_its_messages_close_or_reopen_a_conversation() {
    for phase in Phase::ALL {
        for occurrence in OCCURRENCES {
            for (_, circumstances) in CIRCUMSTANCES {
                let change = phase.change(occurrence, circumstances);
                assert_eq!(
                    change.next.is_closed(),
                    phase.is_closed(),
                    "{phase:?} {occurrence:?}"
                );
            }
        }
    }
}

#[test]
fn conversations_exchange_only_phases_that_a_client_can_lead_to() {
    let may_be_exchanged = [Phase::SynSent, Phase::Open, Phase::ClientClosed];
    for one in Phase::ALL {
        for other in Phase::ALL {
            let mut pair = (one, other);
            Phase::exchange(&mut pair.0, &mut pair.1);
            let both = may_be_exchanged.contains(&one) && may_be_exchanged.contains(&other);
            let expected = if both { (other, one) } else { (one, other) };
            assert_eq!(pair, expected, "{one:?} {other:?}");
        }
    }
}

#[test]
fn what_was_told_is_changed_by_no_message() {
    for phase in Phase::ALL.into_iter().filter(|phase| phase.is_closed()) {
        for stimulus in STIMULI {
            for (_, circumstances) in CIRCUMSTANCES {
                let transition = phase.transition_when_reported(stimulus, circumstances);
                assert_eq!(
                    transition.next.state(),
                    phase.state(),
                    "{phase:?} {stimulus:?}"
                );
                assert!(
                    matches!(transition.effect, Effect::Ignored | Effect::ClosesAgain),
                    "{phase:?} {stimulus:?}"
                );
            }
        }
    }
}

#[test]
fn a_late_answer_counts_as_one_in_time() {
    for stimulus in STIMULI {
        for (_, circumstances) in CIRCUMSTANCES {
            let in_time = Phase::SynSent.transition(stimulus, circumstances);
            let late = Phase::NoAnswer.transition(stimulus, circumstances);
            assert_eq!(
                (in_time.effect, in_time.finding),
                (late.effect, late.finding)
            );
            if in_time.next != Phase::SynSent {
                assert_eq!(in_time.next, late.next);
            }
        }
    }
}
