//! What peers do to each other, over UDP: one oddity a capture.

use super::{Shipped, udp_pcap};
use crate::carry::{Sent, client, server};
use crate::message::{
    Id, ack, chaff, client_close, client_data, empty_ack, id, ping, raw, refusal, server_close,
    server_data, syn,
};
use crate::{key_destination, sample_destination};

/// The client's id in most captures, and the server's.
const C: Id = id(0x0a_0b0c);
const S: Id = id(0x0d_0e0f);

pub(super) fn captures() -> Vec<Shipped> {
    [
        usual(),
        odd_opening(),
        odd_middle(),
        odd_end(),
        odd_messages(),
    ]
    .concat()
}

fn capture(name: &'static str, shows: &'static str, exchange: &[Sent]) -> Shipped {
    Shipped {
        name,
        shows,
        recipe: "conversations.rs",
        bytes: udp_pcap(exchange),
    }
}

fn open(micros: i64) -> [Sent; 2] {
    [
        client(micros, syn(C, &sample_destination())),
        server(micros + 1_000, ack(C, S)),
    ]
}

/// An accepted conversation, and what follows.
fn opened(rest: &[Sent]) -> Vec<Sent> {
    [&open(0)[..], rest].concat()
}

fn usual() -> Vec<Shipped> {
    vec![
        capture(
            "udp-key-certificate.pcap",
            "a SYN with a 391-byte destination (key certificate)",
            &[
                client(0, syn(C, &key_destination(1))),
                server(1_000, ack(C, S)),
                client(2_000, client_data(S, b"hello\n")),
                client(3_000, client_close(S)),
            ],
        ),
        capture(
            "udp-close-crossing.pcap",
            "both ends close at the same time and the closes cross",
            &opened(&[
                server(2_000, server_data(C, b"bye\n")),
                client(3_000, client_close(S)),
                server(3_050, server_close(C)),
            ]),
        ),
        capture(
            "udp-refused-3-bytes.pcap",
            "a refusal with a 3-byte payload, as the reference sends it when nobody listens",
            &[
                client(0, syn(C, &sample_destination())),
                server(1_000, refusal(C, id(0x31_4159))),
            ],
        ),
        capture(
            "udp-refused-at-once.pcap",
            "ACK and close right after each other: the target refused",
            &opened(&[server(1_100, server_close(C))]),
        ),
        capture(
            "udp-no-close.pcap",
            "a conversation that is still open at the end of the capture",
            &opened(&[client(2_000, client_data(S, b"still here\n"))]),
        ),
    ]
}

fn odd_opening() -> Vec<Shipped> {
    let destination = sample_destination();
    let reused = |middle: &[Sent]| {
        let again = [
            client(10_000, syn(C, &destination)),
            server(11_000, ack(C, id(0x0d_0e10))),
            client(12_000, client_close(id(0x0d_0e10))),
        ];
        [&open(0)[..], middle, &again].concat()
    };
    vec![
        capture(
            "udp-no-answer.pcap",
            "a SYN that nobody answers",
            &[client(0, syn(C, &destination))],
        ),
        capture(
            "udp-syn-bad-destination.pcap",
            "SYNs without a destination beside a proper one: empty, 100 zero bytes, a certificate that goes on behind the end",
            &opened(&[
                client(2_000, syn(id(1), &[])),
                client(3_000, syn(id(2), &[0; 100])),
                client(4_000, syn(id(3), &key_destination(1)[..390])),
                client(5_000, client_close(S)),
            ]),
        ),
        capture(
            "udp-syn-trailing.pcap",
            "a SYN with bytes behind its destination, which the reference ignores",
            &[
                client(0, syn(C, &[&destination[..], b"more"].concat())),
                server(1_000, ack(C, S)),
                client(2_000, client_close(S)),
            ],
        ),
        capture(
            "udp-zero-id.pcap",
            "the reserved id 000000: announced by a SYN, handed out by an ACK, used by data",
            &[
                client(0, syn([0; 3], &destination)),
                server(1_000, ack([0; 3], id(1))),
                client(10_000, syn(C, &destination)),
                server(11_000, ack(C, [0; 3])),
                client(12_000, client_data([0; 3], b"to nobody")),
            ],
        ),
        capture(
            "udp-id-reuse-after-close.pcap",
            "a client id used again after its conversation was closed, which is fine",
            &reused(&[server(2_000, server_close(C))]),
        ),
        capture(
            "udp-id-reuse-open.pcap",
            "a client id announced again while its conversation is open",
            &reused(&[client(2_000, client_data(S, b"first"))]),
        ),
        capture(
            "udp-server-id-reuse.pcap",
            "a server hands out the same server id twice while the first conversation is open",
            &opened(&[
                client(2_000, syn(id(0x0a_0b0d), &destination)),
                server(3_000, ack(id(0x0a_0b0d), S)),
            ]),
        ),
        capture(
            "udp-ack-bad-length.pcap",
            "an ACK with a payload of 2 bytes, then a proper one",
            &[
                client(0, syn(C, &destination)),
                server(1_000, raw(0x51, C, &[1, 2])),
                server(2_000, ack(C, S)),
                client(3_000, client_close(S)),
            ],
        ),
        capture(
            "udp-ack-duplicate.pcap",
            "a second ACK with another server id, which the reference ignores",
            &opened(&[
                server(2_000, ack(C, id(0x0d_0e10))),
                client(3_000, client_data(S, b"to the first")),
                client(4_000, client_close(S)),
            ]),
        ),
        capture(
            "udp-data-before-ack.pcap",
            "data that overtook the ACK",
            &[
                client(0, syn(C, &destination)),
                server(1_000, server_data(C, b"220 ready\r\n")),
                server(2_000, ack(C, S)),
                client(3_000, client_close(S)),
            ],
        ),
        capture(
            "udp-mid-stream.pcap",
            "conversations whose SYN is not in the capture",
            &[
                server(0, server_data(C, b"more of it\n")),
                client(1_000, client_data(S, b"go on\n")),
                server(2_000, server_data(C, b"and more\n")),
                client(3_000, client_close(S)),
            ],
        ),
        capture(
            "udp-mid-stream-ack.pcap",
            "a conversation whose SYN is not in the capture, but whose ACK is",
            &open(0)[1..]
                .iter()
                .cloned()
                .chain([
                    client(2_000, client_data(S, b"hello\n")),
                    server(3_000, server_close(C)),
                ])
                .collect::<Vec<_>>(),
        ),
    ]
}

