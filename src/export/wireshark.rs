//! A dissector for Wireshark and `tshark`, in Lua, with our names of fields and findings.

use crate::conversation::Level;
use crate::field::{Field, FieldKind, Range};

/// The dissector, but for its fields.
const DISSECTOR: &str = include_str!("wireshark/ministream.lua");

/// Where the fields go.
const PLACE: &str = "    -- Here come the columns that src/columns/tables.rs has a title for.\n";

/// The dissector, a Lua file for Wireshark's plugin folder. Its first lines say how to install it.
pub fn lua_dissector() -> String {
    let fields: String = Field::ALL.iter().copied().filter_map(proto_field).collect();
    DISSECTOR.replacen(PLACE, &fields, 1)
}

/// A field of ours as Wireshark knows it.
fn proto_field(field: Field) -> Option<String> {
    let title = field.title()?;
    let (kind, display) = match field.kind() {
        FieldKind::Number(Range::UpTo(_)) => ("uint8", ", base.HEX".to_owned()),
        FieldKind::Number(_) | FieldKind::Size => ("uint32", String::new()),
        FieldKind::Micros => ("int64", String::new()),
        FieldKind::Bytes | FieldKind::HexBytes => ("bytes", String::new()),
        FieldKind::Level => ("uint8", format!(", base.DEC, {{\n{}    }}", levels())),
        _ => ("string", String::new()),
    };
    let name = match field {
        Field::PayloadHex => Field::Payload.name(),
        field => field.name(),
    };
    Some(format!(
        "    {name} = ProtoField.{kind}(\"ministream.{name}\", \"{title}\"{display}),\n"
    ))
}

fn levels() -> String {
    (1..)
        .zip(Level::ALL)
        .map(|(number, level)| format!("        [{number}] = \"{level}\",\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{DISSECTOR, PLACE, lua_dissector};
    use crate::carrier::i2cp::gzip::MAX_INFLATED_BYTES;
    use crate::carrier::i2cp::{MAX_BODY_BYTES, MessageType};
    use crate::carrier::length_prefixed;
    use crate::conversation::{FindingCode, TrackerOptions};
    use crate::field::Field;
    use crate::wire::{Destination, MAX_DATA_PAYLOAD_BYTES, MAX_MESSAGE_BYTES};

    /// Codes that need another layer than messages, or the end of the capture.
    const LEFT_OUT: &[FindingCode] = &[
        FindingCode::SynNoAnswer,
        FindingCode::NoClose,
        FindingCode::LeftoverStall,
        FindingCode::TcpGap,
        FindingCode::TcpNoStart,
        FindingCode::TcpIncomplete,
        FindingCode::TcpSkipped,
        FindingCode::TcpResetIgnored,
        FindingCode::TcpSynIgnored,
        FindingCode::TlsUnreadable,
        FindingCode::TlsUnprovenSyn,
        FindingCode::UdpFragmentMissing,
        FindingCode::I2cpLost,
        FindingCode::I2cpReordered,
        FindingCode::CaptureTruncated,
        FindingCode::CaptureSnaplen,
        FindingCode::CaptureDropped,
        FindingCode::CaptureDuplicates,
        FindingCode::CaptureEvicted,
        FindingCode::CaptureTimeBackwards,
    ];

    #[test]
    fn every_field_with_a_title_is_declared_and_added() {
        assert_eq!(DISSECTOR.matches(PLACE).count(), 1);
        let script = lua_dissector();
        for field in Field::ALL.iter().filter(|field| field.title().is_some()) {
            let name = match field {
                Field::PayloadHex => Field::Payload.name(),
                field => field.name(),
            };
            let declared = format!("    {name} = ProtoField.");
            assert_eq!(script.matches(&declared).count(), 1, "{name}");
            let uses = [format!("field.{name}"), format!("generated(\"{name}\"")];
            assert!(uses.iter().any(|adds| DISSECTOR.contains(adds)), "{name}");
        }
    }

    #[test]
    fn its_bounds_are_ours() {
        let seconds = |nanos: i64| usize::try_from(nanos / 1_000_000_000).unwrap();
        let tracker = TrackerOptions::default();
        for (name, bound) in [
            ("MAX_PREFIXED_BYTES", length_prefixed::MAX_PREFIXED_BYTES),
            ("MAX_I2CP_BODY_BYTES", MAX_BODY_BYTES),
            ("MAX_INFLATED_BYTES", MAX_INFLATED_BYTES),
            ("MAX_MESSAGE_BYTES", MAX_MESSAGE_BYTES),
            ("MAX_DATA_PAYLOAD_BYTES", MAX_DATA_PAYLOAD_BYTES),
            ("MIN_DESTINATION_BYTES", Destination::MIN_BYTES),
            ("HANDSHAKE_LIMIT_S", seconds(tracker.handshake_limit_ns)),
            ("LINGER_S", seconds(tracker.linger_ns)),
        ] {
            let line = format!("\nlocal {name} = ");
            let (_, rest) = DISSECTOR
                .split_once(&line)
                .unwrap_or_else(|| panic!("{name}"));
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
            assert_eq!(digits, Some(&*bound.to_string()), "{name}");
        }
    }

    /// Named for the tree alone: our decoder takes no such message.
    const REPORT_ABUSE: &str = "[29] = \"ReportAbuse\"";

    #[test]
    fn it_names_the_i2cp_messages_that_we_know() {
        let (_, table) = DISSECTOR.split_once("local I2CP_TYPES = {").unwrap();
        let (table, _) = table.split_once('}').unwrap();
        let named = table.split(',').map(str::trim);
        let named: Vec<&str> = named.filter(|entry| !entry.is_empty()).collect();
        let known = MessageType::KNOWN.iter().map(|known| {
            let MessageType(number) = known;
            format!("[{number}] = \"{known}\"")
        });
        let known: BTreeSet<String> = known.chain([REPORT_ABUSE.to_owned()]).collect();
        assert_eq!(named.len(), known.len());
        let named: BTreeSet<String> = named.into_iter().map(str::to_owned).collect();
        assert_eq!(named, known);
    }

    #[test]
    fn every_finding_has_its_level_and_meaning_or_is_left_out() {
        for code in FindingCode::ALL {
            let entry = format!(
                "[\"{code}\"] = {{ \"{}\", \"{}\" }},",
                code.level(),
                code.meaning()
            );
            assert_eq!(
                DISSECTOR.contains(&entry),
                !LEFT_OUT.contains(code),
                "{entry}"
            );
        }
    }
}
