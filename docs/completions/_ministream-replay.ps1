
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'ministream-replay' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'ministream-replay'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'ministream-replay' {
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log conversations, -vv details, -vvv everything')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('client', 'client', [CompletionResultType]::ParameterValue, 'Local TCP in, ministreaming out')
            [CompletionResult]::new('server', 'server', [CompletionResultType]::ParameterValue, 'Ministreaming in, a TCP service out')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Play the client side of a capture against a live server')
            [CompletionResult]::new('mock', 'mock', [CompletionResultType]::ParameterValue, 'Play the server side of a capture for a live client')
            [CompletionResult]::new('inject', 'inject', [CompletionResultType]::ParameterValue, 'Send hand-made messages, and check the answers')
            [CompletionResult]::new('conform', 'conform', [CompletionResultType]::ParameterValue, 'Test whether a peer conforms to the protocol')
            [CompletionResult]::new('proxy', 'proxy', [CompletionResultType]::ParameterValue, 'Watch, record, delay, change or break what passes')
            [CompletionResult]::new('keys', 'keys', [CompletionResultType]::ParameterValue, 'Make and show I2P destinations')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print completions for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ministream-replay;client' {
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Open a conversation for each connection to this address')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Whom to call over i2cp, or to require over tls')
            [CompletionResult]::new('--carrier', '--carrier', [CompletionResultType]::ParameterName, 'udp://, tcp:// or tls://host:port, or i2cp://host')
            [CompletionResult]::new('--keys', '--keys', [CompletionResultType]::ParameterName, 'Our I2P destination, made by `keys new`')
            [CompletionResult]::new('--ready-file', '--ready-file', [CompletionResultType]::ParameterName, 'Write the ready line to this file, too')
            [CompletionResult]::new('--capture', '--capture', [CompletionResultType]::ParameterName, 'Record the traffic on the carrier, as pcapng')
            [CompletionResult]::new('--max-conversations', '--max-conversations', [CompletionResultType]::ParameterName, 'Maximum number of conversations at once')
            [CompletionResult]::new('--max-per-peer', '--max-per-peer', [CompletionResultType]::ParameterName, 'Maximum number of conversations of one peer [default: 32 on udp, tcp and tls with --allow-remote, otherwise as many as in all]')
            [CompletionResult]::new('--buffer', '--buffer', [CompletionResultType]::ParameterName, 'Bytes of a conversation that may wait for its reader')
            [CompletionResult]::new('--slow-reader', '--slow-reader', [CompletionResultType]::ParameterName, 'Beyond --buffer: close:T pauses the link and closes the conversation after T, close closes it, pause waits [default: close:30s on tcp and tls, close elsewhere]')
            [CompletionResult]::new('--on-eof', '--on-eof', [CompletionResultType]::ParameterName, 'When the local side ends its input: drain:5s waits for the answer until nothing has come for 5 s, drain:off waits without limit, close does not wait [default: drain:5s for a client, close for a server]')
            [CompletionResult]::new('--merge', '--merge', [CompletionResultType]::ParameterName, 'How long a message that is not full waits for more bytes')
            [CompletionResult]::new('--max-message', '--max-message', [CompletionResultType]::ParameterName, 'Maximum payload of a message [default: 32KiB, 8KiB on udp]')
            [CompletionResult]::new('--udp-rate', '--udp-rate', [CompletionResultType]::ParameterName, 'Maximum bytes sent over UDP per second')
            [CompletionResult]::new('--i2cp-rate', '--i2cp-rate', [CompletionResultType]::ParameterName, 'Maximum bytes given to an I2P router per second; bytes that the receiver''s router cannot pass on are lost')
            [CompletionResult]::new('--i2cp-order', '--i2cp-order', [CompletionResultType]::ParameterName, 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long to wait for a carrier that cannot be connected to yet')
            [CompletionResult]::new('--handshake-timeout', '--handshake-timeout', [CompletionResultType]::ParameterName, 'How long the answer to a SYN may take')
            [CompletionResult]::new('--accept-timeout', '--accept-timeout', [CompletionResultType]::ParameterName, 'How long the service may take to accept a connection')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'How long a conversation may be silent [default: 5m on udp and i2cp, otherwise off]')
            [CompletionResult]::new('--keep-alive', '--keep-alive', [CompletionResultType]::ParameterName, 'How long a peer may hear nothing before an empty message says that we are still there [default: 45s on udp and i2cp, otherwise off]')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Derive ids and faults from a number, for tests: whoever knows it can guess the ids')
            [CompletionResult]::new('--fault', '--fault', [CompletionResultType]::ParameterName, 'Inject faults: ''latency=50ms±10ms, loss=1%''')
            [CompletionResult]::new('--metrics', '--metrics', [CompletionResultType]::ParameterName, 'Metrics for Prometheus at http://ADDR/metrics')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'X.509 instead of destinations: authorities for the other end''s certificate, in PEM')
            [CompletionResult]::new('--tls-name', '--tls-name', [CompletionResultType]::ParameterName, 'The name or address that the server''s certificate must contain')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Our certificate, with its chain, in PEM')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'The private key of --tls-cert, in PEM')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Form of the log [default: people on a terminal without -v, otherwise text]')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Append the log to a file instead of standard error')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours, in the log and in a report')
            [CompletionResult]::new('--stdio', '--stdio', [CompletionResultType]::ParameterName, 'One conversation, connected to standard input and output')
            [CompletionResult]::new('--reconnect', '--reconnect', [CompletionResultType]::ParameterName, 'Resume service when the link was lost')
            [CompletionResult]::new('--allow-remote', '--allow-remote', [CompletionResultType]::ParameterName, 'Allow addresses that are not loopback')
            [CompletionResult]::new('--keylog', '--keylog', [CompletionResultType]::ParameterName, 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log conversations, -vv details, -vvv everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ministream-replay;server' {
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'The service to connect conversations to')
            [CompletionResult]::new('--allow', '--allow', [CompletionResultType]::ParameterName, 'Admit only these networks or .b32.i2p names')
            [CompletionResult]::new('--carrier', '--carrier', [CompletionResultType]::ParameterName, 'udp://, tcp:// or tls://host:port, or i2cp://host')
            [CompletionResult]::new('--keys', '--keys', [CompletionResultType]::ParameterName, 'Our I2P destination, made by `keys new`')
            [CompletionResult]::new('--ready-file', '--ready-file', [CompletionResultType]::ParameterName, 'Write the ready line to this file, too')
            [CompletionResult]::new('--capture', '--capture', [CompletionResultType]::ParameterName, 'Record the traffic on the carrier, as pcapng')
            [CompletionResult]::new('--max-conversations', '--max-conversations', [CompletionResultType]::ParameterName, 'Maximum number of conversations at once')
            [CompletionResult]::new('--max-per-peer', '--max-per-peer', [CompletionResultType]::ParameterName, 'Maximum number of conversations of one peer [default: 32 on udp, tcp and tls with --allow-remote, otherwise as many as in all]')
            [CompletionResult]::new('--buffer', '--buffer', [CompletionResultType]::ParameterName, 'Bytes of a conversation that may wait for its reader')
            [CompletionResult]::new('--slow-reader', '--slow-reader', [CompletionResultType]::ParameterName, 'Beyond --buffer: close:T pauses the link and closes the conversation after T, close closes it, pause waits [default: close:30s on tcp and tls, close elsewhere]')
            [CompletionResult]::new('--on-eof', '--on-eof', [CompletionResultType]::ParameterName, 'When the local side ends its input: drain:5s waits for the answer until nothing has come for 5 s, drain:off waits without limit, close does not wait [default: drain:5s for a client, close for a server]')
            [CompletionResult]::new('--merge', '--merge', [CompletionResultType]::ParameterName, 'How long a message that is not full waits for more bytes')
            [CompletionResult]::new('--max-message', '--max-message', [CompletionResultType]::ParameterName, 'Maximum payload of a message [default: 32KiB, 8KiB on udp]')
            [CompletionResult]::new('--udp-rate', '--udp-rate', [CompletionResultType]::ParameterName, 'Maximum bytes sent over UDP per second')
            [CompletionResult]::new('--i2cp-rate', '--i2cp-rate', [CompletionResultType]::ParameterName, 'Maximum bytes given to an I2P router per second; bytes that the receiver''s router cannot pass on are lost')
            [CompletionResult]::new('--i2cp-order', '--i2cp-order', [CompletionResultType]::ParameterName, 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long to wait for a carrier that cannot be connected to yet')
            [CompletionResult]::new('--handshake-timeout', '--handshake-timeout', [CompletionResultType]::ParameterName, 'How long the answer to a SYN may take')
            [CompletionResult]::new('--accept-timeout', '--accept-timeout', [CompletionResultType]::ParameterName, 'How long the service may take to accept a connection')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'How long a conversation may be silent [default: 5m on udp and i2cp, otherwise off]')
            [CompletionResult]::new('--keep-alive', '--keep-alive', [CompletionResultType]::ParameterName, 'How long a peer may hear nothing before an empty message says that we are still there [default: 45s on udp and i2cp, otherwise off]')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Derive ids and faults from a number, for tests: whoever knows it can guess the ids')
            [CompletionResult]::new('--fault', '--fault', [CompletionResultType]::ParameterName, 'Inject faults: ''latency=50ms±10ms, loss=1%''')
            [CompletionResult]::new('--metrics', '--metrics', [CompletionResultType]::ParameterName, 'Metrics for Prometheus at http://ADDR/metrics')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'X.509 instead of destinations: authorities for the other end''s certificate, in PEM')
            [CompletionResult]::new('--tls-name', '--tls-name', [CompletionResultType]::ParameterName, 'The name or address that the server''s certificate must contain')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Our certificate, with its chain, in PEM')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'The private key of --tls-cert, in PEM')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Form of the log [default: people on a terminal without -v, otherwise text]')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Append the log to a file instead of standard error')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours, in the log and in a report')
            [CompletionResult]::new('--first-message-timeout', '--first-message-timeout', [CompletionResultType]::ParameterName, 'End connections over tcp and tls on which no SYN has come for so long; our own client connects before anybody wants a conversation')
            [CompletionResult]::new('--reconnect', '--reconnect', [CompletionResultType]::ParameterName, 'Resume service when the link was lost')
            [CompletionResult]::new('--allow-remote', '--allow-remote', [CompletionResultType]::ParameterName, 'Allow addresses that are not loopback')
            [CompletionResult]::new('--keylog', '--keylog', [CompletionResultType]::ParameterName, 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log conversations, -vv details, -vvv everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ministream-replay;replay' {
            [CompletionResult]::new('--conv', '--conv', [CompletionResultType]::ParameterName, 'Only these conversations: c1,c3')
            [CompletionResult]::new('-Y', '-Y ', [CompletionResultType]::ParameterName, 'Only conversations with a message that matches')
            [CompletionResult]::new('--mask', '--mask', [CompletionResultType]::ParameterName, 'Bytes that may differ: ''s2c:/Date: [^\r]+/'', s2c:10..18')
            [CompletionResult]::new('--max-diffs', '--max-diffs', [CompletionResultType]::ParameterName, 'Maximum number of differences to show')
            [CompletionResult]::new('--carrier', '--carrier', [CompletionResultType]::ParameterName, 'udp://, tcp:// or tls://host:port, or i2cp://host')
            [CompletionResult]::new('--keys', '--keys', [CompletionResultType]::ParameterName, 'Our I2P destination, made by `keys new`')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Derive ids and faults from a number')
            [CompletionResult]::new('--fault', '--fault', [CompletionResultType]::ParameterName, 'Inject faults into sent messages, or into one direction: ''c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB''; see docs/faults.md')
            [CompletionResult]::new('--save-live', '--save-live', [CompletionResultType]::ParameterName, 'Record the live traffic, as pcapng')
            [CompletionResult]::new('--i2cp-order', '--i2cp-order', [CompletionResultType]::ParameterName, 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long to wait for a carrier that cannot be connected to yet')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'X.509 instead of destinations: authorities for the other end''s certificate, in PEM')
            [CompletionResult]::new('--tls-name', '--tls-name', [CompletionResultType]::ParameterName, 'The name or address that the server''s certificate must contain')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Our certificate, with its chain, in PEM')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'The private key of --tls-cert, in PEM')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Form of the log [default: people on a terminal without -v, otherwise text]')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Append the log to a file instead of standard error')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours, in the log and in a report')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Whom to call over i2cp, or to require over tls')
            [CompletionResult]::new('--speed', '--speed', [CompletionResultType]::ParameterName, 'Play faster or slower by this factor')
            [CompletionResult]::new('--rate', '--rate', [CompletionResultType]::ParameterName, 'Messages per second: 100/s')
            [CompletionResult]::new('--max-gap', '--max-gap', [CompletionResultType]::ParameterName, 'Shorten longer silences of the recording to this')
            [CompletionResult]::new('--start-delay', '--start-delay', [CompletionResultType]::ParameterName, 'Wait before the first message')
            [CompletionResult]::new('--order', '--order', [CompletionResultType]::ParameterName, 'What a message waits for: ids, replies, or none (with --ids raw)')
            [CompletionResult]::new('--ids', '--ids', [CompletionResultType]::ParameterName, 'fresh, recorded or raw')
            [CompletionResult]::new('--id-map', '--id-map', [CompletionResultType]::ParameterName, 'Write the live id for each recorded id, as NDJSON')
            [CompletionResult]::new('--dest', '--dest', [CompletionResultType]::ParameterName, 'The destination in our SYNs: keep, own or @FILE [default: own on i2cp and tls, keep elsewhere]')
            [CompletionResult]::new('--include', '--include', [CompletionResultType]::ParameterName, 'Play conversations whose SYN is not in the capture, too, with their ids as captured')
            [CompletionResult]::new('--expect', '--expect', [CompletionResultType]::ParameterName, 'The answers to expect: a capture or NDJSON with the same conversations')
            [CompletionResult]::new('--compare', '--compare', [CompletionResultType]::ParameterName, 'What must be as recorded: stream, messages, shape or none')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'What makes the exit code 1')
            [CompletionResult]::new('--loops', '--loops', [CompletionResultType]::ParameterName, 'How often each copy is played: a number or forever')
            [CompletionResult]::new('--loop-gap', '--loop-gap', [CompletionResultType]::ParameterName, 'Pause between two passes of a copy')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Number of copies played at once')
            [CompletionResult]::new('--stagger', '--stagger', [CompletionResultType]::ParameterName, 'Delay between the starts of two copies')
            [CompletionResult]::new('--duration', '--duration', [CompletionResultType]::ParameterName, 'Begin no conversation after this time')
            [CompletionResult]::new('--handshake-timeout', '--handshake-timeout', [CompletionResultType]::ParameterName, 'Time for the answer to a SYN')
            [CompletionResult]::new('--reply-timeout', '--reply-timeout', [CompletionResultType]::ParameterName, 'Silence allowed while bytes are due')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time for the whole run')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'Format of the report on standard output')
            [CompletionResult]::new('--report-file', '--report-file', [CompletionResultType]::ParameterName, 'Write the JSON report to this file')
            [CompletionResult]::new('--junit', '--junit', [CompletionResultType]::ParameterName, 'Write a JUnit report to this file')
            [CompletionResult]::new('--html', '--html', [CompletionResultType]::ParameterName, 'A report for a browser, in one file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'Progress on standard error, if that is a terminal')
            [CompletionResult]::new('--concat', '--concat', [CompletionResultType]::ParameterName, 'Read captures one after the other, in the order given')
            [CompletionResult]::new('--lenient', '--lenient', [CompletionResultType]::ParameterName, 'Exit with 0, not 3, when a capture is truncated')
            [CompletionResult]::new('--allow-remote', '--allow-remote', [CompletionResultType]::ParameterName, 'Allow addresses that are not loopback to be bound')
            [CompletionResult]::new('--keylog', '--keylog', [CompletionResultType]::ParameterName, 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the schedule and open no socket')
            [CompletionResult]::new('--topspeed', '--topspeed', [CompletionResultType]::ParameterName, 'As fast as the order allows')
            [CompletionResult]::new('--ascii', '--ascii', [CompletionResultType]::ParameterName, 'ASCII instead of box lines and arrows')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log conversations, -vv details, -vvv everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ministream-replay;mock' {
            [CompletionResult]::new('--conv', '--conv', [CompletionResultType]::ParameterName, 'Only these conversations: c1,c3')
            [CompletionResult]::new('-Y', '-Y ', [CompletionResultType]::ParameterName, 'Only conversations with a message that matches')
            [CompletionResult]::new('--mask', '--mask', [CompletionResultType]::ParameterName, 'Bytes that may differ: ''s2c:/Date: [^\r]+/'', s2c:10..18')
            [CompletionResult]::new('--max-diffs', '--max-diffs', [CompletionResultType]::ParameterName, 'Maximum number of differences to show')
            [CompletionResult]::new('--carrier', '--carrier', [CompletionResultType]::ParameterName, 'udp://, tcp:// or tls://host:port, or i2cp://host')
            [CompletionResult]::new('--keys', '--keys', [CompletionResultType]::ParameterName, 'Our I2P destination, made by `keys new`')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Derive ids and faults from a number')
            [CompletionResult]::new('--fault', '--fault', [CompletionResultType]::ParameterName, 'Inject faults into sent messages, or into one direction: ''c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB''; see docs/faults.md')
            [CompletionResult]::new('--save-live', '--save-live', [CompletionResultType]::ParameterName, 'Record the live traffic, as pcapng')
            [CompletionResult]::new('--i2cp-order', '--i2cp-order', [CompletionResultType]::ParameterName, 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long to wait for a carrier that cannot be connected to yet')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'X.509 instead of destinations: authorities for the other end''s certificate, in PEM')
            [CompletionResult]::new('--tls-name', '--tls-name', [CompletionResultType]::ParameterName, 'The name or address that the server''s certificate must contain')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Our certificate, with its chain, in PEM')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'The private key of --tls-cert, in PEM')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Form of the log [default: people on a terminal without -v, otherwise text]')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Append the log to a file instead of standard error')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours, in the log and in a report')
            [CompletionResult]::new('--unmatched', '--unmatched', [CompletionResultType]::ParameterName, 'If none fits: refuse, close, silence')
            [CompletionResult]::new('--loops', '--loops', [CompletionResultType]::ParameterName, 'Plays of each conversation, or forever')
            [CompletionResult]::new('--speed', '--speed', [CompletionResultType]::ParameterName, 'Play faster or slower by this factor')
            [CompletionResult]::new('--reply-timeout', '--reply-timeout', [CompletionResultType]::ParameterName, 'Silence allowed to a client that owes bytes')
            [CompletionResult]::new('--allow', '--allow', [CompletionResultType]::ParameterName, 'Admit only these networks or .b32.i2p names')
            [CompletionResult]::new('--first-message-timeout', '--first-message-timeout', [CompletionResultType]::ParameterName, 'End connections over tcp and tls on which no SYN has come for so long; our own client connects before anybody wants a conversation')
            [CompletionResult]::new('--ready-file', '--ready-file', [CompletionResultType]::ParameterName, 'Write the ready line to this file, too')
            [CompletionResult]::new('--concat', '--concat', [CompletionResultType]::ParameterName, 'Read captures one after the other, in the order given')
            [CompletionResult]::new('--lenient', '--lenient', [CompletionResultType]::ParameterName, 'Exit with 0, not 3, when a capture is truncated')
            [CompletionResult]::new('--allow-remote', '--allow-remote', [CompletionResultType]::ParameterName, 'Allow addresses that are not loopback to be bound')
            [CompletionResult]::new('--keylog', '--keylog', [CompletionResultType]::ParameterName, 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures')
            [CompletionResult]::new('--topspeed', '--topspeed', [CompletionResultType]::ParameterName, 'Answer at once')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log conversations, -vv details, -vvv everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ministream-replay;inject' {
            [CompletionResult]::new('--carrier', '--carrier', [CompletionResultType]::ParameterName, 'udp://, tcp:// or tls://host:port, or i2cp://host')
            [CompletionResult]::new('--keys', '--keys', [CompletionResultType]::ParameterName, 'Our I2P destination, made by `keys new`')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Derive ids and faults from a number')
            [CompletionResult]::new('--fault', '--fault', [CompletionResultType]::ParameterName, 'Inject faults into sent messages, or into one direction: ''c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB''; see docs/faults.md')
            [CompletionResult]::new('--save-live', '--save-live', [CompletionResultType]::ParameterName, 'Record the live traffic, as pcapng')
            [CompletionResult]::new('--i2cp-order', '--i2cp-order', [CompletionResultType]::ParameterName, 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long to wait for a carrier that cannot be connected to yet')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'X.509 instead of destinations: authorities for the other end''s certificate, in PEM')
            [CompletionResult]::new('--tls-name', '--tls-name', [CompletionResultType]::ParameterName, 'The name or address that the server''s certificate must contain')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Our certificate, with its chain, in PEM')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'The private key of --tls-cert, in PEM')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Form of the log [default: people on a terminal without -v, otherwise text]')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Append the log to a file instead of standard error')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours, in the log and in a report')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Whom to call over i2cp, or to require over tls')
            [CompletionResult]::new('--script', '--script', [CompletionResultType]::ParameterName, 'Read the steps from a file, or from standard input (-)')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'First send the clients'' messages of a capture')
            [CompletionResult]::new('-Y', '-Y ', [CompletionResultType]::ParameterName, 'Only messages of --from that match')
            [CompletionResult]::new('--ids', '--ids', [CompletionResultType]::ParameterName, 'Ids of --from: fresh, recorded or raw')
            [CompletionResult]::new('--dest', '--dest', [CompletionResultType]::ParameterName, 'The destination in its SYNs: keep, own or @FILE [default: own on i2cp and tls, keep elsewhere]')
            [CompletionResult]::new('--allow-remote', '--allow-remote', [CompletionResultType]::ParameterName, 'Allow addresses that are not loopback to be bound')
            [CompletionResult]::new('--keylog', '--keylog', [CompletionResultType]::ParameterName, 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Check the script and open no socket')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log conversations, -vv details, -vvv everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ministream-replay;conform' {
            [CompletionResult]::new('--carrier', '--carrier', [CompletionResultType]::ParameterName, 'udp://, tcp:// or tls://host:port, or i2cp://host')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'The destination of the server, for i2cp and tls')
            [CompletionResult]::new('--service', '--service', [CompletionResultType]::ParameterName, 'Act as the tested server''s service (its --target)')
            [CompletionResult]::new('--dial', '--dial', [CompletionResultType]::ParameterName, 'Where the tested client listens (its --listen)')
            [CompletionResult]::new('--dialect', '--dialect', [CompletionResultType]::ParameterName, 'Which side to follow where the protocol''s text and the Java implementation differ')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'Repeat a failed case up to N times')
            [CompletionResult]::new('--junit', '--junit', [CompletionResultType]::ParameterName, 'Write a JUnit report to this file')
            [CompletionResult]::new('--allow', '--allow', [CompletionResultType]::ParameterName, 'Admit only these clients: networks, or .b32.i2p names, which tls needs; any admits everybody')
            [CompletionResult]::new('--html', '--html', [CompletionResultType]::ParameterName, 'A report for a browser, in one file')
            [CompletionResult]::new('--ready-file', '--ready-file', [CompletionResultType]::ParameterName, 'Write the ready line to this file, too')
            [CompletionResult]::new('--keys', '--keys', [CompletionResultType]::ParameterName, 'Our I2P destination, made by `keys new`')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Derive ids and faults from a number')
            [CompletionResult]::new('--fault', '--fault', [CompletionResultType]::ParameterName, 'Inject faults into sent messages, or into one direction: ''c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB''; see docs/faults.md')
            [CompletionResult]::new('--save-live', '--save-live', [CompletionResultType]::ParameterName, 'Record the live traffic, as pcapng')
            [CompletionResult]::new('--i2cp-order', '--i2cp-order', [CompletionResultType]::ParameterName, 'Order of messages over i2cp: guaranteed sends one message of a conversation at a time, best-effort does not wait; auto is guaranteed at Java routers')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long to wait for a carrier that cannot be connected to yet')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'X.509 instead of destinations: authorities for the other end''s certificate, in PEM')
            [CompletionResult]::new('--tls-name', '--tls-name', [CompletionResultType]::ParameterName, 'The name or address that the server''s certificate must contain')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Our certificate, with its chain, in PEM')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'The private key of --tls-cert, in PEM')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Form of the log [default: people on a terminal without -v, otherwise text]')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Append the log to a file instead of standard error')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours, in the log and in a report')
            [CompletionResult]::new('--list', '--list', [CompletionResultType]::ParameterName, 'List the cases without running them')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Fail also if a `should` case fails')
            [CompletionResult]::new('--allow-remote', '--allow-remote', [CompletionResultType]::ParameterName, 'Allow addresses that are not loopback to be bound')
            [CompletionResult]::new('--keylog', '--keylog', [CompletionResultType]::ParameterName, 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log conversations, -vv details, -vvv everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ministream-replay;proxy' {
            [CompletionResult]::new('--carrier', '--carrier', [CompletionResultType]::ParameterName, 'Where to listen for clients: tcp://host:port, …')
            [CompletionResult]::new('--upstream', '--upstream', [CompletionResultType]::ParameterName, 'Where the server is; for i2cp the router')
            [CompletionResult]::new('--keys', '--keys', [CompletionResultType]::ParameterName, 'Our I2P destination, for tls on either side')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'The destination to require of an upstream over tls')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long each client waits for a server that cannot be connected to yet')
            [CompletionResult]::new('--ready-file', '--ready-file', [CompletionResultType]::ParameterName, 'Write the ready line to this file, too')
            [CompletionResult]::new('--capture', '--capture', [CompletionResultType]::ParameterName, 'Record both legs, as pcapng')
            [CompletionResult]::new('--fault', '--fault', [CompletionResultType]::ParameterName, 'Inject faults: ''latency=50ms±10ms, loss=1%''')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Derive faults from a number')
            [CompletionResult]::new('--rule', '--rule', [CompletionResultType]::ParameterName, 'Act on messages: ''type == ack && nth == 3: drop''')
            [CompletionResult]::new('--rules', '--rules', [CompletionResultType]::ParameterName, 'Rules, one per line, after those of --rule')
            [CompletionResult]::new('-Y', '-Y ', [CompletionResultType]::ParameterName, 'Show only messages that match')
            [CompletionResult]::new('-T', '-T ', [CompletionResultType]::ParameterName, 'Format of messages, as in ministream-dump')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'Fields for -T fields and csv: -e n -e type,id')
            [CompletionResult]::new('-z', '-z', [CompletionResultType]::ParameterName, 'Tables at the end: conv, types, timing, findings')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Times: r(elative), d(elta), a (local time), u(tc), e(poch)')
            [CompletionResult]::new('--payload', '--payload', [CompletionResultType]::ParameterName, 'How much of payloads to show')
            [CompletionResult]::new('--redact', '--redact', [CompletionResultType]::ParameterName, 'Hide secrets, as in ministream-dump; --capture records them all the same')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'Format of the report at the end [default: table; none if messages are for programs]')
            [CompletionResult]::new('--control', '--control', [CompletionResultType]::ParameterName, 'Watch and control it in a browser, at http://ADDR/')
            [CompletionResult]::new('--allow', '--allow', [CompletionResultType]::ParameterName, 'Admit only these clients: networks, or .b32.i2p names, which tls needs; any admits everybody')
            [CompletionResult]::new('--first-message-timeout', '--first-message-timeout', [CompletionResultType]::ParameterName, 'End connections over tcp and tls on which no SYN has come for so long; our own client connects before anybody wants a conversation')
            [CompletionResult]::new('--metrics', '--metrics', [CompletionResultType]::ParameterName, 'Serve metrics for Prometheus at http://ADDR/metrics')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'X.509 instead of destinations: authorities for the other end''s certificate, in PEM')
            [CompletionResult]::new('--tls-name', '--tls-name', [CompletionResultType]::ParameterName, 'The name or address that the server''s certificate must contain')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Our certificate, with its chain, in PEM')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'The private key of --tls-cert, in PEM')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Form of the log [default: people on a terminal without -v, otherwise text]')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Append the log to a file instead of standard error')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours, in the log and in a report')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Exit with 1 if a rule never matched')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Show no messages, only the tables asked for')
            [CompletionResult]::new('--ascii', '--ascii', [CompletionResultType]::ParameterName, 'ASCII instead of box lines and arrows')
            [CompletionResult]::new('--allow-remote', '--allow-remote', [CompletionResultType]::ParameterName, 'Allow addresses that are not loopback to be bound')
            [CompletionResult]::new('--keylog', '--keylog', [CompletionResultType]::ParameterName, 'Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has them can decrypt captures')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log conversations, -vv details, -vvv everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ministream-replay;keys' {
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log conversations, -vv details, -vvv everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('new', 'new', [CompletionResultType]::ParameterValue, 'Make a destination, and write its keys to a new file')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Print the destination in a key file: name, hash, base64')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ministream-replay;keys;new' {
            [CompletionResult]::new('--type', '--type', [CompletionResultType]::ParameterName, 'Type of the signing key')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log conversations, -vv details, -vvv everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ministream-replay;keys;show' {
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log conversations, -vv details, -vvv everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ministream-replay;keys;help' {
            [CompletionResult]::new('new', 'new', [CompletionResultType]::ParameterValue, 'Make a destination, and write its keys to a new file')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Print the destination in a key file: name, hash, base64')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ministream-replay;keys;help;new' {
            break
        }
        'ministream-replay;keys;help;show' {
            break
        }
        'ministream-replay;keys;help;help' {
            break
        }
        'ministream-replay;completions' {
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log conversations, -vv details, -vvv everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ministream-replay;man' {
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log conversations, -vv details, -vvv everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ministream-replay;help' {
            [CompletionResult]::new('client', 'client', [CompletionResultType]::ParameterValue, 'Local TCP in, ministreaming out')
            [CompletionResult]::new('server', 'server', [CompletionResultType]::ParameterValue, 'Ministreaming in, a TCP service out')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Play the client side of a capture against a live server')
            [CompletionResult]::new('mock', 'mock', [CompletionResultType]::ParameterValue, 'Play the server side of a capture for a live client')
            [CompletionResult]::new('inject', 'inject', [CompletionResultType]::ParameterValue, 'Send hand-made messages, and check the answers')
            [CompletionResult]::new('conform', 'conform', [CompletionResultType]::ParameterValue, 'Test whether a peer conforms to the protocol')
            [CompletionResult]::new('proxy', 'proxy', [CompletionResultType]::ParameterValue, 'Watch, record, delay, change or break what passes')
            [CompletionResult]::new('keys', 'keys', [CompletionResultType]::ParameterValue, 'Make and show I2P destinations')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print completions for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ministream-replay;help;client' {
            break
        }
        'ministream-replay;help;server' {
            break
        }
        'ministream-replay;help;replay' {
            break
        }
        'ministream-replay;help;mock' {
            break
        }
        'ministream-replay;help;inject' {
            break
        }
        'ministream-replay;help;conform' {
            break
        }
        'ministream-replay;help;proxy' {
            break
        }
        'ministream-replay;help;keys' {
            [CompletionResult]::new('new', 'new', [CompletionResultType]::ParameterValue, 'Make a destination, and write its keys to a new file')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Print the destination in a key file: name, hash, base64')
            break
        }
        'ministream-replay;help;keys;new' {
            break
        }
        'ministream-replay;help;keys;show' {
            break
        }
        'ministream-replay;help;completions' {
            break
        }
        'ministream-replay;help;man' {
            break
        }
        'ministream-replay;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
