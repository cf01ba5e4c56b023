//! The memory that this process may have.

use std::fs;
use std::path::{Path, PathBuf};

/// The least of the machine's memory, the limits of this process's control groups (those of a
/// container, of a service) and that of `ulimit -v`, in bytes; `None` where the system does not
/// show them. Linux does under `root`, in `/proc` and `/sys/fs/cgroup` (proc(5), cgroups(7)).
pub(super) fn allowed_bytes(root: &Path) -> Option<u64> {
    let groups = groups(root).into_iter().filter_map(|limit| number(&limit));
    let all = machine(root).into_iter().chain(address_space(root));
    all.chain(groups).min()
}

/// Whether `ulimit -v` leaves room for one thread only: beside its stack each reserves some
/// 128 MiB of addresses for its heap (glibc), most of which it never uses.
pub(super) fn is_short_of_addresses(root: &Path) -> bool {
    const ROOM: u64 = 1 << 30;
    address_space(root).is_some_and(|bytes| bytes < ROOM)
}

fn machine(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn address_space(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/self/limits")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))?;
    // The soft limit; "unlimited" is no number.
    line.split_whitespace().next()?.parse().ok()
}

/// The files that may hold a limit: of this process's group, and of all groups around it.
fn groups(root: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let of_line = |line: &str| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, group) = rest.split_once(':')?;
        // Version 2 has one hierarchy for all controllers, and no name for it.
        let (hierarchy, file) = match controllers {
            "" => ("", "memory.max"),
            "memory" => ("memory", "memory.limit_in_bytes"),
            _ => return None,
        };
        let top = root.join("sys/fs/cgroup").join(hierarchy);
        let group = Path::new(group.trim_start_matches('/'));
        let around = group
            .ancestors()
            .map(move |group| top.join(group).join(file));
        Some(around.collect::<Vec<_>>())
    };
    text.lines().filter_map(of_line).flatten().collect()
}

/// The number in a file; version 2 of control groups writes "max" for none.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        allowed_bytes(root.path())
    }

    const MACHINE: (&str, &str) = ("proc/meminfo", "MemTotal:    8388608 kB\nMemFree: 1 kB\n");
    const GIB: u64 = 1 << 30;

    #[test]
    fn the_least_of_machine_groups_and_address_space_counts() {
        assert_eq!(allowed(&[]), None);
        assert_eq!(allowed(&[MACHINE]), Some(8 * GIB));
        let limits = |soft: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max cpu time              unlimited            unlimited            seconds   \n\
                 Max address space         {soft:<20} unlimited            bytes     \n"
            )
        };
        let unlimited = limits("unlimited");
        let limited = limits("1073741824");
        let of = |text| allowed(&[MACHINE, ("proc/self/limits", text)]);
        assert_eq!(of(&unlimited), Some(8 * GIB));
        assert_eq!(of(&limited), Some(GIB));
        let short = |soft: &str| {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join("proc/self")).unwrap();
            fs::write(root.path().join("proc/self/limits"), limits(soft)).unwrap();
            is_short_of_addresses(root.path())
        };
        assert_eq!(
            ["unlimited", "1073741824", "1073741823"].map(short),
            [false, false, true]
        );
        let grouped = allowed(&[
            MACHINE,
            ("proc/self/limits", &limited),
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "134217728\n"),
        ]);
        assert_eq!(grouped, Some(GIB / 8));
    }

    #[test]
    fn groups_around_the_own_one_count_too() {
        let own = ("proc/self/cgroup", "0::/service/ours\n");
        let of = |files: &[(&str, &str)]| allowed(&[&[MACHINE, own], files].concat());
        let inner = "sys/fs/cgroup/service/ours/memory.max";
        let outer = "sys/fs/cgroup/service/memory.max";
        assert_eq!(
            of(&[(inner, "max\n"), (outer, "2147483648\n")]),
            Some(2 * GIB)
        );
        assert_eq!(of(&[(inner, "1073741824\n"), (outer, "max\n")]), Some(GIB));
        assert_eq!(of(&[]), Some(8 * GIB));
    }

    #[test]
    fn groups_of_version_1_count_by_their_controller() {
        let own = ("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/a\n0::/\n");
        let file = "sys/fs/cgroup/memory/a/memory.limit_in_bytes";
        // The value for no limit in version 1 is more than any machine has.
        let none = "9223372036854771712\n";
        assert_eq!(allowed(&[MACHINE, own, (file, none)]), Some(8 * GIB));
        assert_eq!(allowed(&[MACHINE, own, (file, "1073741824\n")]), Some(GIB));
    }
}
