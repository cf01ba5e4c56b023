# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ministream_replay_global_optspecs
    string join \n v version h/help
end

function __fish_ministream_replay_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ministream_replay_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ministream_replay_using_subcommand
    set -l cmd (__fish_ministream_replay_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ministream-replay -n "__fish_ministream_replay_needs_command" -s v -d 'Log conversations, -vv details, -vvv everything'
complete -c ministream-replay -n "__fish_ministream_replay_needs_command" -l version -d 'Print the version'
complete -c ministream-replay -n "__fish_ministream_replay_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ministream-replay -n "__fish_ministream_replay_needs_command" -f -a "client" -d 'Local TCP in, ministreaming out'
complete -c ministream-replay -n "__fish_ministream_replay_needs_command" -f -a "server" -d 'Ministreaming in, a TCP service out'
complete -c ministream-replay -n "__fish_ministream_replay_needs_command" -f -a "replay" -d 'Play the client side of a capture against a live server'
complete -c ministream-replay -n "__fish_ministream_replay_needs_command" -f -a "mock" -d 'Play the server side of a capture for a live client'
complete -c ministream-replay -n "__fish_ministream_replay_needs_command" -f -a "inject" -d 'Send hand-made messages, and check the answers'
complete -c ministream-replay -n "__fish_ministream_replay_needs_command" -f -a "conform" -d 'Test whether a peer conforms to the protocol'
complete -c ministream-replay -n "__fish_ministream_replay_needs_command" -f -a "proxy" -d 'Watch, record, delay, change or break what passes'
complete -c ministream-replay -n "__fish_ministream_replay_needs_command" -f -a "keys" -d 'Make and show I2P destinations'
complete -c ministream-replay -n "__fish_ministream_replay_needs_command" -f -a "completions" -d 'Print completions for a shell'
complete -c ministream-replay -n "__fish_ministream_replay_needs_command" -f -a "man" -d 'Print the manual page'
complete -c ministream-replay -n "__fish_ministream_replay_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l listen -d 'Open a conversation for each connection to this address' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l to -d 'Whom to call over i2cp, or to require over tls' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l carrier -d 'udp://, tcp:// or tls://host:port, or i2cp://host' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l keys -d 'Our I2P destination, made by `keys new`' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l ready-file -d 'Write the ready line to this file, too' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l capture -d 'Record the traffic on the carrier, as pcapng' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l max-conversations -d 'Maximum number of conversations at once' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l max-per-peer -d 'Maximum number of conversations of one peer [default: 32 on udp, tcp and tls with --allow-remote, otherwise as many as in all]' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l buffer -d 'Bytes of a conversation that may wait for its reader' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l slow-reader -d 'Beyond --buffer: close:T pauses the link and closes the conversation after T, close closes it, pause waits [default: close:30s on tcp and tls, close elsewhere]' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l on-eof -d 'When the local side ends its input: drain:5s waits for the answer until nothing has come for 5 s, drain:off waits without limit, close does not wait [default: drain:5s for a client, close for a server]' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l merge -d 'How long a message that is not full waits for more bytes' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l max-message -d 'Maximum payload of a message [default: 32KiB, 8KiB on udp]' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l udp-rate -d 'Maximum bytes sent over UDP per second' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l i2cp-rate -d 'Maximum bytes given to an I2P router per second; bytes that the receiver\'s router cannot pass on are lost' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l i2cp-order -d 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers' -r -f -a "auto\t'guaranteed at Java routers, which deliver out of order, otherwise best-effort'
guaranteed\t'Each message waits until the router has reported the previous one as sent'
best-effort\t'As fast as the router takes them'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l connect-timeout -d 'How long to wait for a carrier that cannot be connected to yet' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l handshake-timeout -d 'How long the answer to a SYN may take' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l accept-timeout -d 'How long the service may take to accept a connection' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l idle-timeout -d 'How long a conversation may be silent [default: 5m on udp and i2cp, otherwise off]' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l keep-alive -d 'How long a peer may hear nothing before an empty message says that we are still there [default: 45s on udp and i2cp, otherwise off]' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l seed -d 'Derive ids and faults from a number, for tests: whoever knows it can guess the ids' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l fault -d 'Inject faults: \'latency=50ms±10ms, loss=1%\'' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l metrics -d 'Metrics for Prometheus at http://ADDR/metrics' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l tls-ca -d 'X.509 instead of destinations: authorities for the other end\'s certificate, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l tls-name -d 'The name or address that the server\'s certificate must contain' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l tls-cert -d 'Our certificate, with its chain, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l tls-key -d 'The private key of --tls-cert, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l log-format -d 'Form of the log [default: people on a terminal without -v, otherwise text]' -r -f -a "people\t'One sentence per line, repetitions folded'
text\t'Time, level and all fields'
json\t'One object per line'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l log-file -d 'Append the log to a file instead of standard error' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l color -d 'Colours, in the log and in a report' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb say otherwise'
always\t'Always'
never\t'Never'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l stdio -d 'One conversation, connected to standard input and output'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l reconnect -d 'Resume service when the link was lost'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l allow-remote -d 'Allow addresses that are not loopback'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -l keylog -d 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -s v -d 'Log conversations, -vv details, -vvv everything'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand client" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l target -d 'The service to connect conversations to' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l allow -d 'Admit only these networks or .b32.i2p names' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l carrier -d 'udp://, tcp:// or tls://host:port, or i2cp://host' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l keys -d 'Our I2P destination, made by `keys new`' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l ready-file -d 'Write the ready line to this file, too' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l capture -d 'Record the traffic on the carrier, as pcapng' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l max-conversations -d 'Maximum number of conversations at once' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l max-per-peer -d 'Maximum number of conversations of one peer [default: 32 on udp, tcp and tls with --allow-remote, otherwise as many as in all]' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l buffer -d 'Bytes of a conversation that may wait for its reader' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l slow-reader -d 'Beyond --buffer: close:T pauses the link and closes the conversation after T, close closes it, pause waits [default: close:30s on tcp and tls, close elsewhere]' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l on-eof -d 'When the local side ends its input: drain:5s waits for the answer until nothing has come for 5 s, drain:off waits without limit, close does not wait [default: drain:5s for a client, close for a server]' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l merge -d 'How long a message that is not full waits for more bytes' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l max-message -d 'Maximum payload of a message [default: 32KiB, 8KiB on udp]' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l udp-rate -d 'Maximum bytes sent over UDP per second' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l i2cp-rate -d 'Maximum bytes given to an I2P router per second; bytes that the receiver\'s router cannot pass on are lost' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l i2cp-order -d 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers' -r -f -a "auto\t'guaranteed at Java routers, which deliver out of order, otherwise best-effort'
guaranteed\t'Each message waits until the router has reported the previous one as sent'
best-effort\t'As fast as the router takes them'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l connect-timeout -d 'How long to wait for a carrier that cannot be connected to yet' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l handshake-timeout -d 'How long the answer to a SYN may take' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l accept-timeout -d 'How long the service may take to accept a connection' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l idle-timeout -d 'How long a conversation may be silent [default: 5m on udp and i2cp, otherwise off]' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l keep-alive -d 'How long a peer may hear nothing before an empty message says that we are still there [default: 45s on udp and i2cp, otherwise off]' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l seed -d 'Derive ids and faults from a number, for tests: whoever knows it can guess the ids' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l fault -d 'Inject faults: \'latency=50ms±10ms, loss=1%\'' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l metrics -d 'Metrics for Prometheus at http://ADDR/metrics' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l tls-ca -d 'X.509 instead of destinations: authorities for the other end\'s certificate, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l tls-name -d 'The name or address that the server\'s certificate must contain' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l tls-cert -d 'Our certificate, with its chain, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l tls-key -d 'The private key of --tls-cert, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l log-format -d 'Form of the log [default: people on a terminal without -v, otherwise text]' -r -f -a "people\t'One sentence per line, repetitions folded'
text\t'Time, level and all fields'
json\t'One object per line'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l log-file -d 'Append the log to a file instead of standard error' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l color -d 'Colours, in the log and in a report' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb say otherwise'
always\t'Always'
never\t'Never'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l first-message-timeout -d 'End connections over tcp and tls on which no SYN has come for so long; our own client connects before anybody wants a conversation' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l reconnect -d 'Resume service when the link was lost'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l allow-remote -d 'Allow addresses that are not loopback'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -l keylog -d 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -s v -d 'Log conversations, -vv details, -vvv everything'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand server" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l conv -d 'Only these conversations: c1,c3' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -s Y -d 'Only conversations with a message that matches' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l mask -d 'Bytes that may differ: \'s2c:/Date: [^\\r]+/\', s2c:10..18' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l max-diffs -d 'Maximum number of differences to show' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l carrier -d 'udp://, tcp:// or tls://host:port, or i2cp://host' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l keys -d 'Our I2P destination, made by `keys new`' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l seed -d 'Derive ids and faults from a number' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l fault -d 'Inject faults into sent messages, or into one direction: \'c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB\'; see docs/faults.md' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l save-live -d 'Record the live traffic, as pcapng' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l i2cp-order -d 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers' -r -f -a "auto\t'guaranteed at Java routers, which deliver out of order, otherwise best-effort'
guaranteed\t'Each message waits until the router has reported the previous one as sent'
best-effort\t'As fast as the router takes them'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l connect-timeout -d 'How long to wait for a carrier that cannot be connected to yet' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l tls-ca -d 'X.509 instead of destinations: authorities for the other end\'s certificate, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l tls-name -d 'The name or address that the server\'s certificate must contain' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l tls-cert -d 'Our certificate, with its chain, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l tls-key -d 'The private key of --tls-cert, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l log-format -d 'Form of the log [default: people on a terminal without -v, otherwise text]' -r -f -a "people\t'One sentence per line, repetitions folded'
text\t'Time, level and all fields'
json\t'One object per line'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l log-file -d 'Append the log to a file instead of standard error' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l color -d 'Colours, in the log and in a report' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb say otherwise'
always\t'Always'
never\t'Never'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l to -d 'Whom to call over i2cp, or to require over tls' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l speed -d 'Play faster or slower by this factor' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l rate -d 'Messages per second: 100/s' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l max-gap -d 'Shorten longer silences of the recording to this' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l start-delay -d 'Wait before the first message' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l order -d 'What a message waits for: ids, replies, or none (with --ids raw)' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l ids -d 'fresh, recorded or raw' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l id-map -d 'Write the live id for each recorded id, as NDJSON' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l dest -d 'The destination in our SYNs: keep, own or @FILE [default: own on i2cp and tls, keep elsewhere]' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l include -d 'Play conversations whose SYN is not in the capture, too, with their ids as captured' -r -f -a "mid-stream\t'Conversations whose SYN is not in the capture'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l expect -d 'The answers to expect: a capture or NDJSON with the same conversations' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l compare -d 'What must be as recorded: stream, messages, shape or none' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l fail-on -d 'What makes the exit code 1' -r -f -a "differs\t'Any result but `same`'
no-reply\t'Only missing answers'
never\t'Nothing'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l loops -d 'How often each copy is played: a number or forever' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l loop-gap -d 'Pause between two passes of a copy' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l concurrency -d 'Number of copies played at once' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l stagger -d 'Delay between the starts of two copies' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l duration -d 'Begin no conversation after this time' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l handshake-timeout -d 'Time for the answer to a SYN' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l reply-timeout -d 'Silence allowed while bytes are due' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l timeout -d 'Time for the whole run' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l report -d 'Format of the report on standard output' -r -f -a "table\t'For people'
json\t'For programs'
none\t'Nothing'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l report-file -d 'Write the JSON report to this file' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l junit -d 'Write a JUnit report to this file' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l html -d 'A report for a browser, in one file' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l progress -d 'Progress on standard error, if that is a terminal' -r -f -a "auto\t'After a second, on a terminal'
never\t'Never'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l concat -d 'Read captures one after the other, in the order given'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l lenient -d 'Exit with 0, not 3, when a capture is truncated'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l allow-remote -d 'Allow addresses that are not loopback to be bound'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l keylog -d 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l dry-run -d 'Print the schedule and open no socket'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l topspeed -d 'As fast as the order allows'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -l ascii -d 'ASCII instead of box lines and arrows'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -s v -d 'Log conversations, -vv details, -vvv everything'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l conv -d 'Only these conversations: c1,c3' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -s Y -d 'Only conversations with a message that matches' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l mask -d 'Bytes that may differ: \'s2c:/Date: [^\\r]+/\', s2c:10..18' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l max-diffs -d 'Maximum number of differences to show' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l carrier -d 'udp://, tcp:// or tls://host:port, or i2cp://host' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l keys -d 'Our I2P destination, made by `keys new`' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l seed -d 'Derive ids and faults from a number' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l fault -d 'Inject faults into sent messages, or into one direction: \'c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB\'; see docs/faults.md' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l save-live -d 'Record the live traffic, as pcapng' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l i2cp-order -d 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers' -r -f -a "auto\t'guaranteed at Java routers, which deliver out of order, otherwise best-effort'
guaranteed\t'Each message waits until the router has reported the previous one as sent'
best-effort\t'As fast as the router takes them'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l connect-timeout -d 'How long to wait for a carrier that cannot be connected to yet' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l tls-ca -d 'X.509 instead of destinations: authorities for the other end\'s certificate, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l tls-name -d 'The name or address that the server\'s certificate must contain' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l tls-cert -d 'Our certificate, with its chain, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l tls-key -d 'The private key of --tls-cert, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l log-format -d 'Form of the log [default: people on a terminal without -v, otherwise text]' -r -f -a "people\t'One sentence per line, repetitions folded'
text\t'Time, level and all fields'
json\t'One object per line'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l log-file -d 'Append the log to a file instead of standard error' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l color -d 'Colours, in the log and in a report' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb say otherwise'
always\t'Always'
never\t'Never'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l unmatched -d 'If none fits: refuse, close, silence' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l loops -d 'Plays of each conversation, or forever' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l speed -d 'Play faster or slower by this factor' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l reply-timeout -d 'Silence allowed to a client that owes bytes' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l allow -d 'Admit only these networks or .b32.i2p names' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l first-message-timeout -d 'End connections over tcp and tls on which no SYN has come for so long; our own client connects before anybody wants a conversation' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l ready-file -d 'Write the ready line to this file, too' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l concat -d 'Read captures one after the other, in the order given'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l lenient -d 'Exit with 0, not 3, when a capture is truncated'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l allow-remote -d 'Allow addresses that are not loopback to be bound'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l keylog -d 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -l topspeed -d 'Answer at once'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -s v -d 'Log conversations, -vv details, -vvv everything'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand mock" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l carrier -d 'udp://, tcp:// or tls://host:port, or i2cp://host' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l keys -d 'Our I2P destination, made by `keys new`' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l seed -d 'Derive ids and faults from a number' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l fault -d 'Inject faults into sent messages, or into one direction: \'c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB\'; see docs/faults.md' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l save-live -d 'Record the live traffic, as pcapng' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l i2cp-order -d 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers' -r -f -a "auto\t'guaranteed at Java routers, which deliver out of order, otherwise best-effort'
guaranteed\t'Each message waits until the router has reported the previous one as sent'
best-effort\t'As fast as the router takes them'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l connect-timeout -d 'How long to wait for a carrier that cannot be connected to yet' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l tls-ca -d 'X.509 instead of destinations: authorities for the other end\'s certificate, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l tls-name -d 'The name or address that the server\'s certificate must contain' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l tls-cert -d 'Our certificate, with its chain, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l tls-key -d 'The private key of --tls-cert, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l log-format -d 'Form of the log [default: people on a terminal without -v, otherwise text]' -r -f -a "people\t'One sentence per line, repetitions folded'
text\t'Time, level and all fields'
json\t'One object per line'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l log-file -d 'Append the log to a file instead of standard error' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l color -d 'Colours, in the log and in a report' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb say otherwise'
always\t'Always'
never\t'Never'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l to -d 'Whom to call over i2cp, or to require over tls' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l script -d 'Read the steps from a file, or from standard input (-)' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l from -d 'First send the clients\' messages of a capture' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -s Y -d 'Only messages of --from that match' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l ids -d 'Ids of --from: fresh, recorded or raw' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l dest -d 'The destination in its SYNs: keep, own or @FILE [default: own on i2cp and tls, keep elsewhere]' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l allow-remote -d 'Allow addresses that are not loopback to be bound'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l keylog -d 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -l dry-run -d 'Check the script and open no socket'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -s v -d 'Log conversations, -vv details, -vvv everything'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand inject" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l carrier -d 'udp://, tcp:// or tls://host:port, or i2cp://host' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l to -d 'The destination of the server, for i2cp and tls' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l service -d 'Act as the tested server\'s service (its --target)' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l dial -d 'Where the tested client listens (its --listen)' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l dialect -d 'Which side to follow where the protocol\'s text and the Java implementation differ' -r -f -a "text\t'The protocol\'s text'
java2004\t'The Java implementation of April 2004'
java2011\t'The Java implementation of 2011, its last release'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l retries -d 'Repeat a failed case up to N times' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l junit -d 'Write a JUnit report to this file' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l allow -d 'Admit only these clients: networks, or .b32.i2p names, which tls needs; any admits everybody' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l html -d 'A report for a browser, in one file' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l ready-file -d 'Write the ready line to this file, too' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l keys -d 'Our I2P destination, made by `keys new`' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l seed -d 'Derive ids and faults from a number' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l fault -d 'Inject faults into sent messages, or into one direction: \'c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB\'; see docs/faults.md' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l save-live -d 'Record the live traffic, as pcapng' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l i2cp-order -d 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers' -r -f -a "auto\t'guaranteed at Java routers, which deliver out of order, otherwise best-effort'
guaranteed\t'Each message waits until the router has reported the previous one as sent'
best-effort\t'As fast as the router takes them'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l connect-timeout -d 'How long to wait for a carrier that cannot be connected to yet' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l tls-ca -d 'X.509 instead of destinations: authorities for the other end\'s certificate, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l tls-name -d 'The name or address that the server\'s certificate must contain' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l tls-cert -d 'Our certificate, with its chain, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l tls-key -d 'The private key of --tls-cert, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l log-format -d 'Form of the log [default: people on a terminal without -v, otherwise text]' -r -f -a "people\t'One sentence per line, repetitions folded'
text\t'Time, level and all fields'
json\t'One object per line'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l log-file -d 'Append the log to a file instead of standard error' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l color -d 'Colours, in the log and in a report' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb say otherwise'
always\t'Always'
never\t'Never'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l list -d 'List the cases without running them'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l strict -d 'Fail also if a `should` case fails'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l allow-remote -d 'Allow addresses that are not loopback to be bound'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -l keylog -d 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -s v -d 'Log conversations, -vv details, -vvv everything'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand conform" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l carrier -d 'Where to listen for clients: tcp://host:port, …' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l upstream -d 'Where the server is; for i2cp the router' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l keys -d 'Our I2P destination, for tls on either side' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l to -d 'The destination to require of an upstream over tls' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l connect-timeout -d 'How long each client waits for a server that cannot be connected to yet' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l ready-file -d 'Write the ready line to this file, too' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l capture -d 'Record both legs, as pcapng' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l fault -d 'Inject faults: \'latency=50ms±10ms, loss=1%\'' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l seed -d 'Derive faults from a number' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l rule -d 'Act on messages: \'type == ack && nth == 3: drop\'' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l rules -d 'Rules, one per line, after those of --rule' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -s Y -d 'Show only messages that match' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -s T -d 'Format of messages, as in ministream-dump' -r -f -a "table\t'A table, then conversations and findings'
text\t'One line per message'
spec\t'Each conversation as the specification writes its samples'
json\t'One JSON object'
ndjson\t'One JSON record per line'
csv\t'Comma-separated values with a heading'
fields\t'The fields of -e, separated by tabs'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -s e -d 'Fields for -T fields and csv: -e n -e type,id' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -s z -d 'Tables at the end: conv, types, timing, findings' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -s t -d 'Times: r(elative), d(elta), a (local time), u(tc), e(poch)' -r -f -a "r\t'Seconds since the first packet'
d\t'Seconds since the previous message'
a\t'Local date and time'
u\t'Date and time in UTC'
e\t'Seconds since 1970'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l payload -d 'How much of payloads to show' -r -f -a "none\t'Nothing but the length'
preview\t'The beginning'
full\t'Everything'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l redact -d 'Hide secrets, as in ministream-dump; --capture records them all the same' -r -f -a "payload\t'Application data, and nicknames of I2CP sessions'
dest\t'I2P destinations and their hashes, and nicknames of I2CP sessions'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l report -d 'Format of the report at the end [default: table; none if messages are for programs]' -r -f -a "table\t'For people'
json\t'For programs'
none\t'Nothing'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l control -d 'Watch and control it in a browser, at http://ADDR/' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l allow -d 'Admit only these clients: networks, or .b32.i2p names, which tls needs; any admits everybody' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l first-message-timeout -d 'End connections over tcp and tls on which no SYN has come for so long; our own client connects before anybody wants a conversation' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l metrics -d 'Serve metrics for Prometheus at http://ADDR/metrics' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l tls-ca -d 'X.509 instead of destinations: authorities for the other end\'s certificate, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l tls-name -d 'The name or address that the server\'s certificate must contain' -r
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l tls-cert -d 'Our certificate, with its chain, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l tls-key -d 'The private key of --tls-cert, in PEM' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l log-format -d 'Form of the log [default: people on a terminal without -v, otherwise text]' -r -f -a "people\t'One sentence per line, repetitions folded'
text\t'Time, level and all fields'
json\t'One object per line'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l log-file -d 'Append the log to a file instead of standard error' -r -F
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l color -d 'Colours, in the log and in a report' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb say otherwise'
always\t'Always'
never\t'Never'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l strict -d 'Exit with 1 if a rule never matched'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -s q -d 'Show no messages, only the tables asked for'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l ascii -d 'ASCII instead of box lines and arrows'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l allow-remote -d 'Allow addresses that are not loopback to be bound'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -l keylog -d 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -s v -d 'Log conversations, -vv details, -vvv everything'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand proxy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand keys; and not __fish_seen_subcommand_from new show help" -s v -d 'Log conversations, -vv details, -vvv everything'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand keys; and not __fish_seen_subcommand_from new show help" -s h -l help -d 'Print help'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand keys; and not __fish_seen_subcommand_from new show help" -f -a "new" -d 'Make a destination, and write its keys to a new file'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand keys; and not __fish_seen_subcommand_from new show help" -f -a "show" -d 'Print the destination in a key file: name, hash, base64'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand keys; and not __fish_seen_subcommand_from new show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand keys; and __fish_seen_subcommand_from new" -l type -d 'Type of the signing key' -r -f -a "dsa\t'387 bytes, null certificate, DSA-SHA1'
ed25519\t'391 bytes, key certificate'"
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand keys; and __fish_seen_subcommand_from new" -s v -d 'Log conversations, -vv details, -vvv everything'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand keys; and __fish_seen_subcommand_from new" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand keys; and __fish_seen_subcommand_from show" -s v -d 'Log conversations, -vv details, -vvv everything'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand keys; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "new" -d 'Make a destination, and write its keys to a new file'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "show" -d 'Print the destination in a key file: name, hash, base64'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand completions" -s v -d 'Log conversations, -vv details, -vvv everything'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand completions" -s h -l help -d 'Print help'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand man" -s v -d 'Log conversations, -vv details, -vvv everything'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand man" -s h -l help -d 'Print help'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand help; and not __fish_seen_subcommand_from client server replay mock inject conform proxy keys completions man help" -f -a "client" -d 'Local TCP in, ministreaming out'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand help; and not __fish_seen_subcommand_from client server replay mock inject conform proxy keys completions man help" -f -a "server" -d 'Ministreaming in, a TCP service out'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand help; and not __fish_seen_subcommand_from client server replay mock inject conform proxy keys completions man help" -f -a "replay" -d 'Play the client side of a capture against a live server'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand help; and not __fish_seen_subcommand_from client server replay mock inject conform proxy keys completions man help" -f -a "mock" -d 'Play the server side of a capture for a live client'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand help; and not __fish_seen_subcommand_from client server replay mock inject conform proxy keys completions man help" -f -a "inject" -d 'Send hand-made messages, and check the answers'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand help; and not __fish_seen_subcommand_from client server replay mock inject conform proxy keys completions man help" -f -a "conform" -d 'Test whether a peer conforms to the protocol'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand help; and not __fish_seen_subcommand_from client server replay mock inject conform proxy keys completions man help" -f -a "proxy" -d 'Watch, record, delay, change or break what passes'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand help; and not __fish_seen_subcommand_from client server replay mock inject conform proxy keys completions man help" -f -a "keys" -d 'Make and show I2P destinations'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand help; and not __fish_seen_subcommand_from client server replay mock inject conform proxy keys completions man help" -f -a "completions" -d 'Print completions for a shell'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand help; and not __fish_seen_subcommand_from client server replay mock inject conform proxy keys completions man help" -f -a "man" -d 'Print the manual page'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand help; and not __fish_seen_subcommand_from client server replay mock inject conform proxy keys completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand help; and __fish_seen_subcommand_from keys" -f -a "new" -d 'Make a destination, and write its keys to a new file'
complete -c ministream-replay -n "__fish_ministream_replay_using_subcommand help; and __fish_seen_subcommand_from keys" -f -a "show" -d 'Print the destination in a key file: name, hash, base64'
