//! Messages whose connections are gone, among others that wait.

/// The number of such messages, and the bytes that they count.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    count: usize,
    bytes: usize,
}

impl Gone {
    /// Those of a connection that is gone now.
    pub(crate) const fn add(&mut self, count: usize, bytes: usize) {
        self.count += count;
        self.bytes += bytes;
    }

    /// One of them was met and dropped.
    pub(crate) const fn remove_one(&mut self, bytes: usize) {
        self.count -= 1;
        self.bytes -= bytes;
    }

    /// Whether to look at all of `count` messages with `bytes` for those to be dropped.
    ///
    /// It is worth it when half of them are: then each is looked at twice, however many connections
    /// come and go. Where it is half of the bytes, those that are looked at have as few of them as
    /// those that go: few large ones that are gone must not keep the others out.
    pub(crate) const fn are_half_of(&self, count: usize, bytes: usize) -> bool {
        self.count > 0 && (2 * self.count >= count || 2 * self.bytes >= bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_messages_or_half_of_the_bytes_is_enough() {
        for all in 0..20 {
            for gone in 0..=all {
                for met in 0..=gone {
                    let mut those = Gone::default();
                    those.add(gone, 10 * gone);
                    for _ in 0..met {
                        those.remove_one(10);
                    }
                    let (left, rest) = (gone - met, all - met);
                    let is_half = left > 0 && 2 * left >= rest;
                    let what = format!("{left} of {rest}");
                    assert_eq!(those.are_half_of(rest, 10 * rest), is_half, "{what}");
                    assert_eq!(those.are_half_of(rest, 1_000), is_half, "{what}");
                    assert_eq!(those.are_half_of(100, 10 * rest), is_half, "{what}");
                    assert!(!those.are_half_of(100, 1_000), "{what}");
                }
            }
        }
    }
}
