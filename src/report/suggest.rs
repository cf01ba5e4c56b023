//! "Did you mean …?"

/// The candidate that is most like `word`, if any is like it at all.
pub fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.len() / 3).max(1);
    candidates
        .map(|candidate| (edits(word.as_bytes(), candidate.as_bytes()), candidate))
        .filter(|&(edits, _)| edits <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a`
/// into `b` (optimal string alignment).
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i];
        for j in 1..=b.len() {
            let replaced = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(row[j] + 1).min(next[j - 1] + 1);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if swapped {
                least = least.min(before[j - 2] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
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
