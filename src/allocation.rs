//! The memory that things take beside their bytes, for bounds that count it.

/// Memory of bytes with an allocation of their own, beside themselves: the allocator's overhead and
/// rounding, and the counter of users once there is a copy.
pub(crate) const ALLOCATION_BYTES: usize = 64;

/// Memory of an entry of a search tree, without the memory that it points to. Where entries come in
/// order, as in time, nodes of the standard library's are filled to six of eleven, and one in seven
/// has branches, too.
pub(crate) const fn tree_entry_bytes<T>() -> usize {
    size_of::<T>() * 9 / 4
}