/// The first 32,768 bytes of an HTTP response whose body has `body` bytes.
fn full_message_of_a_page(body: usize) -> Vec<u8> {
    let mut page = format!("HTTP/1.1 200 OK\r\nContent-Length: {body:<5}\r\n\r\n").into_bytes();
    page.resize(32_768, b'.');
    page
}

fn odd_middle() -> Vec<Shipped> {
    vec![
        capture(
            "udp-empty-ack-closes.pcap",
            "an ACK without payload on an open conversation: the close of the specification's sample (c)",
            &opened(&[
                client(2_000, client_data(S, b"hello\n")),
                server(3_000, empty_ack(C)),
            ]),
        ),
        capture(
            "udp-empty-ack-goes-on.pcap",
            "an ACK without payload, after which the conversation goes on regardless",
            &opened(&[
                server(2_000, empty_ack(C)),
                server(3_000, server_data(C, b"not closed\n")),
                client(4_000, client_data(S, b"indeed\n")),
                server(5_000, server_close(C)),
            ]),
        ),
        capture(
            "udp-leftover-stall.pcap",
            "a page of 32,842 bytes of which the last 74 stay with the sender until it closes: perhaps the reference's leftover",
            &opened(&[
                client(2_000, client_data(S, b"GET / HTTP/1.1\r\n\r\n")),
                server(3_000, server_data(C, &full_message_of_a_page(32_800))),
                client(20_003_000, client_close(S)),
            ]),
        ),
        capture(
            "udp-wrong-direction.pcap",
            "types of the other role: the server sends A0 and A2, the client 50 and 52",
            &opened(&[
                server(2_000, client_data(S, b"server speaks as client")),
                client(3_000, server_data(C, b"client speaks as server")),
                server(4_000, client_close(S)),
                client(5_000, server_close(C)),
                client(6_000, client_close(S)),
            ]),
        ),
        capture(
            "udp-orphan.pcap",
            "data for ids that nobody announced, beside a proper conversation",
            &opened(&[
                client(2_000, client_data(id(0x0b_ad1d), b"stray\n")),
                server(3_000, server_data(id(0x0b_ad1e), b"stray\n")),
                client(4_000, client_close(S)),
            ]),
        ),
        capture(
            "udp-empty-data.pcap",
            "data messages without payload: harmless",
            &opened(&[
                client(2_000, client_data(S, &[])),
                server(3_000, server_data(C, &[])),
                client(4_000, client_close(S)),
            ]),
        ),
        capture(
            "udp-oversize.pcap",
            "data messages of 32768 bytes (the reference's most), of 32769, and more than it accepts",
            &opened(&[
                client(2_000, client_data(S, &[0; 32_768])),
                client(3_000, client_data(S, &[0; 32_769])),
                server(4_000, server_data(C, &[0; 40_957])),
                client(5_000, client_close(S)),
            ]),
        ),
    ]
}

