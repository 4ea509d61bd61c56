use std::path::Path;

use async_trait::async_trait;
use worktruck_core::{Error, Result};

use super::file;
use super::key::{KeyBytes, KeyProvider, Wrapped};
use super::seal;

/// Key-encryption keys that this process has: the newest one wraps, older ones still open.
///
/// A key is named by a digest of itself, so that what wraps what needs no bookkeeping.
///
/// # Examples
///
/// ```
/// use worktruck_agents::vault::{KeyBytes, KeyRing};
///
/// let (old, new) = (KeyBytes::new([1; 32]), KeyBytes::new([2; 32]));
/// let (first, second) = (old.id(), new.id());
/// let ring = KeyRing::new(new).with_older(old);
/// assert_eq!(ring.ids().collect::<Vec<_>>(), [second, first]);
/// ```
#[derive(Debug)]
pub struct KeyRing {
    /// Newest first, each under its name.
    keys: Vec<(String, KeyBytes)>,
}

impl KeyRing {
    /// A ring of one key.
    #[must_use]
    pub fn new(key: KeyBytes) -> Self {
        Self { keys: vec![(key.id(), key)] }
    }

    /// The same ring with a key that was newest before those that are in it.
    #[must_use]
    pub fn with_older(mut self, key: KeyBytes) -> Self {
        self.keys.push((key.id(), key));
        self
    }

    /// A ring of the key that `text` says in base64, such as the value of a variable.
    ///
    /// # Errors
    ///
    /// As for [`KeyBytes::from_base64`].
    pub fn from_base64(text: &str) -> Result<Self> {
        KeyBytes::from_base64(text).map(Self::new)
    }

    /// The ring in a file: a key in base64 on each line, the newest one last. Lines that are empty or begin
    /// with `#` are passed over.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if the file cannot be read, others than its owner may read it, a line is no key, or
    /// there is none. Nothing of the file is repeated.
    pub fn from_file(path: &Path) -> Result<Self> {
        Self::of(file::read(path)?, path)
    }

    /// The ring in a file as [`from_file`](Self::from_file) reads it; where there is no file, one with a new key
    /// is made, which only its owner may read.
    ///
    /// Keep a copy of it somewhere else than the store: without it nothing that is sealed can be opened.
    ///
    /// # Errors
    ///
    /// As for [`from_file`](Self::from_file), and `InvalidRequest` if the file cannot be made.
    pub fn open_or_create(path: &Path) -> Result<Self> {
        if !path.exists() {
            file::create(path, &KeyBytes::random()?)?;
        }
        Self::from_file(path)
    }

    /// Adds a new key to a file, as the newest, and gives the ring that is in it then.
    ///
    /// Processes that read the file before do not know the new key: let them read it again, then
    /// [`Vault::rewrap`](super::Vault::rewrap).
    ///
    /// # Errors
    ///
    /// As for [`from_file`](Self::from_file), and `InvalidRequest` if the file cannot be written.
    pub fn add_to_file(path: &Path) -> Result<Self> {
        let mut keys = file::read(path)?;
        keys.push(KeyBytes::random()?);
        file::replace(path, &keys)?;
        Self::of(keys, path)
    }

    /// The names of the keys, the newest first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(id, _)| id.as_str())
    }

    /// A ring of keys, of which the newest is the last.
    fn of(keys: Vec<KeyBytes>, path: &Path) -> Result<Self> {
        let keys: Vec<_> = keys.into_iter().rev().map(|key| (key.id(), key)).collect();
        if keys.is_empty() {
            return Err(Error::invalid(format!("the key file {} has no key in it", path.display())));
        }
        Ok(Self { keys })
    }

    fn newest(&self) -> Result<&(String, KeyBytes)> {
        self.keys.first().ok_or_else(|| Error::internal("a ring has no key"))
    }
}

#[async_trait]
impl KeyProvider for KeyRing {
    async fn current(&self) -> Result<String> {
        Ok(self.newest()?.0.clone())
    }

    async fn wrap(&self, key: &KeyBytes, context: &[u8]) -> Result<Wrapped> {
        let (id, newest) = self.newest()?;
        Ok(Wrapped { by: id.clone(), bytes: seal::seal(newest, context, key.expose())? })
    }

    async fn open(&self, by: &str, wrapped: &[u8], context: &[u8]) -> Result<KeyBytes> {
        let Some((_, key)) = self.keys.iter().find(|(id, _)| id == by) else {
            let known = self.ids().collect::<Vec<_>>().join(", ");
            return Err(Error::internal(format!("it was wrapped by the key {by}, and the keys here are {known}")));
        };
        let changed =
            || Error::internal(format!("it was not wrapped by the key {by}, belongs elsewhere, or was changed"));
        let plain = seal::open(key, context, wrapped).ok_or_else(changed)?;
        KeyBytes::try_from(plain.as_slice()).map_err(|_| changed())
    }
}
