//! Masks for differences in header fields only.

use crate::wire::Direction;

/// The masks that cover the differences between two streams, if these are only in the values of
/// header fields: lines that end in CR LF and begin with a name and `: `, as those of HTTP (RFC
/// 9112, section 5) and mail (RFC 5322, section 2.2) do.
pub(super) fn masks_for(direction: Direction, recorded: &[u8], live: &[u8]) -> Vec<String> {
    let mut masks = Vec::new();
    let mut lines = recorded.split(|byte| *byte == b'\n');
    let mut live_lines = live.split(|byte| *byte == b'\n');
    loop {
        match (lines.next(), live_lines.next()) {
            (None, None) => return masks,
            (Some(want), Some(got)) if want == got => {}
            (Some(want), Some(got)) => match (field_name(want), field_name(got)) {
                (Some(name), Some(other)) if name == other => {
                    let mask = format!("{}:/{name}: [^\\r]+/", direction.name());
                    if !masks.contains(&mask) {
                        masks.push(mask);
                    }
                }
                _ => return Vec::new(),
            },
            _ => return Vec::new(),
        }
    }
}

/// The name of a header field, where it stands in a mask as it is and the mask ends with the line.
fn field_name(line: &[u8]) -> Option<&str> {
    let field = line.strip_suffix(b"\r")?;
    let colon = field.windows(2).position(|bytes| bytes == b": ")?;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let name = std::str::from_utf8(&field[..colon]).ok()?;
    (colon > 0 && name.bytes().all(|byte| is_plain(&byte))).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &[u8] = b"GET /a?b HTTP/1.1\r\nHost: x:80\r\nAccept: */*\r\n\r\n";

    #[test]
    fn masks_are_suggested_where_nothing_but_values_of_fields_differs() {
        let live: &[u8] = b"GET /a?b HTTP/1.1\r\nHost: y:8080\r\nAccept: */*\r\n\r\n";
        let c2s = Direction::ClientToServer;
        assert_eq!(masks_for(c2s, RECORDED, live), ["c2s:/Host: [^\\r]+/"]);
        let twice = [RECORDED, RECORDED].concat();
        let live_twice = [live, live].concat();
        assert_eq!(
            masks_for(Direction::ServerToClient, &twice, &live_twice),
            ["s2c:/Host: [^\\r]+/"]
        );
        assert_eq!(masks_for(c2s, RECORDED, RECORDED), [""; 0]);
        for other in [
            &b"GET /c HTTP/1.1\r\nHost: y:8080\r\nAccept: */*\r\n\r\n"[..],
            b"GET /a?b HTTP/1.1\r\nHost: y:8080\r\n\r\n",
            b"GET /a?b HTTP/1.1\r\nHost: y:8080\r\nAccept: */*\r\n\r\nx",
            b"GET /a?b HTTP/1.1\r\nHost: y:8080\r\nOther: 1\r\n\r\n",
            b"GET /a?b HTTP/1.1\nHost: y:8080\nAccept: */*\n\n",
            b"",
        ] {
            assert_eq!(masks_for(c2s, RECORDED, other), [""; 0]);
        }
    }

    #[test]
    fn a_suggested_mask_is_a_mask_that_makes_the_streams_equal() {
        use crate::replay::Masks;
        let live: &[u8] = b"GET /a?b HTTP/1.1\r\nHost: y.example:8080\r\nAccept: x\r\n\r\n";
        let direction = Direction::ClientToServer;
        let texts = masks_for(direction, RECORDED, live);
        assert_eq!(texts.len(), 2);
        let masks = texts.iter().map(|text| text.parse().unwrap()).collect();
        assert!(Masks::new(masks).are_equal(direction, RECORDED, live));
    }
}
