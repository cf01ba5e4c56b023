//! Findings about packets that a capture holds twice.

use std::fmt::Write as _;

use super::findings::about_capture;
use crate::capture::{InputInfo, InterfaceId};
use crate::conversation::{DetailName, Finding, FindingCode, FindingDetail};
use crate::net::CopyCounts;

/// The finding on the number of copies left out, and the interfaces between which.
pub(super) fn finding(counts: &CopyCounts, inputs: &[InputInfo]) -> Finding {
    let mut text = match counts.total {
        1 => "1 packet was captured twice and is read once".to_owned(),
        total => format!("{total} packets were captured twice and are read once"),
    };
    let mut detail = vec![(DetailName::PacketCount, FindingDetail::Number(counts.total))];
    for (index, &(first, second, count)) in counts.pairs.iter().enumerate() {
        text.push_str(if index == 0 { ": " } else { "; " });
        let between = between(first, second, inputs);
        if counts.pairs.len() > 1 {
            // A `String` takes all that is written.
            write!(text, "{count} ").expect("a string takes any text");
        }
        text.push_str(&between);
        if index == 0 {
            detail.push((DetailName::Between, FindingDetail::Text(between)));
        }
    }
    about_capture(FindingCode::CaptureDuplicates, text, detail)
}

fn between(first: InterfaceId, second: InterfaceId, inputs: &[InputInfo]) -> String {
    let first_name = name(first, inputs);
    if first == second {
        format!("on {first_name}")
    } else {
        format!("on {first_name} and {}", name(second, inputs))
    }
}

/// An interface as people know it: its name, and its file where there are several.
fn name(id: InterfaceId, inputs: &[InputInfo]) -> String {
    let at = |index: u32| usize::try_from(index).unwrap_or(usize::MAX);
    let input = inputs.get(at(id.input));
    let interfaces = input.map_or(&[][..], |input| &input.interfaces);
    let known = interfaces.get(at(id.number));
    let mut name = match known.and_then(|interface| interface.name.as_deref()) {
        Some(name) => name.escape_debug().to_string(),
        None => format!("interface {}", id.number),
    };
    if inputs.len() > 1
        && let Some(input) = input
    {
        let path = input.path.to_string_lossy();
        match interfaces.len() {
            0 | 1 => name = path.into_owned(),
            _ => {
                name.push_str(" of ");
                name.push_str(&path);
            }
        }
    }
    name
}
