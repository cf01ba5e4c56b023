//! Files that take the place of old ones.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// As many links as Linux follows, one to the other.
const MAX_LINKS: usize = 40;

/// A new, empty file; old contents are lost.
///
/// # Errors
/// It cannot be made, or is a symbolic link to a file: anybody who may write to the directory could
/// have us overwrite another.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let file = make_or_open(path, File::options().write(true), None)?;
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(file)
}

/// Goes on in a new file if that `before` was moved away, else at the end of what has its name.
///
/// # Errors
/// It cannot be opened or made, or is a symbolic link to another file than that before.
#[cfg(feature = "runtime")]
pub(crate) fn go_on(path: &Path, before: Option<&File>) -> io::Result<File> {
    let before = before.map(File::metadata).transpose()?;
    make_or_open(path, File::options().append(true), before.as_ref())
}

/// Goes on at the end of a file that [`create`] made.
///
/// # Errors
/// It cannot be opened, or is a symbolic link to a file by now.
pub(crate) fn open_again(path: &Path) -> io::Result<File> {
    open_old(path, File::options().append(true), None)
}

fn make_or_open(
    path: &Path,
    options: &mut OpenOptions,
    before: Option<&Metadata>,
) -> io::Result<File> {
    // The target of a dangling link is new.
    let end = end_of_dangling_links(path)?;
    match options.create_new(true).open(&end) {
        // It was the link, or its target, that was put there only while we looked.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && end != path => {
            Err(leads_elsewhere())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // `create` has Linux refuse what others put into a directory for all
            // (fs.protected_regular).
            open_old(path, options.create_new(false).create(true), before)
        }
        made => made,
    }
}

/// Opens an old file, which is certain to be no other before it is changed: anybody who may write
/// to the directory may put a link in its place at any time. A link to the file `before` is none to
/// another.
fn open_old(path: &Path, options: &OpenOptions, before: Option<&Metadata>) -> io::Result<File> {
    let file = match options.open(path) {
        Err(_) if leads_to_file(path) => return Err(leads_elsewhere()),
        opened => opened?,
    };
    let opened = file.metadata()?;
    // Devices such as /dev/stdout are links too.
    if opened.is_file()
        && !before.is_some_and(|before| is_same(&opened, before))
        && !is_same(&opened, &path.symlink_metadata()?)
    {
        return Err(leads_elsewhere());
    }
    Ok(file)
}

/// The name itself, or where it leads if that is nowhere.
fn end_of_dangling_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let leads_nowhere = path
            .metadata()
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        if !(is_link(&path) && leads_nowhere) {
            break;
        }
        let target = path.read_link()?;
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Ok(path)
}

/// Whether the file that was opened is the one that has its name, and no link to it; or that before.
#[cfg(unix)]
fn is_same(opened: &Metadata, named: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (opened.dev(), opened.ino()) == (named.dev(), named.ino())
}

/// Whether the name is no link; which file it is cannot be told here.
#[cfg(not(unix))]
fn is_same(_opened: &Metadata, named: &Metadata) -> bool {
    named.is_file()
}

/// Whether it is a link to a file.
fn leads_to_file(path: &Path) -> bool {
    is_link(path) && path.metadata().is_ok_and(|target| target.is_file())
}

fn is_link(path: &Path) -> bool {
    let named = path.symlink_metadata();
    named.is_ok_and(|named| named.is_symlink())
}

fn leads_elsewhere() -> io::Error {
    let problem = "a symbolic link to a file, which would be overwritten";
    io::Error::new(io::ErrorKind::AlreadyExists, problem)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn a_file_takes_the_place_of_a_longer_one_and_a_link_to_nothing_makes_one() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("plain"), "what was there").unwrap();
        symlink("nothing", at("dangling")).unwrap();
        symlink(at("dangling"), at("twice")).unwrap();
        for (name, made) in [("plain", "plain"), ("new", "new"), ("twice", "nothing")] {
            create(&at(name)).unwrap().write_all(b"now").unwrap();
            assert_eq!(fs::read_to_string(at(made)).unwrap(), "now", "{name}");
        }
        symlink("/dev/null", at("device")).unwrap();
        create(&at("device")).unwrap().write_all(b"x").unwrap();
    }

    #[test]
    fn a_link_that_is_put_in_the_place_of_a_file_empties_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        // Whoever plays this has both names change places all the time.
        let (name, other) = (at("name"), at("other"));
        fs::write(at("precious"), "precious").unwrap();
        fs::write(&name, "").unwrap();
        symlink(at("precious"), &other).unwrap();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    fs::rename(&name, at("kept")).unwrap();
                    fs::rename(&other, &name).unwrap();
                    fs::rename(&name, &other).unwrap();
                    fs::rename(at("kept"), &name).unwrap();
                }
            });
            let (mut refused_count, mut is_whole) = (0, true);
            for _ in 0..10_000 {
                refused_count += usize::from(create(&name).is_err());
                is_whole &= fs::read_to_string(at("precious")).unwrap() == "precious";
            }
            is_over.store(true, Ordering::Relaxed);
            assert!(is_whole, "what a link led to was emptied");
            assert!(refused_count > 0, "the link was never in the way");
        });
    }
}
