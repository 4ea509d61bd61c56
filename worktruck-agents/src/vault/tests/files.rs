use std::fs;
use std::path::PathBuf;

use super::*;

/// A folder that is removed with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("worktruck-vault-{}-{test}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("keys")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[cfg(unix)]
fn set_mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn a_key_file_is_made_once_and_grows_by_a_key() {
    let folder = Folder::new("made");
    let ids = |ring: &KeyRing| ring.ids().map(str::to_owned).collect::<Vec<_>>();
    let first = ids(&KeyRing::open_or_create(&folder.file()).unwrap());
    assert_eq!(first.len(), 1);
    assert_eq!(ids(&KeyRing::open_or_create(&folder.file()).unwrap()), first, "it is read, not made again");
    let second = ids(&KeyRing::add_to_file(&folder.file()).unwrap());
    assert_eq!((second.len(), &second[1]), (2, &first[0]), "the newest comes first");
    assert_eq!(ids(&KeyRing::from_file(&folder.file()).unwrap()), second);
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "no draft is left");
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(folder.file()).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_key_file_that_is_made_by_many_has_one_key() {
    let folder = Folder::new("many");
    let made: Vec<Vec<String>> = std::thread::scope(|scope| {
        let make = || KeyRing::open_or_create(&folder.file()).unwrap().ids().map(str::to_owned).collect();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(made.iter().all(|ids| *ids == made[0] && ids.len() == 1), "{made:?}");
}

#[cfg(unix)]
#[test]
fn a_key_file_that_is_open_to_others_is_refused() {
    let folder = Folder::new("open");
    KeyRing::open_or_create(&folder.file()).unwrap();
    for mode in [0o640, 0o604, 0o660, 0o620, 0o777] {
        set_mode(&folder.file(), mode);
        for refused in [KeyRing::from_file(&folder.file()), KeyRing::add_to_file(&folder.file())] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }
    set_mode(&folder.file(), 0o400);
    KeyRing::from_file(&folder.file()).unwrap();
}

#[cfg(unix)]
#[test]
fn a_file_without_keys_is_refused_and_not_repeated() {
    let folder = Folder::new("wrong");
    let good = key(3).to_base64();
    let table = [
        (String::new(), "has no key in it"),
        ("# a comment\n\n".to_owned(), "has no key in it"),
        (format!("{}\nbm90IGEga2V5\n", *good), "line 2"),
        ("\u{0}\u{ff}".to_owned(), "line 1"),
    ];
    for (text, says) in table {
        fs::write(folder.file(), &text).unwrap();
        set_mode(&folder.file(), 0o600);
        let error = KeyRing::from_file(&folder.file()).unwrap_err();
        let told = format!("{error:?} {}", error.chain());
        assert!(told.contains(says), "{told}");
        assert!(!told.contains("bm90IGEga2V5") && !told.contains(&*good), "{told}");
    }
    fs::write(folder.file(), format!("# older\n{}\n\n# newest\n{}\n", *good, *key(4).to_base64())).unwrap();
    let ring = KeyRing::from_file(&folder.file()).unwrap();
    assert_eq!(ring.ids().collect::<Vec<_>>(), [key(4).id(), key(3).id()]);
    assert!(KeyRing::from_file(&folder.0).unwrap_err().to_string().contains("key file"), "a folder is no file");
    assert!(KeyRing::from_file(&folder.0.join("none")).is_err());
}
