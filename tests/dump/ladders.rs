//! `-z ladder` and `--ladder`.

use crate::run::{SAMPLES, dump, run};

const C1: &str = "\
c1  111111/ffffff  server closed, udp, 206 ms
client 127.0.0.1:40112, server 127.0.0.1:9004

          client                 server
0.000000  │ SYN 111111  387 B    │ opens c1, destination 9kQ…zA=
      #1  ├─────────────────────▶│
0.004000  │  ACK 111111 → ffffff │ +4.0 ms
      #2  │◀─────────────────────┤
0.005000  │ DATA ffffff  27 B    │ +1.0 ms  GET / HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n
      #3  ├─────────────────────▶│
          │       ⋮ 100 ms       │
0.105000  │    DATA 111111  44 B │ HTTP/1.0 200 OK\\r\\nContent-Lengt…
      #4  │◀─────────────────────┤
          │       ⋮ 101 ms       │
0.206000  │         CLOSE 111111 │ server closed c1
      #7  │◀─────────────────────┤

";

const C2: &str = "\
c2  123456/-  refused, udp, 1.0 ms
client 127.0.0.1:40112, server 127.0.0.1:9004

          client                 server
0.150000  │ SYN 123456  387 B    │ opens c2, destination 9kQ…zA=
      #5  ├─────────────────────▶│
0.151000  │         CLOSE 123456 │ +1.0 ms  refused, 1.0 ms
      #6  │◀─────────────────────┤

";

const C3: &str = "\
c3  234567/987654  client closed, udp, 600 ms
client 127.0.0.1:40112, server 127.0.0.1:9004

          client                 server
0.300000  │ SYN 234567  387 B    │ opens c3, destination 9kQ…zA=
      #8  ├─────────────────────▶│
0.303000  │  ACK 234567 → 987654 │ +3.0 ms
      #9  │◀─────────────────────┤
          │       ⋮ 101 ms       │
0.404000  │    DATA 234567  11 B │ 220 ready\\r\\n
     #10  │◀─────────────────────┤
          │       ⋮ 496 ms       │
0.900000  │ CLOSE 987654         │ client closed c3
     #11  ├─────────────────────▶│
          │       ⋮ 300 ms       │
1.200000  │     0x53 234567  2 B │ without meaning
     #14  │◀─────────────────────┤
          ! error ms.unknown_type: type 0x53 is not in the protocol, after close

";

#[test]
fn every_conversation_has_its_ladder() {
    let all = [C1, C2, C3].concat();
    assert_eq!(dump(&format!("--ladder text {SAMPLES}")).ok(), all);
    assert_eq!(dump(&format!("-z ladder {SAMPLES}")).ok(), all);
    assert_eq!(dump(&format!("--ladder text --conv c2 {SAMPLES}")).ok(), C2);
}

#[test]
fn one_ladder_is_drawn_in_place_of_messages() {
    assert_eq!(dump(&format!("-z ladder,c1 {SAMPLES}")).ok(), C1);
    let only_data = dump(&format!("-z ladder,c1 -Y type==data {SAMPLES}")).ok();
    assert_eq!(
        only_data,
        "\
c1  111111/ffffff  server closed, udp, 206 ms
client 127.0.0.1:40112, server 127.0.0.1:9004

          client                 server
0.005000  │ DATA ffffff  27 B    │ GET / HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n
      #3  ├─────────────────────▶│
          │       ⋮ 100 ms       │
0.105000  │    DATA 111111  44 B │ HTTP/1.0 200 OK\\r\\nContent-Lengt…
      #4  │◀─────────────────────┤

"
    );
    assert_eq!(
        dump(&format!("-z ladder,c2 -Y type==data {SAMPLES}")).ok(),
        "no conversation c2 among the messages shown\n"
    );
    let absent = dump(&format!("-z ladder,c9 {SAMPLES}"));
    assert_eq!(absent.code, Some(2), "{absent:?}");
}

