//! A dissector for Wireshark and `tshark`, in Lua, with our names of fields and findings.

/// The dissector, a Lua file for Wireshark's plugin folder. It says at its top how to install it.
pub const LUA_DISSECTOR: &str = include_str!("wireshark/ministream.lua");

#[cfg(test)]
mod tests {
    use super::LUA_DISSECTOR;
    use crate::conversation::FindingCode;
    use crate::field::Field;

    /// Codes that take another layer than messages, or the end of the capture, to tell.
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
    fn every_finding_has_its_level_and_meaning_or_is_left_out() {
        for code in FindingCode::ALL {
            let entry = format!(
                "[\"{code}\"] = {{ \"{}\", \"{}\" }},",
                code.level(),
                code.meaning()
            );
            assert_eq!(
                LUA_DISSECTOR.contains(&entry),
                !LEFT_OUT.contains(code),
                "{entry}"
            );
        }
    }

    #[test]
    fn every_field_is_one_of_ours() {
        let names: Vec<&str> = LUA_DISSECTOR
            .match_indices("ProtoField.")
            .filter_map(|(at, _)| LUA_DISSECTOR[at..].split('"').nth(1)?.split_once('.'))
            .map(|(_, name)| name)
            .collect();
        assert_eq!(names.len(), 20, "{names:?}");
        for name in names {
            assert!(Field::named(name).is_some(), "{name}");
        }
    }
}