fn odd_end() -> Vec<Shipped> {
    vec![
        capture(
            "udp-data-after-close.pcap",
            "data and a second close after the client's close",
            &opened(&[
                client(2_000, client_close(S)),
                client(3_000, client_data(S, b"too late")),
                client(4_000, client_close(S)),
            ]),
        ),
        capture(
            "udp-data-crossing-close.pcap",
            "the server's data crosses the client's close",
            &opened(&[
                client(2_000, client_close(S)),
                server(2_050, server_data(C, b"on its way")),
            ]),
        ),
        capture(
            "udp-close-payload.pcap",
            "closes with a payload of 5 bytes, from either end",
            &[
                &opened(&[client(2_000, raw(0xa2, S, b"later"))])[..],
                &[
                    client(10_000, syn(id(0x0a_0b0d), &sample_destination())),
                    server(11_000, ack(id(0x0a_0b0d), id(0x0d_0e10))),
                    server(12_000, raw(0x52, id(0x0a_0b0d), b"later")),
                ],
            ]
            .concat(),
        ),
    ]
}

fn odd_messages() -> Vec<Shipped> {
    let every_unknown: Vec<Sent> = [0x00, 0x4f, 0x53, 0x5f, 0x60, 0x9f, 0xa3, 0xaf, 0xb0, 0xfe]
        .into_iter()
        .zip(2..)
        .map(|(byte, millis)| client(millis * 1_000, raw(byte, S, b"?")))
        .collect();
    vec![
        capture(
            "udp-unknown-types.pcap",
            "types that the protocol does not define, within and outside both ranges",
            &[
                &opened(&every_unknown)[..],
                &[client(20_000, client_close(S))],
            ]
            .concat(),
        ),
        capture(
            "udp-ping.pcap",
            "the single byte ff, from both ends",
            &opened(&[
                client(2_000, ping()),
                server(3_000, ping()),
                client(4_000, client_close(S)),
            ]),
        ),
        capture(
            "udp-chaff.pcap",
            "messages of type ff, with the id of an open conversation and with none",
            &opened(&[
                client(2_000, chaff(S, b"ignore this")),
                server(3_000, chaff([0; 3], &[])),
                client(4_000, client_close(S)),
            ]),
        ),
        capture(
            "udp-too-short.pcap",
            "messages of 0 to 3 bytes",
            &opened(&[
                client(2_000, vec![]),
                client(3_000, vec![0xa0]),
                client(4_000, vec![0xa0, 0x0d]),
                client(5_000, vec![0xa0, 0x0d, 0x0e]),
                client(6_000, vec![0xff, 0xff]),
                client(7_000, client_close(S)),
            ]),
        ),
        capture(
            "hostile-payloads.pcap",
            "payloads that attack who displays them: HTML, script, terminal escapes, bidirectional overrides, NUL, spreadsheet formulas, broken UTF-8",
            &hostile(),
        ),
    ]
}

fn hostile() -> Vec<Sent> {
    const PAYLOADS: &[&[u8]] = &[
        b"<script>alert(1)</script><img src=x onerror=alert(2)>",
        b"</title></script></svg>--><!-- ]]> &lt;&#0;",
        b"\x1b[31mred\x1b[0m\x1b[2J\x1b]0;title\x07\x1b]52;c;aGk=\x07",
        b"C1 controls: \xc2\x9b31m \xc2\x85 raw \x9b31m",
        "\u{202e}gnirts desrever\u{202c} \u{2066}isolate\u{2069} \u{200b}\u{feff}".as_bytes(),
        b"NUL \0 BEL \x07 BS \x08\x08 CR \r VT \x0b DEL \x7f",
        b"=HYPERLINK(\"http://example.com\",\"x\"),\"quoted\",+1,@SUM(1)",
        b"\xff\xfe\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80 not UTF-8",
        b"{\"record\":\"message\",\"n\":1}\n{\"record\":\"summary\"}\n",
        "\u{1f600} \u{65e5}\u{672c}\u{8a9e} wide, a\u{301} combined".as_bytes(),
    ];
    let data = PAYLOADS.iter().zip(2..).map(|(payload, millis)| {
        if millis % 2 == 0 {
            client(millis * 1_000, client_data(S, payload))
        } else {
            server(millis * 1_000, server_data(C, payload))
        }
    });
    open(0)
        .into_iter()
        .chain(data)
        .chain([client(50_000, client_close(S))])
        .collect()
}
