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
    use super::{DISSECTOR, PLACE, lua_dissector};
    use crate::conversation::FindingCode;
    use crate::field::Field;

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
