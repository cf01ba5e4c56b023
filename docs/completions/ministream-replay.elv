
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
            cand -v 'Log more: -v conversations, -vv details, -vvv everything'
            cand --version 'Print the version'
            cand -h 'Print help'
            cand --help 'Print help'
            cand client 'Local TCP in, ministreaming out'
            cand server 'Ministreaming in, a TCP service out'
            cand replay 'Play the client side of a capture against a live server'
            cand mock 'Play the server side of a capture for a live client'
            cand inject 'Send hand-made messages, and check what comes back'
            cand conform 'Try on a peer whether it keeps to the protocol'
            cand proxy 'Stand between clients and a server: watch, record, delay, change, break'
            cand keys 'Make and show I2P destinations'
            cand completions 'Print completions for a shell'
            cand man 'Print the manual page'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ministream-replay;client'= {
            cand --listen 'Open a conversation for each connection to this address; port 0 takes any'
            cand --to 'Whom to call over i2cp, and who must be there over tls: a destination in base64, a name, or a file with a destination'
            cand --carrier 'udp://host:port, tcp://host:port[?prefix=u16be], tls://host:port[?prefix=u16be] or i2cp://host[:7654][?length=HOPS&quantity=TUNNELS]'
            cand --keys 'Our I2P destination, made by `keys new`, for i2cp and tls; a client may be transient, or transient:dsa'
            cand --ready-file 'Write the line that tells readiness into this file, too'
            cand --capture 'Record what passes on the carrier, for ministream-dump and Wireshark'
            cand --max-conversations 'Most conversations at once'
            cand --max-per-peer 'Most conversations of one peer [default: 32 on udp, tcp and tls with --allow-remote, else as many as in all]'
            cand --buffer 'Bytes of a conversation that may wait for its reader'
            cand --slow-reader 'When more would wait: close:T pauses the link and closes the conversation after T, close closes it, pause waits [default: close:30s on tcp and tls, close elsewhere]'
            cand --on-eof 'When the local side ends its input: drain:5s waits for the answer until nothing came for 5 s, drain:off without limit, close does not [default: drain:5s for a client, close for a server]'
            cand --merge 'Wait this long for more before a message that is not full is sent'
            cand --max-message 'Most payload bytes of a message [default: 32KiB, 8KiB on udp]'
            cand --udp-rate 'Most bytes sent over UDP in a second'
            cand --i2cp-rate 'Most bytes given to an I2P router in a second: what the receiver''s router cannot pass on is lost'
            cand --i2cp-order 'One message of a conversation at a time over i2cp, in order whatever the router does, or as many as there are; auto: at Java routers'
            cand --connect-timeout 'How long a carrier that cannot be connected to yet is waited for'
            cand --handshake-timeout 'How long the answer to a SYN may take'
            cand --accept-timeout 'How long the service may take to accept a connection'
            cand --idle-timeout 'How long a conversation may be silent [default: off, 5m on udp]'
            cand --seed 'Make ids and faults follow from a number, for tests: whoever knows it can guess the ids'
            cand --fault 'Faults on purpose in what is sent, or in one direction: ''c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB''; see docs/faults.md'
            cand --metrics 'Serve metrics for Prometheus at http://ADDR/metrics'
            cand --tls-ca 'X.509 instead of destinations: who may have signed the other end''s certificate, in PEM'
            cand --tls-name 'The name or address that must stand in the server''s certificate'
            cand --tls-cert 'Our certificate, with those that lead to its authority, in PEM'
            cand --tls-key 'The private key of --tls-cert, in PEM'
            cand --log-format 'Form of the log [default: people on a terminal without -v, else text]'
            cand --log-file 'Append the log to a file instead of standard error'
            cand --color 'Colours, in the log and in a report'
            cand --stdio 'Open one conversation, on standard input and output, and end with it'
            cand --reconnect 'Take up service again when the link was lost'
            cand --allow-remote 'Allow addresses that are not loopback to be bound, or to be the target'
            cand --keylog 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them reads what is captured'
            cand -v 'Log more: -v conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;server'= {
            cand --target 'The one service that conversations are connected to'
            cand --allow 'Hear only these: networks, or .b32.i2p names, which tls needs; any: everybody'
            cand --carrier 'udp://host:port, tcp://host:port[?prefix=u16be], tls://host:port[?prefix=u16be] or i2cp://host[:7654][?length=HOPS&quantity=TUNNELS]'
            cand --keys 'Our I2P destination, made by `keys new`, for i2cp and tls; a client may be transient, or transient:dsa'
            cand --ready-file 'Write the line that tells readiness into this file, too'
            cand --capture 'Record what passes on the carrier, for ministream-dump and Wireshark'
            cand --max-conversations 'Most conversations at once'
            cand --max-per-peer 'Most conversations of one peer [default: 32 on udp, tcp and tls with --allow-remote, else as many as in all]'
            cand --buffer 'Bytes of a conversation that may wait for its reader'
            cand --slow-reader 'When more would wait: close:T pauses the link and closes the conversation after T, close closes it, pause waits [default: close:30s on tcp and tls, close elsewhere]'
            cand --on-eof 'When the local side ends its input: drain:5s waits for the answer until nothing came for 5 s, drain:off without limit, close does not [default: drain:5s for a client, close for a server]'
            cand --merge 'Wait this long for more before a message that is not full is sent'
            cand --max-message 'Most payload bytes of a message [default: 32KiB, 8KiB on udp]'
            cand --udp-rate 'Most bytes sent over UDP in a second'
            cand --i2cp-rate 'Most bytes given to an I2P router in a second: what the receiver''s router cannot pass on is lost'
            cand --i2cp-order 'One message of a conversation at a time over i2cp, in order whatever the router does, or as many as there are; auto: at Java routers'
            cand --connect-timeout 'How long a carrier that cannot be connected to yet is waited for'
            cand --handshake-timeout 'How long the answer to a SYN may take'
            cand --accept-timeout 'How long the service may take to accept a connection'
            cand --idle-timeout 'How long a conversation may be silent [default: off, 5m on udp]'
            cand --seed 'Make ids and faults follow from a number, for tests: whoever knows it can guess the ids'
            cand --fault 'Faults on purpose in what is sent, or in one direction: ''c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB''; see docs/faults.md'
            cand --metrics 'Serve metrics for Prometheus at http://ADDR/metrics'
            cand --tls-ca 'X.509 instead of destinations: who may have signed the other end''s certificate, in PEM'
            cand --tls-name 'The name or address that must stand in the server''s certificate'
            cand --tls-cert 'Our certificate, with those that lead to its authority, in PEM'
            cand --tls-key 'The private key of --tls-cert, in PEM'
            cand --log-format 'Form of the log [default: people on a terminal without -v, else text]'
            cand --log-file 'Append the log to a file instead of standard error'
            cand --color 'Colours, in the log and in a report'
            cand --reconnect 'Take up service again when the link was lost'
            cand --allow-remote 'Allow addresses that are not loopback to be bound, or to be the target'
            cand --keylog 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them reads what is captured'
            cand -v 'Log more: -v conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;replay'= {
            cand --conv 'Only these conversations: c1,c3'
            cand -Y 'Only conversations with a message that matches, as in ministream-dump'
            cand --mask 'Bytes that may differ: ''s2c:/Date: [^\r]+/'' or s2c:10..18'
            cand --max-diffs 'Most differences to show'
            cand --carrier 'udp://host:port, tcp://host:port[?prefix=u16be], tls://host:port[?prefix=u16be] or i2cp://host[:7654]'
            cand --keys 'Our I2P destination, made by `keys new`, for i2cp and tls; a client may be transient'
            cand --seed 'Make ids and faults follow from a number'
            cand --fault 'Faults on purpose in what is sent, or in one direction: ''c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB''; see docs/faults.md'
            cand --save-live 'Record what really passes, as pcapng'
            cand --i2cp-order 'One message of a conversation at a time over i2cp, in order whatever the router does, or as many as there are; auto: at Java routers'
            cand --connect-timeout 'How long a carrier that cannot be connected to yet is waited for'
            cand --tls-ca 'X.509 instead of destinations: who may have signed the other end''s certificate, in PEM'
            cand --tls-name 'The name or address that must stand in the server''s certificate'
            cand --tls-cert 'Our certificate, with those that lead to its authority, in PEM'
            cand --tls-key 'The private key of --tls-cert, in PEM'
            cand --log-format 'Form of the log [default: people on a terminal without -v, else text]'
            cand --log-file 'Append the log to a file instead of standard error'
            cand --color 'Colours, in the log and in a report'
            cand --to 'The destination to call, for i2cp, or that must be there, for tls'
            cand --speed 'Faster or slower than recorded by this factor'
            cand --rate 'So many messages a second: 100/s'
            cand --max-gap 'Cut longer silence of the recording to this'
            cand --start-delay 'Wait before the first message'
            cand --order 'What a message waits for: ids, replies, or none (with --ids raw)'
            cand --ids 'fresh, recorded or raw'
            cand --id-map 'Write which recorded id became which, as NDJSON'
            cand --dest 'The destination in our SYNs: keep, own or @FILE [default: own on i2cp, keep elsewhere]'
            cand --include 'Play conversations whose SYN is not in the capture, too, with their ids as captured'
            cand --expect 'The answers to expect: a capture or NDJSON with the same conversations'
            cand --compare 'What has to be as recorded: stream, messages, shape or none'
            cand --fail-on 'What makes the exit code 1'
            cand --loops 'How often each copy is played: a number or forever'
            cand --loop-gap 'Between two passes of a copy'
            cand --concurrency 'Copies at once'
            cand --stagger 'Between the starts of two copies'
            cand --duration 'Begin nothing after this'
            cand --handshake-timeout 'For the answer to a SYN'
            cand --reply-timeout 'Silence while bytes are owed'
            cand --timeout 'For everything'
            cand --report 'What is printed'
            cand --report-file 'Write the JSON report into this file'
            cand --junit 'Write a JUnit report into this file'
            cand --html 'A report for a browser, in one file: what differs, and both ladders beside each other. FILE - is standard output, in place of the table'
            cand --progress 'Progress on standard error, if that is a terminal'
            cand --concat 'Read captures one after the other, as they are named'
            cand --lenient 'Exit with 0, not 3, when a capture is truncated'
            cand --allow-remote 'Allow addresses that are not loopback to be bound'
            cand --keylog 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them reads what is captured'
            cand --dry-run 'Print the schedule and open no socket'
            cand --topspeed 'As fast as the order allows'
            cand --ascii 'ASCII instead of box lines and arrows'
            cand -v 'Log more: -v conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;mock'= {
            cand --conv 'Only these conversations: c1,c3'
            cand -Y 'Only conversations with a message that matches, as in ministream-dump'
            cand --mask 'Bytes that may differ: ''s2c:/Date: [^\r]+/'' or s2c:10..18'
            cand --max-diffs 'Most differences to show'
            cand --carrier 'udp://host:port, tcp://host:port[?prefix=u16be], tls://host:port[?prefix=u16be] or i2cp://host[:7654]'
            cand --keys 'Our I2P destination, made by `keys new`, for i2cp and tls; a client may be transient'
            cand --seed 'Make ids and faults follow from a number'
            cand --fault 'Faults on purpose in what is sent, or in one direction: ''c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB''; see docs/faults.md'
            cand --save-live 'Record what really passes, as pcapng'
            cand --i2cp-order 'One message of a conversation at a time over i2cp, in order whatever the router does, or as many as there are; auto: at Java routers'
            cand --connect-timeout 'How long a carrier that cannot be connected to yet is waited for'
            cand --tls-ca 'X.509 instead of destinations: who may have signed the other end''s certificate, in PEM'
            cand --tls-name 'The name or address that must stand in the server''s certificate'
            cand --tls-cert 'Our certificate, with those that lead to its authority, in PEM'
            cand --tls-key 'The private key of --tls-cert, in PEM'
            cand --log-format 'Form of the log [default: people on a terminal without -v, else text]'
            cand --log-file 'Append the log to a file instead of standard error'
            cand --color 'Colours, in the log and in a report'
            cand --unmatched 'When no recorded conversation is left, or like the request: refuse, close or silence'
            cand --loops 'How often each recorded conversation may be played: a number or forever'
            cand --speed 'Faster or slower than recorded by this factor'
            cand --reply-timeout 'Silence of a client while it owes bytes'
            cand --allow 'Hear only these: networks, or .b32.i2p names, which tls needs; any: everybody'
            cand --ready-file 'Write the line that tells readiness into this file, too'
            cand --concat 'Read captures one after the other, as they are named'
            cand --lenient 'Exit with 0, not 3, when a capture is truncated'
            cand --allow-remote 'Allow addresses that are not loopback to be bound'
            cand --keylog 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them reads what is captured'
            cand --topspeed 'Answer at once'
            cand -v 'Log more: -v conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;inject'= {
            cand --carrier 'udp://host:port, tcp://host:port[?prefix=u16be], tls://host:port[?prefix=u16be] or i2cp://host[:7654]'
            cand --keys 'Our I2P destination, made by `keys new`, for i2cp and tls; a client may be transient'
            cand --seed 'Make ids and faults follow from a number'
            cand --fault 'Faults on purpose in what is sent, or in one direction: ''c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB''; see docs/faults.md'
            cand --save-live 'Record what really passes, as pcapng'
            cand --i2cp-order 'One message of a conversation at a time over i2cp, in order whatever the router does, or as many as there are; auto: at Java routers'
            cand --connect-timeout 'How long a carrier that cannot be connected to yet is waited for'
            cand --tls-ca 'X.509 instead of destinations: who may have signed the other end''s certificate, in PEM'
            cand --tls-name 'The name or address that must stand in the server''s certificate'
            cand --tls-cert 'Our certificate, with those that lead to its authority, in PEM'
            cand --tls-key 'The private key of --tls-cert, in PEM'
            cand --log-format 'Form of the log [default: people on a terminal without -v, else text]'
            cand --log-file 'Append the log to a file instead of standard error'
            cand --color 'Colours, in the log and in a report'
            cand --to 'The destination to call, for i2cp, or that must be there, for tls'
            cand --script 'Read the steps from a file, or from standard input (-)'
            cand --from 'First send what the clients in a capture sent; steps follow'
            cand -Y 'Only messages that match, as in ministream-dump'
            cand --ids 'fresh, recorded or raw; a message that needs a live id waits for the ACK'
            cand --dest 'The destination in its SYNs: keep, own or @FILE [default: own on i2cp, keep elsewhere]'
            cand --allow-remote 'Allow addresses that are not loopback to be bound'
            cand --keylog 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them reads what is captured'
            cand --dry-run 'Check the script and open no socket'
            cand -v 'Log more: -v conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;conform'= {
            cand --carrier 'udp://host:port, tcp://host:port[?prefix=u16be], tls://host:port[?prefix=u16be] or i2cp://host[:7654]; called to test a server, bound to test a client'
            cand --to 'The destination of the server, for i2cp and tls'
            cand --service 'Be the service to which the tested server connects (its --target); without it, cases that look at that side are skipped'
            cand --dial 'Connect to the tested client here (its --listen) to make it open conversations'
            cand --dialect 'What is right where the protocol''s text and the implementation of 2004 differ'
            cand --retries 'Try a case that fails again, so many times'
            cand --junit 'Write a JUnit report into this file'
            cand --allow 'Hear only these clients: networks, or .b32.i2p names, which tls needs; any: everybody'
            cand --html 'A report for a browser, in one file: sentences and messages of what failed. FILE - is standard output, in place of the lines'
            cand --ready-file 'Write the line that tells readiness into this file, too'
            cand --keys 'Our I2P destination, made by `keys new`, for i2cp and tls; a client may be transient'
            cand --seed 'Make ids and faults follow from a number'
            cand --fault 'Faults on purpose in what is sent, or in one direction: ''c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB''; see docs/faults.md'
            cand --save-live 'Record what really passes, as pcapng'
            cand --i2cp-order 'One message of a conversation at a time over i2cp, in order whatever the router does, or as many as there are; auto: at Java routers'
            cand --connect-timeout 'How long a carrier that cannot be connected to yet is waited for'
            cand --tls-ca 'X.509 instead of destinations: who may have signed the other end''s certificate, in PEM'
            cand --tls-name 'The name or address that must stand in the server''s certificate'
            cand --tls-cert 'Our certificate, with those that lead to its authority, in PEM'
            cand --tls-key 'The private key of --tls-cert, in PEM'
            cand --log-format 'Form of the log [default: people on a terminal without -v, else text]'
            cand --log-file 'Append the log to a file instead of standard error'
            cand --color 'Colours, in the log and in a report'
            cand --list 'Name the cases, and try none'
            cand --strict 'Fail also where a peer only should do what it does not'
            cand --allow-remote 'Allow addresses that are not loopback to be bound'
            cand --keylog 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them reads what is captured'
            cand -v 'Log more: -v conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;proxy'= {
            cand --carrier 'Where clients come to: udp://host:port, tcp://host:port[?prefix=u16be], tls://host:port[?prefix=u16be] or i2cp://host[:7654]; port 0 takes any'
            cand --upstream 'Where the server is, by the same carrier or another of udp, tcp and tls; for i2cp the router'
            cand --keys 'Our I2P destination, made by `keys new`, for tls on either side'
            cand --to 'The destination that must be at an upstream of tls'
            cand --connect-timeout 'How long each client waits for a server that cannot be connected to yet'
            cand --ready-file 'Write the line that tells readiness into this file, too'
            cand --capture 'Record both legs, for ministream-dump and Wireshark; what rules did stands in comments'
            cand --fault 'Faults on purpose, in both directions or one: ''c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB''; see docs/faults.md'
            cand --seed 'Make faults follow from a number'
            cand --rule 'Do something to messages that match, as -Y matches; the first rule that does holds: ''type == ack && nth == 3: drop''; see docs/proxy.md'
            cand --rules 'Rules, one a line, behind those of --rule'
            cand -Y 'Show only messages that match, as in ministream-dump'
            cand -T 'Format of messages, as in ministream-dump'
            cand -e 'Fields for -T fields and csv: -e n -e type,id'
            cand -z 'Tables at the end and at SIGUSR1, as in ministream-dump: conv, types, timing, findings'
            cand -t 'Times: r(elative), d(elta), a (local time), u(tc), e(poch)'
            cand --payload 'How much of payloads is shown'
            cand --redact 'Hide what others must not see, as in ministream-dump; --capture records it all the same'
            cand --report 'What is printed at the end [default: table; none where messages are for programs]'
            cand --control 'Let the proxy be watched and changed at http://ADDR/, by a browser or as JSON; loopback only'
            cand --allow 'Hear only these clients: networks, or .b32.i2p names, which tls needs; any: everybody'
            cand --metrics 'Tell numbers to Prometheus at http://ADDR/metrics'
            cand --tls-ca 'X.509 instead of destinations: who may have signed the other end''s certificate, in PEM'
            cand --tls-name 'The name or address that must stand in the server''s certificate'
            cand --tls-cert 'Our certificate, with those that lead to its authority, in PEM'
            cand --tls-key 'The private key of --tls-cert, in PEM'
            cand --log-format 'Form of the log [default: people on a terminal without -v, else text]'
            cand --log-file 'Append the log to a file instead of standard error'
            cand --color 'Colours, in the log and in a report'
            cand --strict 'Exit with 1 if a rule never matched'
            cand -q 'Show no messages, only the tables asked for'
            cand --ascii 'ASCII instead of box lines and arrows'
            cand --allow-remote 'Allow addresses that are not loopback to be bound'
            cand --keylog 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them reads what is captured'
            cand -v 'Log more: -v conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;keys'= {
            cand -v 'Log more: -v conversations, -vv details, -vvv everything'
            cand -h 'Print help'
            cand --help 'Print help'
            cand new 'Make a destination, and keep its keys in a new file'
            cand show 'Print the destination in a key file: name, hash, base64'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ministream-replay;keys;new'= {
            cand --type 'How the destination signs. dsa is what destinations were in 2004, and protects nothing today: for laboratories, Java routers before 0.9.15 and peers of April 2004'
            cand -v 'Log more: -v conversations, -vv details, -vvv everything'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ministream-replay;keys;show'= {
            cand -v 'Log more: -v conversations, -vv details, -vvv everything'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ministream-replay;keys;help'= {
            cand new 'Make a destination, and keep its keys in a new file'
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
            cand -v 'Log more: -v conversations, -vv details, -vvv everything'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ministream-replay;man'= {
            cand -v 'Log more: -v conversations, -vv details, -vvv everything'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ministream-replay;help'= {
            cand client 'Local TCP in, ministreaming out'
            cand server 'Ministreaming in, a TCP service out'
            cand replay 'Play the client side of a capture against a live server'
            cand mock 'Play the server side of a capture for a live client'
            cand inject 'Send hand-made messages, and check what comes back'
            cand conform 'Try on a peer whether it keeps to the protocol'
            cand proxy 'Stand between clients and a server: watch, record, delay, change, break'
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
            cand new 'Make a destination, and keep its keys in a new file'
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
