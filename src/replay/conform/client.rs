//! The cases for a client. We are its server: `$c` is its id, and the ids that we hand out are
//! written in full.

use super::case::{Case, Check, Needs, Requirement};
use super::rule::MessageRule;

const REFUSAL_WITH_PAYLOAD: &str = "dial
     expect syn -> $c
     type:52 $c hex:0a0004
     wait 300ms
     dial
     expect syn -> $d
     type:51 $d hex:0a0005
     type:50 $d \"open\\n\"
     expect bytes 0a0005 = \"1\\n\"
     type:52 $d";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "ms/handshake/1",
        level: Requirement::Must,
        title: "a connection becomes a SYN",
        sentence: "Opens a conversation: the client makes a client id and sends a SYN",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0001
             type:52 $c",
        ),
    },
    Case {
        id: "ms/handshake/2",
        level: Requirement::Must,
        title: "nothing but the SYN is sent before the ACK, and then to the server id in it",
        sentence: "cannot send anything but the SYN before it",
        needs: Needs::TestService,
        check: Check::Script(
            "dial \"hello\"
             expect syn -> $c
             expect nothing within 500ms
             type:51 $c hex:0a0002
             expect bytes 0a0002 = \"hello\"
             type:52 $c",
        ),
    },
    Case {
        id: "ms/handshake/3",
        level: Requirement::Must,
        title: "a close instead of an ACK ends the connection",
        sentence: "answers ACK, or close if it cannot",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:52 $c
             wait 300ms
             dial
             expect syn -> $d
             type:51 $d hex:0a0003
             type:50 $d \"open\\n\"
             expect bytes 0a0003 = \"1\\n\"
             type:52 $d",
        ),
    },
    Case {
        id: "ms/handshake/4",
        level: Requirement::Should,
        title: "a refusal with three bytes is one",
        sentence: "nothing; a refusal may carry 3 bytes",
        needs: Needs::TestService,
        check: Check::Dialects {
            text: Some(REFUSAL_WITH_PAYLOAD),
            java2004: None,
            java2011: Some(REFUSAL_WITH_PAYLOAD),
        },
    },
    Case {
        id: "ms/handshake/5",
        level: Requirement::Should,
        title: "data that overtake the ACK are kept",
        sentence: "Data that arrive before the ACK are kept until it comes",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:50 $c \"echo\\nhello\"
             wait 100ms
             type:51 $c hex:0a0006
             expect bytes 0a0006 = \"hello\"
             type:52 $c",
        ),
    },
    Case {
        id: "ms/handshake/6",
        level: Requirement::Should,
        title: "an ACK whose payload is not three bytes is ignored",
        sentence: "An ACK whose payload is not three bytes is ignored",
        needs: Needs::TestService,
        check: Check::Script(
            "dial \"hello\"
             expect syn -> $c
             type:51 $c hex:0a00
             type:51 $c hex:0a000700
             type:51 $c
             expect nothing within 300ms
             type:51 $c hex:0a0007
             expect bytes 0a0007 = \"hello\"
             type:52 $c",
        ),
    },
    Case {
        id: "ms/handshake/7",
        level: Requirement::Should,
        title: "a second ACK changes nothing",
        sentence: "A second ACK is ignored: the first server id stays",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0008
             type:51 $c hex:0a0009
             type:50 $c \"echo\\nhello\"
             expect bytes 0a0008 = \"hello\"
             type:52 $c",
        ),
    },
    Case {
        id: "ms/data/1",
        level: Requirement::Must,
        title: "data reach the application, and what it sends goes to the server's id",
        sentence: "The id in a message is always the *receiver's*",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0101
             type:50 $c \"echo\\n\"
             type:50 $c \"HTTP/1.0 200 OK\\r\\n\\r\\n\"
             expect bytes 0a0101 = \"HTTP/1.0 200 OK\\r\\n\\r\\n\"
             type:52 $c",
        ),
    },
    Case {
        id: "ms/data/2",
        level: Requirement::Must,
        title: "many messages are one stream, in their order",
        sentence: "Bytes are handed on in the order in which messages arrive",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0102
             type:50 $c \"echo\\n\"
             repeat 4
               type:50 $c \"one \"
               type:50 $c \"two \"
               type:50 $c \"three \"
               type:50 $c \"four \"
               type:50 $c \"five \"
               type:50 $c \"six \"
               type:50 $c \"seven \"
               type:50 $c \"eight \"
               type:50 $c \"nine \"
               type:50 $c \"ten \"
             end
             expect bytes 0a0102 = \"one two three four five six seven eight nine ten \
              one two three four five six seven eight nine ten \
              one two three four five six seven eight nine ten \
              one two three four five six seven eight nine ten \"
             type:52 $c",
        ),
    },
    Case {
        id: "ms/data/3",
        level: Requirement::Must,
        title: "conversations at the same time do not mix",
        sentence: "Each conversation has a client id and a server id of its own",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             dial
             expect syn -> $d
             type:51 $c hex:0a0103
             type:51 $d hex:0a0104
             type:50 $c \"echo\\n\"
             type:50 $d \"echo\\n\"
             repeat 20
               type:50 $c \"one\"
               type:50 $d \"two\"
               expect bytes 0a0104 = \"two\"
               expect bytes 0a0103 = \"one\"
             end
             type:52 $c
             type:52 $d",
        ),
    },
    Case {
        id: "ms/data/4",
        level: Requirement::Must,
        title: "a long stream goes out whole, and then the close",
        sentence: "What was written before a close is sent before it",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0105
             type:50 $c \"send 200000\\n\"
             expect bytes 0a0105 = seq:200000 within 20s
             expect type:a2 0a0105 within 10s",
        ),
    },
    Case {
        id: "ms/data/5",
        level: Requirement::Should,
        title: "40000 bytes in one message are taken",
        sentence: "message that is accepted | at most 40,960 bytes",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0106
             type:50 $c \"take 40000\\n\"
             type:50 $c seq:40000
             expect bytes 0a0106 = \"40000\\n\"
             type:52 $c",
        ),
    },
    Case {
        id: "ms/data/6",
        level: Requirement::Should,
        title: "data without bytes do no harm",
        sentence: "Data without bytes are harmless",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0107
             type:50 $c
             type:50 $c \"echo\\n\"
             type:50 $c
             type:50 $c \"hello\"
             expect bytes 0a0107 = \"hello\"
             type:52 $c",
        ),
    },
    Case {
        id: "ms/data/7",
        level: Requirement::Should,
        title: "messages for an unknown id are dropped without an answer",
        sentence: "Data and closes for an unknown id are dropped without an answer",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0108
             type:50 rand \"lost\"
             type:52 rand
             type:51 rand hex:0a0109
             expect nothing within 300ms
             type:50 $c \"echo\\nhello\"
             expect bytes 0a0108 = \"hello\"
             type:52 $c",
        ),
    },
    Case {
        id: "ms/close/1",
        level: Requirement::Must,
        title: "a close ends the connection of the application",
        sentence: "A conversation's close ends both directions; there is no half-close",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0201
             type:50 $c \"open\\n\"
             expect bytes 0a0201 = \"1\\n\"
             type:52 $c
             wait 300ms
             dial
             expect syn -> $d
             type:51 $d hex:0a0202
             type:50 $d \"open\\n\"
             expect bytes 0a0202 = \"1\\n\"
             type:52 $d",
        ),
    },
    Case {
        id: "ms/close/2",
        level: Requirement::Must,
        title: "all that came before a close reaches the application",
        sentence: "What was written before a close is sent before it",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0203
             type:50 $c \"echo\\n\"
             type:50 $c seq:20000
             type:50 $c seq:20000
             type:52 $c
             wait 500ms
             dial
             expect syn -> $d
             type:51 $d hex:0a0204
             type:50 $d \"last\\n\"
             expect bytes 0a0204 = \"40000\\n\"
             type:52 $d",
        ),
    },
    Case {
        id: "ms/close/3",
        level: Requirement::Must,
        title: "when the application has ended, a close follows",
        sentence: "A conversation's close ends both directions; there is no half-close",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0205
             type:50 $c \"send 0\\n\"
             expect type:a2 0a0205 within 10s",
        ),
    },
    Case {
        id: "ms/close/4",
        level: Requirement::Should,
        title: "a close is not answered",
        sentence: "A close is not answered by a close",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0206
             wait 100ms
             type:52 $c
             expect nothing for 0a0206 within 500ms",
        ),
    },
    Case {
        id: "ms/close/5",
        level: Requirement::Should,
        title: "an ACK without an id on an open conversation is no close",
        sentence: "The reference ignores an ACK without an id on an open conversation",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0207
             type:51 $c
             type:50 $c \"echo\\nhello\"
             expect bytes 0a0207 = \"hello\"
             type:52 $c",
        ),
    },
    Case {
        id: "ms/noise/1",
        level: Requirement::Should,
        title: "chaff and pings are ignored",
        sentence: "`FF`, and the single byte `FF` as a ping, are not in the text",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0301
             ping
             type:ff $c \"chaff\"
             type:ff rand rand:1000
             type:50 $c \"echo\\nhello\"
             expect bytes 0a0301 = \"hello\"
             type:52 $c",
        ),
    },
    Case {
        id: "ms/noise/2",
        level: Requirement::Should,
        title: "messages of fewer than four bytes are ignored",
        sentence: "Messages of fewer than four bytes are ignored",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0302
             hex 50
             hex 51 00
             hex 52 00 00
             type:50 $c \"echo\\nhello\"
             expect bytes 0a0302 = \"hello\"
             type:52 $c",
        ),
    },
    Case {
        id: "ms/noise/3",
        level: Requirement::Should,
        title: "undefined types for unknown ids disturb nobody",
        sentence: "A message of an undefined type does not disturb other conversations",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0303
             type:53 rand \"?\"
             type:5f rand \"?\"
             type:00 rand \"?\"
             expect nothing within 300ms
             type:50 $c \"echo\\nhello\"
             expect bytes 0a0303 = \"hello\"
             type:52 $c",
        ),
    },
    Case {
        id: "ms/noise/4",
        level: Requirement::Should,
        title: "a client's types, sent by a server, are ignored",
        sentence: "Types of the other direction are ignored",
        needs: Needs::TestService,
        check: Check::Script(
            "dial
             expect syn -> $c
             type:51 $c hex:0a0304
             type:a0 $c \"data\"
             type:a2 $c
             expect nothing within 300ms
             type:50 $c \"echo\\nhello\"
             expect bytes 0a0304 = \"hello\"
             type:52 $c",
        ),
    },
    Case {
        id: "ms/wire/1",
        level: Requirement::Must,
        title: "every message is of one of a client's types",
        sentence: "`A0` to `AF` are from clients, `50` to `5F` from servers; only six are defined",
        needs: Needs::Nothing,
        check: Check::EveryMessage(MessageRule::Types),
    },
    Case {
        id: "ms/wire/2",
        level: Requirement::Must,
        title: "data and closes have the server id of an ACK",
        sentence: "The id in a message is always the *receiver's*",
        needs: Needs::Nothing,
        check: Check::EveryMessage(MessageRule::Ids),
    },
    Case {
        id: "ms/wire/3",
        level: Requirement::Must,
        title: "no SYN has the id 000000",
        sentence: "`00 00 00` is reserved by the text",
        needs: Needs::Nothing,
        check: Check::EveryMessage(MessageRule::NewIds),
    },
    Case {
        id: "ms/wire/4",
        level: Requirement::Must,
        title: "every SYN carries the client's destination",
        sentence: "the client's destination",
        needs: Needs::Nothing,
        check: Check::EveryMessage(MessageRule::Destination),
    },
    Case {
        id: "ms/wire/5",
        level: Requirement::Must,
        title: "every close is empty",
        sentence: "`A2` | CLOSE | client | server id | nothing",
        needs: Needs::Nothing,
        check: Check::EveryMessage(MessageRule::Close),
    },
    Case {
        id: "ms/wire/6",
        level: Requirement::Should,
        title: "data are at most 32768 bytes",
        sentence: "data in one message | at most 32,768 bytes",
        needs: Needs::Nothing,
        check: Check::EveryMessage(MessageRule::Data),
    },
];