#[test]
fn both_views_at_a_router_are_one_ladder_of_three_lanes() {
    let expected = "\
c3 and c4  234567/987654  client closed, i2cp, 200 ms
client spec-client, router 127.0.0.1:7654, server spec-server

          client                 router                 server
0.105000  | SYN 234567  387 B    |                      | opens c3, destination 9kQ...zA=
      #5  +--------------------->|                      |
0.106000  |                      | SYN 234567  387 B    | +1.0 ms  1.0 ms in the router, opens c4, destination 9kQ...zA=
      #6  |                      +--------------------->|
0.108000  |                      | ACK 234567 -> 987654 | +2.0 ms
      #7  |                      |<---------------------+
0.109000  | ACK 234567 -> 987654 |                      | +1.0 ms  1.0 ms in the router
      #8  |<---------------------+                      |
          |       : 100 ms       |       : 100 ms       |
0.209000  |                      |    DATA 234567  11 B | 220 ready\\r\\n
      #9  |                      |<---------------------+
0.210000  |    DATA 234567  11 B |                      | +1.0 ms  1.0 ms in the router, 220 ready\\r\\n
     #10  |<---------------------+                      |
0.305000  | CLOSE 987654         |                      | +95.0 ms  client closed c3
     #11  +--------------------->|                      |
0.306000  |                      | CLOSE 987654         | +1.0 ms  1.0 ms in the router, client closed c4
     #12  |                      +--------------------->|

";
    for view in ["c3", "c4"] {
        let statistic = format!("ladder,{view}");
        let shown = run([
            "-z",
            &statistic,
            "--ascii",
            "captures/spec-samples-i2cp.pcap",
        ])
        .ok();
        assert_eq!(shown, expected, "{view}");
    }
    let one_side = dump("--ladder text --conv c4 captures/spec-samples-i2cp.pcap").ok();
    assert_eq!(
        one_side,
        "\
c4  234567/987654  client closed, i2cp, 200 ms
client spec-client, server spec-server

          client                 server
0.106000  │ SYN 234567  387 B    │ 1.0 ms in the router, opens c4, destination 9kQ…zA=
      #6  ├─────────────────────▶│
0.108000  │  ACK 234567 → 987654 │ +2.0 ms
      #7  │◀─────────────────────┤
          │       ⋮ 101 ms       │
0.209000  │    DATA 234567  11 B │ 220 ready\\r\\n
      #9  │◀─────────────────────┤
0.306000  │ CLOSE 987654         │ +97.0 ms  1.0 ms in the router, client closed c4
     #12  ├─────────────────────▶│

"
    );
}

#[test]
fn a_ladder_for_documents_is_a_mermaid_diagram() {
    assert_eq!(
        dump(&format!("--ladder mermaid --conv c3 {SAMPLES}")).ok(),
        "\
```mermaid
sequenceDiagram
    accTitle: c3  234567/987654  client closed, udp, 600 ms
    participant a as client 127.0.0.1#58;40112
    participant b as server 127.0.0.1#58;9004
    a->>b: #35;8 SYN 234567  387 B<br/>opens c3, destination 9kQ…zA#61;
    b->>a: #35;9 ACK 234567 → 987654, +3.0 ms
    Note over a,b: 101 ms idle
    b->>a: #35;10 DATA 234567  11 B<br/>220 ready#92;r#92;n
    Note over a,b: 496 ms idle
    a->>b: #35;11 CLOSE 987654<br/>client closed c3
    Note over a,b: 300 ms idle
    b->>a: #35;14 0x53 234567  2 B<br/>without meaning
    Note over a,b: error ms.unknown#95;type#58; type 0x53 is not in the protocol, after close
```

"
    );
}

#[test]
fn a_picture_is_one_svg_file_without_anything_from_elsewhere() {
    let picture = dump(&format!("-z ladder,c3,svg {SAMPLES}")).ok();
    assert!(
        picture.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""),
        "{picture}"
    );
    assert!(picture.ends_with("</svg>\n"), "{picture}");
    assert_eq!(picture.matches("<svg").count(), 1);
    assert_eq!(picture.matches("://").count(), 1);
    for part in ["220 ready\\r\\n", "496 ms idle", "error  ms.unknown_type"] {
        assert!(picture.contains(part), "{part}");
    }
}

#[test]
fn a_ladder_takes_the_place_of_other_formats() {
    for (other, named) in [
        ("-T json", "-T <FORMAT>"),
        ("-V", "-V"),
        ("-q", "-q"),
        ("-z conv", "-z <STAT>"),
    ] {
        assert_eq!(
            dump(&format!("--ladder text {other} {SAMPLES}")).reason(),
            format!("the argument '--ladder <HOW>' cannot be used with '{named}'")
        );
    }
}
