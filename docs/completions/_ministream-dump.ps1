
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'ministream-dump' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'ministream-dump'
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
        'ministream-dump' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'The same as FILE')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Capture on an interface')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Capture filter in libpcap''s language: ''tcp port 9004''')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Bytes to capture of each packet; 0 for all')
            [CompletionResult]::new('-B', '-B ', [CompletionResultType]::ParameterName, 'Size of the kernel''s buffer: 8MiB')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Stop after showing N messages')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Stop after duration:10s, messages:N or bytes:N')
            [CompletionResult]::new('-Y', '-Y ', [CompletionResultType]::ParameterName, 'Show matching messages: ''type==data && conv==c3''')
            [CompletionResult]::new('--conv', '--conv', [CompletionResultType]::ParameterName, 'Show only these conversations: c1,c3')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Carrier of a port: udp.port==9004,ministream; tcp.port==9004,ministream:u16be (or u32be, segment); tcp.port==7654,i2cp')
            [CompletionResult]::new('--keylog', '--keylog', [CompletionResultType]::ParameterName, 'Decrypt TLS 1.3 connections whose secrets are in this file, in the format of SSLKEYLOGFILE')
            [CompletionResult]::new('-T', '-T ', [CompletionResultType]::ParameterName, 'Format of messages')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'Fields for -T fields and csv, one or several: -e n -e type,id')
            [CompletionResult]::new('-z', '-z', [CompletionResultType]::ParameterName, 'Tables: conv, types, timing, findings, follow,c1 …')
            [CompletionResult]::new('--ladder', '--ladder', [CompletionResultType]::ParameterName, 'Show each conversation as a ladder diagram, in place of messages')
            [CompletionResult]::new('--html', '--html', [CompletionResultType]::ParameterName, 'A report for a browser, in one file')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Packets of the selection as pcapng')
            [CompletionResult]::new('--export', '--export', [CompletionResultType]::ParameterName, 'Write the streams of each conversation to files in DIR: c1.c2s.bin, c1.s2c.bin, and index.json; replaces the tables as --html does')
            [CompletionResult]::new('--parquet', '--parquet', [CompletionResultType]::ParameterName, 'Add messages, conversations and findings to a Parquet data set in DIR, with the names and types of the JSON records: messages/capture=FILE/part-00000.parquet and so on; replaces the tables as --html does')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Times: r(elative), d(elta), a (local time), u(tc), e(poch)')
            [CompletionResult]::new('--payload', '--payload', [CompletionResultType]::ParameterName, 'How much of payloads to show [default: preview in tables, full in JSON]')
            [CompletionResult]::new('--redact', '--redact', [CompletionResultType]::ParameterName, 'Make every output safe to share: payload (its bytes become *), dest (destinations become pseudonyms), or payload,dest; lengths, ids, addresses and times stay')
            [CompletionResult]::new('--redact-key', '--redact-key', [CompletionResultType]::ParameterName, 'Derive pseudonyms from the key in FILE, so that they are the same in several runs; the file is created if it does not exist. Keep it to yourself')
            [CompletionResult]::new('--id-format', '--id-format', [CompletionResultType]::ParameterName, 'Ids in hex, in base64 as in Java logs, or both')
            [CompletionResult]::new('--schema', '--schema', [CompletionResultType]::ParameterName, 'Version of the schema of JSON records')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'Progress on standard error, if that is a terminal')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'Exit with 1 on a note, warn, error, or if empty')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Threads to use; the output does not depend on it [default: the machine''s cores]')
            [CompletionResult]::new('--jobs', '--jobs', [CompletionResultType]::ParameterName, 'Threads to use; the output does not depend on it [default: the machine''s cores]')
            [CompletionResult]::new('--memory', '--memory', [CompletionResultType]::ParameterName, 'Memory for flows and conversations: 64MiB [default: a quarter of the machine''s, or the container''s]')
            [CompletionResult]::new('--generate', '--generate', [CompletionResultType]::ParameterName, 'Print completions for a shell, the manual page, the JSON Schema of records, or a dissector for Wireshark')
            [CompletionResult]::new('--concat', '--concat', [CompletionResultType]::ParameterName, 'Read several captures one after the other, in the order given, not merged by time')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'List interfaces')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Do not put the interface into promiscuous mode')
            [CompletionResult]::new('--list-fields', '--list-fields', [CompletionResultType]::ParameterName, 'List the fields that filters and -e know')
            [CompletionResult]::new('--whole-conv', '--whole-conv', [CompletionResultType]::ParameterName, 'Show all messages of conversations in which one matches -Y (reads files twice)')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The same as -T json')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Every field of a message, with its offset')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'The bytes of each message')
            [CompletionResult]::new('--tui', '--tui', [CompletionResultType]::ParameterName, 'Browse conversations; ? shows the keys')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Let --export write to a directory that is not empty, and --parquet to an existing partition, and replace files')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No messages, only the tables asked for')
            [CompletionResult]::new('--ascii', '--ascii', [CompletionResultType]::ParameterName, 'ASCII instead of box lines and arrows')
            [CompletionResult]::new('--no-pager', '--no-pager', [CompletionResultType]::ParameterName, 'Never use a pager for results longer than the screen')
            [CompletionResult]::new('--lenient', '--lenient', [CompletionResultType]::ParameterName, 'Exit with 0, not 3, when a capture is truncated or packets were dropped')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'No effect, for compatibility: addresses and ports are never resolved')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Show every message immediately, also when reading from a pipe')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More messages on standard error: -v skipped packets, -vv also reassembly')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
