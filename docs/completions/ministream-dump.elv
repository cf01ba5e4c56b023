
use builtin;
use str;

set edit:completion:arg-completer[ministream-dump] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'ministream-dump'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'ministream-dump'= {
            cand -r 'The same as FILE'
            cand -i 'Capture on an interface'
            cand -f 'Capture filter in libpcap''s language: ''tcp port 9004'''
            cand -s 'Bytes to capture of each packet; 0 for all'
            cand -B 'Size of the kernel''s buffer: 8MiB'
            cand -c 'Stop after showing N messages'
            cand -a 'Stop after duration:10s, messages:N or bytes:N'
            cand -Y 'Show matching messages: ''type==data && conv==c3'''
            cand --conv 'Show only these conversations: c1,c3'
            cand -d 'Carrier of a port: udp.port==9004,ministream; tcp.port==9004,ministream:u16be (or u32be, segment); tcp.port==7654,i2cp'
            cand --keylog 'Decrypt TLS 1.3 connections whose secrets are in this file, in the format of SSLKEYLOGFILE'
            cand -T 'Format of messages'
            cand -e 'Fields for -T fields and csv, one or several: -e n -e type,id'
            cand -z 'Tables: conv, types, timing, findings, follow,c1 …'
            cand --ladder 'Show each conversation as a ladder diagram, in place of messages'
            cand --html 'A report for a browser, in one file'
            cand -w 'Packets of the selection as pcapng'
            cand --export 'Write the streams of each conversation to files in DIR: c1.c2s.bin, c1.s2c.bin, and index.json; replaces the tables as --html does'
            cand --parquet 'Add messages, conversations and findings to a Parquet data set in DIR, with the names and types of the JSON records: messages/capture=FILE/part-00000.parquet and so on; replaces the tables as --html does'
            cand -t 'Times: r(elative), d(elta), a (local time), u(tc), e(poch)'
            cand --payload 'How much of payloads to show [default: preview in tables, full in JSON]'
            cand --redact 'Make every output safe to share: payload (its bytes become *), dest (destinations become pseudonyms), or payload,dest; lengths, ids, addresses and times stay'
            cand --redact-key 'Derive pseudonyms from the key in FILE, so that they are the same in several runs; the file is created if it does not exist. Keep it to yourself'
            cand --id-format 'Ids in hex, in base64 as in Java logs, or both'
            cand --schema 'Version of the schema of JSON records'
            cand --color 'Colours'
            cand --progress 'Progress on standard error, if that is a terminal'
            cand --fail-on 'Exit with 1 on a note, warn, error, or if empty'
            cand -j 'Threads to use; the output does not depend on it [default: the machine''s cores]'
            cand --jobs 'Threads to use; the output does not depend on it [default: the machine''s cores]'
            cand --memory 'Memory for flows and conversations: 64MiB [default: a quarter of the machine''s, or the container''s]'
            cand --generate 'Print completions for a shell, the manual page, the JSON Schema of records, or a dissector for Wireshark'
            cand --concat 'Read several captures one after the other, in the order given, not merged by time'
            cand -D 'List interfaces'
            cand -p 'Do not put the interface into promiscuous mode'
            cand --list-fields 'List the fields that filters and -e know'
            cand --whole-conv 'Show all messages of conversations in which one matches -Y (reads files twice)'
            cand --json 'The same as -T json'
            cand -V 'Every field of a message, with its offset'
            cand -x 'The bytes of each message'
            cand --tui 'Browse conversations; ? shows the keys'
            cand --force 'Let --export write to a directory that is not empty, and --parquet to an existing partition, and replace files'
            cand -q 'No messages, only the tables asked for'
            cand --ascii 'ASCII instead of box lines and arrows'
            cand --no-pager 'Never use a pager for results longer than the screen'
            cand --lenient 'Exit with 0, not 3, when a capture is truncated or packets were dropped'
            cand -n 'No effect, for compatibility: addresses and ports are never resolved'
            cand -l 'Show every message immediately, also when reading from a pipe'
            cand -v 'More messages on standard error: -v skipped packets, -vv also reassembly'
            cand --version 'Print the version'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
    ]
    $completions[$command]
}
