
use builtin;
use str;

set edit:completion:arg-completer[ministream-replay] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'ministream-replay'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'ministream-replay'= {
            cand -v 'Log conversations, -vv details, -vvv everything'
            cand --version 'Print the version'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand client 'Local TCP in, ministreaming out'
            cand server 'Ministreaming in, a TCP service out'
            cand replay 'Play the client side of a capture against a live server'
            cand mock 'Play the server side of a capture for a live client'
            cand inject 'Send hand-made messages, and check the answers'
            cand conform 'Test whether a peer conforms to the protocol'
            cand proxy 'Watch, record, delay, change or break what passes'
            cand keys 'Make and show I2P destinations'
            cand completions 'Print completions for a shell'
            cand man 'Print the manual page'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ministream-replay;client'= {
            cand --listen 'Open a conversation for each connection to this address'
            cand --to 'Whom to call over i2cp, or to require over tls'
            cand --carrier 'udp://, tcp:// or tls://host:port, or i2cp://host'
            cand --keys 'Our I2P destination, made by `keys new`'
            cand --ready-file 'Write the ready line to this file, too'
            cand --capture 'Record the traffic on the carrier, as pcapng'
            cand --max-conversations 'Maximum number of conversations at once'
            cand --max-per-peer 'Maximum number of conversations of one peer [default: 32 on udp, tcp and tls with --allow-remote, otherwise as many as in all]'
            cand --buffer 'Bytes of a conversation that may wait for its reader'
            cand --slow-reader 'Beyond --buffer: close:T pauses the link and closes the conversation after T, close closes it, pause waits [default: close:30s on tcp and tls, close elsewhere]'
            cand --on-eof 'When the local side ends its input: drain:5s waits for the answer until nothing has come for 5 s, drain:off waits without limit, close does not wait [default: drain:5s for a client, close for a server]'
            cand --merge 'How long a message that is not full waits for more bytes'
            cand --max-message 'Maximum payload of a message [default: 32KiB, 8KiB on udp]'
            cand --udp-rate 'Maximum bytes sent over UDP per second'
            cand --i2cp-rate 'Maximum bytes given to an I2P router per second; bytes that the receiver''s router cannot pass on are lost'
            cand --i2cp-order 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers'
            cand --connect-timeout 'How long to wait for a carrier that cannot be connected to yet'
            cand --handshake-timeout 'How long the answer to a SYN may take'
            cand --accept-timeout 'How long the service may take to accept a connection'
            cand --idle-timeout 'How long a conversation may be silent [default: 5m on udp and i2cp, otherwise off]'
            cand --keep-alive 'How long a peer may hear nothing before an empty message says that we are still there [default: 45s on udp and i2cp, otherwise off]'
            cand --seed 'Derive ids and faults from a number, for tests: whoever knows it can guess the ids'
            cand --fault 'Inject faults: ''latency=50ms±10ms, loss=1%'''
            cand --metrics 'Metrics for Prometheus at http://ADDR/metrics'
            cand --tls-ca 'X.509 instead of destinations: authorities for the other end''s certificate, in PEM'
            cand --tls-name 'The name or address that the server''s certificate must contain'
            cand --tls-cert 'Our certificate, with its chain, in PEM'
            cand --tls-key 'The private key of --tls-cert, in PEM'
            cand --log-format 'Form of the log [default: people on a terminal without -v, otherwise text]'
            cand --log-file 'Append the log to a file instead of standard error'
            cand --color 'Colours, in the log and in a report'
            cand --stdio 'One conversation, connected to standard input and output'
            cand --reconnect 'Resume service when the link was lost'
            cand --allow-remote 'Allow addresses that are not loopback'
            cand --keylog 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures'
            cand -v 'Log conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;server'= {
            cand --target 'The service to connect conversations to'
            cand --allow 'Admit only these networks or .b32.i2p names'
            cand --carrier 'udp://, tcp:// or tls://host:port, or i2cp://host'
            cand --keys 'Our I2P destination, made by `keys new`'
            cand --ready-file 'Write the ready line to this file, too'
            cand --capture 'Record the traffic on the carrier, as pcapng'
            cand --max-conversations 'Maximum number of conversations at once'
            cand --max-per-peer 'Maximum number of conversations of one peer [default: 32 on udp, tcp and tls with --allow-remote, otherwise as many as in all]'
            cand --buffer 'Bytes of a conversation that may wait for its reader'
            cand --slow-reader 'Beyond --buffer: close:T pauses the link and closes the conversation after T, close closes it, pause waits [default: close:30s on tcp and tls, close elsewhere]'
            cand --on-eof 'When the local side ends its input: drain:5s waits for the answer until nothing has come for 5 s, drain:off waits without limit, close does not wait [default: drain:5s for a client, close for a server]'
            cand --merge 'How long a message that is not full waits for more bytes'
            cand --max-message 'Maximum payload of a message [default: 32KiB, 8KiB on udp]'
            cand --udp-rate 'Maximum bytes sent over UDP per second'
            cand --i2cp-rate 'Maximum bytes given to an I2P router per second; bytes that the receiver''s router cannot pass on are lost'
            cand --i2cp-order 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers'
            cand --connect-timeout 'How long to wait for a carrier that cannot be connected to yet'
            cand --handshake-timeout 'How long the answer to a SYN may take'
            cand --accept-timeout 'How long the service may take to accept a connection'
            cand --idle-timeout 'How long a conversation may be silent [default: 5m on udp and i2cp, otherwise off]'
            cand --keep-alive 'How long a peer may hear nothing before an empty message says that we are still there [default: 45s on udp and i2cp, otherwise off]'
            cand --seed 'Derive ids and faults from a number, for tests: whoever knows it can guess the ids'
            cand --fault 'Inject faults: ''latency=50ms±10ms, loss=1%'''
            cand --metrics 'Metrics for Prometheus at http://ADDR/metrics'
            cand --tls-ca 'X.509 instead of destinations: authorities for the other end''s certificate, in PEM'
            cand --tls-name 'The name or address that the server''s certificate must contain'
            cand --tls-cert 'Our certificate, with its chain, in PEM'
            cand --tls-key 'The private key of --tls-cert, in PEM'
            cand --log-format 'Form of the log [default: people on a terminal without -v, otherwise text]'
            cand --log-file 'Append the log to a file instead of standard error'
            cand --color 'Colours, in the log and in a report'
            cand --first-message-timeout 'End connections over tcp and tls on which no SYN has come for so long; our own client connects before anybody wants a conversation'
            cand --reconnect 'Resume service when the link was lost'
            cand --allow-remote 'Allow addresses that are not loopback'
            cand --keylog 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures'
            cand -v 'Log conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;replay'= {
            cand --conv 'Only these conversations: c1,c3'
            cand -Y 'Only conversations with a message that matches'
            cand --mask 'Bytes that may differ: ''s2c:/Date: [^\r]+/'', s2c:10..18'
            cand --max-diffs 'Maximum number of differences to show'
            cand --carrier 'udp://, tcp:// or tls://host:port, or i2cp://host'
            cand --keys 'Our I2P destination, made by `keys new`'
            cand --seed 'Derive ids and faults from a number'
            cand --fault 'Inject faults into sent messages, or into one direction: ''c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB''; see docs/faults.md'
            cand --save-live 'Record the live traffic, as pcapng'
            cand --i2cp-order 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers'
            cand --connect-timeout 'How long to wait for a carrier that cannot be connected to yet'
            cand --tls-ca 'X.509 instead of destinations: authorities for the other end''s certificate, in PEM'
            cand --tls-name 'The name or address that the server''s certificate must contain'
            cand --tls-cert 'Our certificate, with its chain, in PEM'
            cand --tls-key 'The private key of --tls-cert, in PEM'
            cand --log-format 'Form of the log [default: people on a terminal without -v, otherwise text]'
            cand --log-file 'Append the log to a file instead of standard error'
            cand --color 'Colours, in the log and in a report'
            cand --to 'Whom to call over i2cp, or to require over tls'
            cand --speed 'Play faster or slower by this factor'
            cand --rate 'Messages per second: 100/s'
            cand --max-gap 'Shorten longer silences of the recording to this'
            cand --start-delay 'Wait before the first message'
            cand --order 'What a message waits for: ids, replies, or none (with --ids raw)'
            cand --ids 'fresh, recorded or raw'
            cand --id-map 'Write the live id for each recorded id, as NDJSON'
            cand --dest 'The destination in our SYNs: keep, own or @FILE [default: own on i2cp and tls, keep elsewhere]'
            cand --include 'Play conversations whose SYN is not in the capture, too, with their ids as captured'
            cand --expect 'The answers to expect: a capture or NDJSON with the same conversations'
            cand --compare 'What must be as recorded: stream, messages, shape or none'
            cand --fail-on 'What makes the exit code 1'
            cand --loops 'How often each copy is played: a number or forever'
            cand --loop-gap 'Pause between two passes of a copy'
            cand --concurrency 'Number of copies played at once'
            cand --stagger 'Delay between the starts of two copies'
            cand --duration 'Begin no conversation after this time'
            cand --handshake-timeout 'Time for the answer to a SYN'
            cand --reply-timeout 'Silence allowed while bytes are due'
            cand --timeout 'Time for the whole run'
            cand --report 'Format of the report on standard output'
            cand --report-file 'Write the JSON report to this file'
            cand --junit 'Write a JUnit report to this file'
            cand --html 'A report for a browser, in one file'
            cand --progress 'Progress on standard error, if that is a terminal'
            cand --concat 'Read captures one after the other, in the order given'
            cand --lenient 'Exit with 0, not 3, when a capture is truncated'
            cand --allow-remote 'Allow addresses that are not loopback to be bound'
            cand --keylog 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures'
            cand --dry-run 'Print the schedule and open no socket'
            cand --topspeed 'As fast as the order allows'
            cand --ascii 'ASCII instead of box lines and arrows'
            cand -v 'Log conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;mock'= {
            cand --conv 'Only these conversations: c1,c3'
            cand -Y 'Only conversations with a message that matches'
            cand --mask 'Bytes that may differ: ''s2c:/Date: [^\r]+/'', s2c:10..18'
            cand --max-diffs 'Maximum number of differences to show'
            cand --carrier 'udp://, tcp:// or tls://host:port, or i2cp://host'
            cand --keys 'Our I2P destination, made by `keys new`'
            cand --seed 'Derive ids and faults from a number'
            cand --fault 'Inject faults into sent messages, or into one direction: ''c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB''; see docs/faults.md'
            cand --save-live 'Record the live traffic, as pcapng'
            cand --i2cp-order 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers'
            cand --connect-timeout 'How long to wait for a carrier that cannot be connected to yet'
            cand --tls-ca 'X.509 instead of destinations: authorities for the other end''s certificate, in PEM'
            cand --tls-name 'The name or address that the server''s certificate must contain'
            cand --tls-cert 'Our certificate, with its chain, in PEM'
            cand --tls-key 'The private key of --tls-cert, in PEM'
            cand --log-format 'Form of the log [default: people on a terminal without -v, otherwise text]'
            cand --log-file 'Append the log to a file instead of standard error'
            cand --color 'Colours, in the log and in a report'
            cand --unmatched 'If none fits: refuse, close, silence'
            cand --loops 'Plays of each conversation, or forever'
            cand --speed 'Play faster or slower by this factor'
            cand --reply-timeout 'Silence allowed to a client that owes bytes'
            cand --allow 'Admit only these networks or .b32.i2p names'
            cand --first-message-timeout 'End connections over tcp and tls on which no SYN has come for so long; our own client connects before anybody wants a conversation'
            cand --ready-file 'Write the ready line to this file, too'
            cand --concat 'Read captures one after the other, in the order given'
            cand --lenient 'Exit with 0, not 3, when a capture is truncated'
            cand --allow-remote 'Allow addresses that are not loopback to be bound'
            cand --keylog 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures'
            cand --topspeed 'Answer at once'
            cand -v 'Log conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;inject'= {
            cand --carrier 'udp://, tcp:// or tls://host:port, or i2cp://host'
            cand --keys 'Our I2P destination, made by `keys new`'
            cand --seed 'Derive ids and faults from a number'
            cand --fault 'Inject faults into sent messages, or into one direction: ''c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB''; see docs/faults.md'
            cand --save-live 'Record the live traffic, as pcapng'
            cand --i2cp-order 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers'
            cand --connect-timeout 'How long to wait for a carrier that cannot be connected to yet'
            cand --tls-ca 'X.509 instead of destinations: authorities for the other end''s certificate, in PEM'
            cand --tls-name 'The name or address that the server''s certificate must contain'
            cand --tls-cert 'Our certificate, with its chain, in PEM'
            cand --tls-key 'The private key of --tls-cert, in PEM'
            cand --log-format 'Form of the log [default: people on a terminal without -v, otherwise text]'
            cand --log-file 'Append the log to a file instead of standard error'
            cand --color 'Colours, in the log and in a report'
            cand --to 'Whom to call over i2cp, or to require over tls'
            cand --script 'Read the steps from a file, or from standard input (-)'
            cand --from 'First send the clients'' messages of a capture'
            cand -Y 'Only messages of --from that match'
            cand --ids 'Ids of --from: fresh, recorded or raw'
            cand --dest 'The destination in its SYNs: keep, own or @FILE [default: own on i2cp and tls, keep elsewhere]'
            cand --allow-remote 'Allow addresses that are not loopback to be bound'
            cand --keylog 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures'
            cand --dry-run 'Check the script and open no socket'
            cand -v 'Log conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;conform'= {
            cand --carrier 'udp://, tcp:// or tls://host:port, or i2cp://host'
            cand --to 'The destination of the server, for i2cp and tls'
            cand --service 'Act as the tested server''s service (its --target)'
            cand --dial 'Where the tested client listens (its --listen)'
            cand --dialect 'Which side to follow where the protocol''s text and the Java implementation differ'
            cand --retries 'Repeat a failed case up to N times'
            cand --junit 'Write a JUnit report to this file'
            cand --allow 'Admit only these clients: networks, or .b32.i2p names, which tls needs; any admits everybody'
            cand --html 'A report for a browser, in one file'
            cand --ready-file 'Write the ready line to this file, too'
            cand --keys 'Our I2P destination, made by `keys new`'
            cand --seed 'Derive ids and faults from a number'
            cand --fault 'Inject faults into sent messages, or into one direction: ''c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB''; see docs/faults.md'
            cand --save-live 'Record the live traffic, as pcapng'
            cand --i2cp-order 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers'
            cand --connect-timeout 'How long to wait for a carrier that cannot be connected to yet'
            cand --tls-ca 'X.509 instead of destinations: authorities for the other end''s certificate, in PEM'
            cand --tls-name 'The name or address that the server''s certificate must contain'
            cand --tls-cert 'Our certificate, with its chain, in PEM'
            cand --tls-key 'The private key of --tls-cert, in PEM'
            cand --log-format 'Form of the log [default: people on a terminal without -v, otherwise text]'
            cand --log-file 'Append the log to a file instead of standard error'
            cand --color 'Colours, in the log and in a report'
            cand --list 'List the cases without running them'
            cand --strict 'Fail also if a `should` case fails'
            cand --allow-remote 'Allow addresses that are not loopback to be bound'
            cand --keylog 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures'
            cand -v 'Log conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;proxy'= {
            cand --carrier 'Where to listen for clients: tcp://host:port, …'
            cand --upstream 'Where the server is; for i2cp the router'
            cand --keys 'Our I2P destination, for tls on either side'
            cand --to 'The destination to require of an upstream over tls'
            cand --connect-timeout 'How long each client waits for a server that cannot be connected to yet'
            cand --ready-file 'Write the ready line to this file, too'
            cand --capture 'Record both legs, as pcapng'
            cand --fault 'Inject faults: ''latency=50ms±10ms, loss=1%'''
            cand --seed 'Derive faults from a number'
            cand --rule 'Act on messages: ''type == ack && nth == 3: drop'''
            cand --rules 'Rules, one per line, after those of --rule'
            cand -Y 'Show only messages that match'
            cand -T 'Format of messages, as in ministream-dump'
            cand -e 'Fields for -T fields and csv: -e n -e type,id'
            cand -z 'Tables at the end: conv, types, timing, findings'
            cand -t 'Times: r(elative), d(elta), a (local time), u(tc), e(poch)'
            cand --payload 'How much of payloads to show'
            cand --redact 'Hide secrets, as in ministream-dump; --capture records them all the same'
            cand --report 'Format of the report at the end [default: table; none if messages are for programs]'
            cand --control 'Watch and control it in a browser, at http://ADDR/'
            cand --allow 'Admit only these clients: networks, or .b32.i2p names, which tls needs; any admits everybody'
            cand --first-message-timeout 'End connections over tcp and tls on which no SYN has come for so long; our own client connects before anybody wants a conversation'
            cand --metrics 'Serve metrics for Prometheus at http://ADDR/metrics'
            cand --tls-ca 'X.509 instead of destinations: authorities for the other end''s certificate, in PEM'
            cand --tls-name 'The name or address that the server''s certificate must contain'
            cand --tls-cert 'Our certificate, with its chain, in PEM'
            cand --tls-key 'The private key of --tls-cert, in PEM'
            cand --log-format 'Form of the log [default: people on a terminal without -v, otherwise text]'
            cand --log-file 'Append the log to a file instead of standard error'
            cand --color 'Colours, in the log and in a report'
            cand --strict 'Exit with 1 if a rule never matched'
            cand -q 'Show no messages, only the tables asked for'
            cand --ascii 'ASCII instead of box lines and arrows'
            cand --allow-remote 'Allow addresses that are not loopback to be bound'
            cand --keylog 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures'
            cand -v 'Log conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;keys'= {
            cand -v 'Log conversations, -vv details, -vvv everything'
            cand -h 'Print help'
            cand --help 'Print help'
            cand new 'Make a destination, and write its keys to a new file'
            cand show 'Print the destination in a key file: name, hash, base64'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ministream-replay;keys;new'= {
            cand --type 'Type of the signing key'
            cand -v 'Log conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;keys;show'= {
            cand -v 'Log conversations, -vv details, -vvv everything'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ministream-replay;keys;help'= {
            cand new 'Make a destination, and write its keys to a new file'
            cand show 'Print the destination in a key file: name, hash, base64'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ministream-replay;keys;help;new'= {
        }
        &'ministream-replay;keys;help;show'= {
        }
        &'ministream-replay;keys;help;help'= {
        }
        &'ministream-replay;completions'= {
            cand -v 'Log conversations, -vv details, -vvv everything'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ministream-replay;man'= {
            cand -v 'Log conversations, -vv details, -vvv everything'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ministream-replay;help'= {
            cand client 'Local TCP in, ministreaming out'
            cand server 'Ministreaming in, a TCP service out'
            cand replay 'Play the client side of a capture against a live server'
            cand mock 'Play the server side of a capture for a live client'
            cand inject 'Send hand-made messages, and check the answers'
            cand conform 'Test whether a peer conforms to the protocol'
            cand proxy 'Watch, record, delay, change or break what passes'
            cand keys 'Make and show I2P destinations'
            cand completions 'Print completions for a shell'
            cand man 'Print the manual page'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ministream-replay;help;client'= {
        }
        &'ministream-replay;help;server'= {
        }
        &'ministream-replay;help;replay'= {
        }
        &'ministream-replay;help;mock'= {
        }
        &'ministream-replay;help;inject'= {
        }
        &'ministream-replay;help;conform'= {
        }
        &'ministream-replay;help;proxy'= {
        }
        &'ministream-replay;help;keys'= {
            cand new 'Make a destination, and write its keys to a new file'
            cand show 'Print the destination in a key file: name, hash, base64'
        }
        &'ministream-replay;help;keys;new'= {
        }
        &'ministream-replay;help;keys;show'= {
        }
        &'ministream-replay;help;completions'= {
        }
        &'ministream-replay;help;man'= {
        }
        &'ministream-replay;help;help'= {
        }
    ]
    $completions[$command]
}
