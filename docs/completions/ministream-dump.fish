complete -c ministream-dump -s r -d 'The same as FILE' -r -F
complete -c ministream-dump -s i -d 'Capture on an interface' -r
complete -c ministream-dump -s f -d 'Capture filter in libpcap\'s language: \'tcp port 9004\'' -r
complete -c ministream-dump -s s -d 'Bytes to capture of each packet; 0 for all' -r
complete -c ministream-dump -s B -d 'Size of the kernel\'s buffer: 8MiB' -r
complete -c ministream-dump -s c -d 'Stop after showing N messages' -r
complete -c ministream-dump -s a -d 'Stop after duration:10s, messages:N or bytes:N' -r
complete -c ministream-dump -s Y -d 'Show matching messages: \'type==data && conv==c3\'' -r
complete -c ministream-dump -l conv -d 'Show only these conversations: c1,c3' -r
complete -c ministream-dump -s d -d 'Carrier of a port: udp.port==9004,ministream; tcp.port==9004,ministream:u16be (or u32be, segment); tcp.port==7654,i2cp' -r
complete -c ministream-dump -l keylog -d 'Decrypt TLS 1.3 connections whose secrets are in this file, in the format of SSLKEYLOGFILE' -r -F
complete -c ministream-dump -s T -d 'Format of messages' -r -f -a "table\t'A table, then conversations and findings'
text\t'One line per message'
spec\t'Each conversation as the specification writes its samples'
json\t'One JSON object'
ndjson\t'One JSON record per line'
csv\t'Comma-separated values with a heading'
fields\t'The fields of -e, separated by tabs'"
complete -c ministream-dump -s e -d 'Fields for -T fields and csv, one or several: -e n -e type,id' -r
complete -c ministream-dump -s z -d 'Tables: conv, types, timing, findings, follow,c1 …' -r
complete -c ministream-dump -l ladder -d 'Show each conversation as a ladder diagram, in place of messages' -r -f -a "text\t'For a terminal'
mermaid\t'For Markdown documents'"
complete -c ministream-dump -l html -d 'A report for a browser, in one file' -r -F
complete -c ministream-dump -s w -d 'Packets of the selection as pcapng' -r -F
complete -c ministream-dump -l export -d 'Write the streams of each conversation to files in DIR: c1.c2s.bin, c1.s2c.bin, and index.json; replaces the tables as --html does' -r -F
complete -c ministream-dump -l parquet -d 'Add messages, conversations and findings to a Parquet data set in DIR, with the names and types of the JSON records: messages/capture=FILE/part-00000.parquet and so on; replaces the tables as --html does' -r -F
complete -c ministream-dump -s t -d 'Times: r(elative), d(elta), a (local time), u(tc), e(poch)' -r -f -a "r\t'Seconds since the first packet'
d\t'Seconds since the previous message'
a\t'Local date and time'
u\t'Date and time in UTC'
e\t'Seconds since 1970'"
complete -c ministream-dump -l payload -d 'How much of payloads to show [default: preview in tables, full in JSON]' -r -f -a "none\t'Nothing but the length'
preview\t'The beginning'
full\t'Everything'"
complete -c ministream-dump -l redact -d 'Make every output safe to share: payload (its bytes become *), dest (destinations become pseudonyms), or payload,dest; lengths, ids, addresses and times stay' -r -f -a "payload\t'Application data, and nicknames of I2CP sessions'
dest\t'I2P destinations and their hashes, and nicknames of I2CP sessions'"
complete -c ministream-dump -l redact-key -d 'Derive pseudonyms from the key in FILE, so that they are the same in several runs; the file is created if it does not exist. Keep it to yourself' -r -F
complete -c ministream-dump -l id-format -d 'Ids in hex, in base64 as in Java logs, or both' -r -f -a "hex\t'Six hex digits'
b64\t'Four characters of I2P base64'
both\t'Both'"
complete -c ministream-dump -l schema -d 'Version of the schema of JSON records' -r -f -a "1\t''"
complete -c ministream-dump -l color -d 'Colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb say otherwise'
always\t'Always'
never\t'Never'"
complete -c ministream-dump -l progress -d 'Progress on standard error, if that is a terminal' -r -f -a "auto\t'After a second, on a terminal'
never\t'Never'"
complete -c ministream-dump -l fail-on -d 'Exit with 1 on a note, warn, error, or if empty' -r -f -a "note\t'Any finding'
warn\t'A warning or an error'
error\t'An error'
empty\t'No message shown'"
complete -c ministream-dump -s j -l jobs -d 'Threads to use; the output does not depend on it [default: the machine\'s cores]' -r
complete -c ministream-dump -l memory -d 'Memory for flows and conversations: 64MiB [default: a quarter of the machine\'s, or the container\'s]' -r
complete -c ministream-dump -l generate -d 'Print completions for a shell, the manual page, the JSON Schema of records, or a dissector for Wireshark' -r -f -a "completions-bash\t'Completions for bash'
completions-zsh\t'Completions for zsh'
completions-fish\t'Completions for fish'
completions-powershell\t'Completions for PowerShell'
completions-elvish\t'Completions for Elvish'
man\t'The manual page, for man'
schema\t'JSON Schema of the records of -T ndjson and -T json'
wireshark-lua\t'A dissector for Wireshark\'s plugin folder, with the names of fields and findings used here'"
complete -c ministream-dump -l concat -d 'Read several captures one after the other, in the order given, not merged by time'
complete -c ministream-dump -s D -d 'List interfaces'
complete -c ministream-dump -s p -d 'Do not put the interface into promiscuous mode'
complete -c ministream-dump -l list-fields -d 'List the fields that filters and -e know'
complete -c ministream-dump -l whole-conv -d 'Show all messages of conversations in which one matches -Y (reads files twice)'
complete -c ministream-dump -l json -d 'The same as -T json'
complete -c ministream-dump -s V -d 'Every field of a message, with its offset'
complete -c ministream-dump -s x -d 'The bytes of each message'
complete -c ministream-dump -l tui -d 'Browse conversations; ? shows the keys'
complete -c ministream-dump -l force -d 'Let --export write to a directory that is not empty, and --parquet to an existing partition, and replace files'
complete -c ministream-dump -s q -d 'No messages, only the tables asked for'
complete -c ministream-dump -l ascii -d 'ASCII instead of box lines and arrows'
complete -c ministream-dump -l no-pager -d 'Never use a pager for results longer than the screen'
complete -c ministream-dump -l lenient -d 'Exit with 0, not 3, when a capture is truncated or packets were dropped'
complete -c ministream-dump -s n -d 'No effect, for compatibility: addresses and ports are never resolved'
complete -c ministream-dump -s l -d 'Show every message immediately, also when reading from a pipe'
complete -c ministream-dump -s v -d 'More messages on standard error: -v skipped packets, -vv also reassembly'
complete -c ministream-dump -l version -d 'Print the version'
complete -c ministream-dump -s h -l help -d 'Print help (see more with \'--help\')'
