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
