//! The cases for a server. We are its client, and `$c` is ours, `$s` its id.

use super::case::{Case, Check, Needs, Requirement};
use super::rule::MessageRule;

const JAVA_REFUSAL: &str = "syn $c
     expect refusal $c within 10s";

const LONG_SYN: &str = "syn $c dest+hex:00112233445566778899
     expect ack $c -> $s
     close $s";

const CLOSE_WITH_PAYLOAD: &str = "syn $a
     expect ack $a -> $s
     data $s \"open\\n\"
     expect bytes $a = \"1\\n\"
     close $s \"why\"
     wait 300ms
     syn $b
     expect ack $b -> $t
     data $t \"open\\n\"
     expect bytes $b = \"1\\n\"
     close $t";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "ms/handshake/1",
        level: Requirement::Must,
        title: "a SYN is answered by an ACK with a server id",
        sentence: "makes a server id and connects; answers ACK, or close if it cannot",
        needs: Needs::Nothing,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             close $s",
        ),
    },
    Case {
        id: "ms/handshake/2",
        level: Requirement::Must,
        title: "a SYN is refused by a close where there is no service",
        sentence: "makes a server id and connects; answers ACK, or close if it cannot",
        needs: Needs::NoService,
        check: Check::Dialects {
            text: Some(
                "syn $c
                 expect close $c within 10s
                 expect nothing for $c within 300ms",
            ),
            // A refusal of the library has three bytes or none; where it is the service
            // that refuses, an ACK comes first (or second, by another thread).
            java2004: Some(JAVA_REFUSAL),
            java2011: Some(JAVA_REFUSAL),
        },
    },
    Case {
        id: "ms/handshake/3",
        level: Requirement::Should,
        title: "two SYNs with the same client id open two conversations",
        sentence: "make two conversations with two server ids",
        needs: Needs::TestService,
        check: Check::Script(
            "syn 0c0ffe
             syn 0c0ffe
             expect ack 0c0ffe -> $s
             expect ack 0c0ffe -> $t
             data $s \"echo\\nfirst\"
             expect bytes 0c0ffe = \"first\"
             data $t \"echo\\nsecond\"
             expect bytes 0c0ffe = \"second\"
             close $s
             close $t",
        ),
    },
    Case {
        id: "ms/handshake/4",
        level: Requirement::Should,
        title: "bytes after the destination of a SYN are ignored",
        sentence: "Bytes that follow the destination in a SYN are ignored",
        needs: Needs::Nothing,
        check: Check::Dialects {
            text: Some(LONG_SYN),
            java2004: None,
            java2011: Some(LONG_SYN),
        },
    },
    Case {
        id: "ms/handshake/5",
        level: Requirement::Should,
        title: "a SYN without a destination is not answered",
        sentence: "A SYN without a destination is dropped without an answer",
        needs: Needs::Nothing,
        check: Check::Script(
            "syn $c \"\"
             expect nothing for $c within 1s",
        ),
    },
    Case {
        id: "ms/handshake/6",
        level: Requirement::Should,
        title: "a SYN whose payload is no destination is not answered",
        sentence: "A SYN without a destination is dropped without an answer",
        needs: Needs::Nothing,
        check: Check::Script(
            "syn $c zero:100
             expect nothing for $c within 1s",
        ),
    },
    Case {
        id: "ms/data/1",
        level: Requirement::Must,
        title: "data reach the service, and its answer comes back with the client's id",
        sentence: "The id in a message is always the *receiver's*",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             data $s \"echo\\n\"
             data $s \"GET / HTTP/1.0\\r\\n\\r\\n\"
             expect bytes $c = \"GET / HTTP/1.0\\r\\n\\r\\n\"
             close $s",
        ),
    },
    Case {
        id: "ms/data/2",
        level: Requirement::Must,
        title: "many messages are one stream, in their order",
        sentence: "Bytes are handed on in the order in which messages arrive",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             data $s \"echo\\n\"
             repeat 4
               data $s \"one \"
               data $s \"two \"
               data $s \"three \"
               data $s \"four \"
               data $s \"five \"
               data $s \"six \"
               data $s \"seven \"
               data $s \"eight \"
               data $s \"nine \"
               data $s \"ten \"
             end
             expect bytes $c = \"one two three four five six seven eight nine ten \
              one two three four five six seven eight nine ten \
              one two three four five six seven eight nine ten \
              one two three four five six seven eight nine ten \"
             close $s",
        ),
    },
    Case {
        id: "ms/data/3",
        level: Requirement::Must,
        title: "conversations at the same time do not mix",
        sentence: "Each conversation has a client id and a server id of its own",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $a
             syn $b
             expect ack $a -> $s
             expect ack $b -> $t
             data $s \"echo\\n\"
             data $t \"echo\\n\"
             repeat 20
               data $s \"one\"
               data $t \"two\"
               expect bytes $b = \"two\"
               expect bytes $a = \"one\"
             end
             close $s
             close $t",
        ),
    },
    Case {
        id: "ms/data/4",
        level: Requirement::Must,
        title: "a long answer comes whole, and then the close",
        sentence: "What was written before a close is sent before it",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             data $s \"send 200000\\n\"
             expect bytes $c = seq:200000 within 20s
             expect close $c within 10s",
        ),
    },
    Case {
        id: "ms/data/5",
        level: Requirement::Should,
        title: "32768 bytes in one message are taken",
        sentence: "data in one message | at most 32,768 bytes",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             data $s \"take 32768\\n\"
             data $s seq:32768
             expect bytes $c = \"32768\\n\"
             close $s",
        ),
    },
    Case {
        id: "ms/data/6",
        level: Requirement::Should,
        title: "40000 bytes in one message are taken",
        sentence: "message that is accepted | at most 40,960 bytes",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             data $s \"take 40000\\n\"
             data $s seq:40000
             expect bytes $c = \"40000\\n\"
             close $s",
        ),
    },
    Case {
        id: "ms/data/7",
        level: Requirement::Should,
        title: "data without bytes do no harm",
        sentence: "Data without bytes are harmless",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             data $s \"\"
             data $s \"echo\\n\"
             data $s \"\"
             data $s \"hello\"
             expect bytes $c = \"hello\"
             close $s",
        ),
    },
    Case {
        id: "ms/data/8",
        level: Requirement::Should,
        title: "data for an unknown id are dropped without an answer",
        sentence: "Data and closes for an unknown id are dropped without an answer",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             data rand \"lost\"
             data zero \"lost\"
             expect nothing within 300ms
             data $s \"echo\\nhello\"
             expect bytes $c = \"hello\"
             close $s",
        ),
    },
    Case {
        id: "ms/close/1",
        level: Requirement::Must,
        title: "a close ends the connection to the service",
        sentence: "A conversation's close ends both directions; there is no half-close",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $a
             expect ack $a -> $s
             data $s \"open\\n\"
             expect bytes $a = \"1\\n\"
             close $s
             wait 300ms
             syn $b
             expect ack $b -> $t
             data $t \"open\\n\"
             expect bytes $b = \"1\\n\"
             close $t",
        ),
    },
    Case {
        id: "ms/close/2",
        level: Requirement::Must,
        title: "all that was sent before a close reaches the service",
        sentence: "What was written before a close is sent before it",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $a
             expect ack $a -> $s
             data $s \"echo\\n\"
             data $s seq:20000
             data $s seq:20000
             close $s
             wait 500ms
             syn $b
             expect ack $b -> $t
             data $t \"last\\n\"
             expect bytes $b = \"40000\\n\"
             close $t",
        ),
    },
    Case {
        id: "ms/close/3",
        level: Requirement::Must,
        title: "the end of the service's answer becomes a close",
        sentence: "A conversation's close ends both directions; there is no half-close",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             data $s \"send 0\\n\"
             expect close $c within 10s",
        ),
    },
    Case {
        id: "ms/close/4",
        level: Requirement::Should,
        title: "a close is not answered",
        sentence: "A close is not answered by a close",
        needs: Needs::Nothing,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             close $s
             expect nothing for $c within 500ms",
        ),
    },
    Case {
        id: "ms/close/5",
        level: Requirement::Should,
        title: "an id is forgotten after the close",
        sentence: "Data and closes for an unknown id are dropped without an answer",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             data $s \"echo\\n\"
             close $s
             data $s \"late\"
             close $s
             expect nothing within 500ms",
        ),
    },
    Case {
        id: "ms/close/6",
        level: Requirement::Should,
        title: "a close for an unknown id is dropped",
        sentence: "Data and closes for an unknown id are dropped without an answer",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             close rand
             close zero
             expect nothing within 300ms
             data $s \"echo\\nhello\"
             expect bytes $c = \"hello\"
             close $s",
        ),
    },
    Case {
        id: "ms/close/7",
        level: Requirement::Should,
        title: "a close with a payload closes all the same",
        sentence: "A close with a payload closes all the same",
        needs: Needs::TestService,
        check: Check::Dialects {
            text: Some(CLOSE_WITH_PAYLOAD),
            java2004: None,
            java2011: Some(CLOSE_WITH_PAYLOAD),
        },
    },
    Case {
        id: "ms/noise/1",
        level: Requirement::Should,
        title: "chaff and pings are ignored",
        sentence: "`FF`, and the single byte `FF` as a ping, are not in the text",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             ping
             type:ff $s \"chaff\"
             type:ff rand rand:1000
             data $s \"echo\\nhello\"
             expect bytes $c = \"hello\"
             close $s",
        ),
    },
    Case {
        id: "ms/noise/2",
        level: Requirement::Should,
        title: "messages of fewer than four bytes are ignored",
        sentence: "Messages of fewer than four bytes are ignored",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             hex a0
             hex a1 00
             hex a2 00 00
             data $s \"echo\\nhello\"
             expect bytes $c = \"hello\"
             close $s",
        ),
    },
    Case {
        id: "ms/noise/3",
        level: Requirement::Should,
        title: "undefined types for unknown ids disturb nobody",
        sentence: "A message of an undefined type does not disturb other conversations",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             type:a3 rand \"?\"
             type:af rand \"?\"
             type:00 rand \"?\"
             expect nothing within 300ms
             data $s \"echo\\nhello\"
             expect bytes $c = \"hello\"
             close $s",
        ),
    },
    Case {
        id: "ms/noise/4",
        level: Requirement::Should,
        title: "a server's types, sent by a client, are ignored",
        sentence: "Types of the other direction are ignored",
        needs: Needs::TestService,
        check: Check::Script(
            "syn $c
             expect ack $c -> $s
             type:50 $s \"data\"
             type:51 $s hex:010203
             type:52 $s
             expect nothing within 300ms
             data $s \"echo\\nhello\"
             expect bytes $c = \"hello\"
             close $s",
        ),
    },
    Case {
        id: "ms/wire/1",
        level: Requirement::Must,
        title: "every message is of one of a server's types",
        sentence: "`A0` to `AF` are from clients, `50` to `5F` from servers; only six are defined",
        needs: Needs::Nothing,
        check: Check::EveryMessage(MessageRule::Types),
    },
    Case {
        id: "ms/wire/2",
        level: Requirement::Must,
        title: "every message has the id of a client",
        sentence: "The id in a message is always the *receiver's*",
        needs: Needs::Nothing,
        check: Check::EveryMessage(MessageRule::Ids),
    },
    Case {
        id: "ms/wire/3",
        level: Requirement::Must,
        title: "every ACK carries a server id of three bytes, which is not 000000",
        sentence: "`00 00 00` is reserved by the text",
        needs: Needs::Nothing,
        check: Check::EveryMessage(MessageRule::NewIds),
    },
    Case {
        id: "ms/wire/4",
        level: Requirement::Must,
        title: "every close is empty, but for the three bytes of a refusal",
        sentence: "nothing; a refusal may carry 3 bytes",
        needs: Needs::Nothing,
        check: Check::EveryMessage(MessageRule::Close),
    },
    Case {
        id: "ms/wire/5",
        level: Requirement::Should,
        title: "data are at most 32768 bytes",
        sentence: "data in one message | at most 32,768 bytes",
        needs: Needs::Nothing,
        check: Check::EveryMessage(MessageRule::Data),
    },
];
