//! "Did you mean …?"

/// The candidate that is most like `word`, if any is like it at all.
pub fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.len() / 3).max(1);
    candidates
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|&(edits, _)| edits <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_found_and_strangers_are_not() {
        let names = ["type", "type_byte", "conv", "carrier"];
        for (word, near) in [
            ("typ", Some("type")),
            ("tpye", Some("type")),
            ("types", Some("type")),
            ("conf", Some("conv")),
            ("carier", Some("carrier")),
            ("payload", None),
            ("", None),
        ] {
            assert_eq!(closest(word, names.into_iter()), near, "{word}");
        }
    }
}
