use std::fmt;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use worktruck_core::{Digest, Error, Result};
use zeroize::{Zeroize as _, Zeroizing};

/// How many bytes a key has.
const LENGTH: usize = 32;

/// A key of 256 bits: it cannot be printed, compared or serialised, and is wiped when dropped.
///
/// # Examples
///
/// ```
/// use worktruck_agents::vault::KeyBytes;
///
/// let key = KeyBytes::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")?;
/// assert_eq!(format!("{key:?}"), "KeyBytes(..)");
/// assert!(KeyBytes::from_base64("too short").is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
pub struct KeyBytes(
    // Out of line, so that a move leaves no copy behind.
    Box<[u8; LENGTH]>,
);

impl KeyBytes {
    /// The key with these bytes, which should be random.
    #[must_use]
    pub fn new(mut bytes: [u8; LENGTH]) -> Self {
        let key = Self(Box::new(bytes));
        bytes.zeroize();
        key
    }

    /// A key with random bytes of the system.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the system has none.
    pub fn random() -> Result<Self> {
        let mut key = Self(Box::new([0; LENGTH]));
        fill(&mut *key.0)?;
        Ok(key)
    }

    /// The key that `text` says in base64, as `openssl rand -base64 32` prints one.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if it is not 32 bytes in base64; the text is not repeated.
    pub fn from_base64(text: &str) -> Result<Self> {
        let mut key = Self(Box::new([0; LENGTH]));
        // Room for what is decoded before the end is looked at.
        let mut room = Zeroizing::new([0; LENGTH + 3]);
        let decoded = STANDARD.decode_slice(text.trim(), &mut *room);
        if decoded != Ok(LENGTH) {
            return Err(Error::invalid("a key is 32 bytes in base64, such as `openssl rand -base64 32` prints"));
        }
        key.0.copy_from_slice(&room[..LENGTH]);
        Ok(key)
    }

    /// The key in base64.
    pub(super) fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.as_slice()))
    }

    /// Names the key without telling it: `kek-` and 16 hexadecimal digits of a digest.
    #[must_use]
    pub fn id(&self) -> String {
        let mut named = Zeroizing::new(b"worktruck key-encryption key\0".to_vec());
        named.reserve_exact(LENGTH);
        named.extend_from_slice(&*self.0);
        let digest = Digest::of_bytes(&named).to_string();
        format!("kek-{}", digest.get(..16).unwrap_or(&digest))
    }

    /// The bytes, for the one place that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8; LENGTH] {
        &self.0
    }
}

/// Fills `bytes` with random ones of the system.
pub(super) fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes)
        .map_err(|e| Error::unavailable("the system gives no random bytes").with_source(e.to_string()))
}

impl TryFrom<&[u8]> for KeyBytes {
    type Error = Error;

    fn try_from(bytes: &[u8]) -> Result<Self> {
        let mut key = Self(Box::new([0; LENGTH]));
        if bytes.len() != LENGTH {
            return Err(Error::invalid(format!("a key has {LENGTH} bytes, not {}", bytes.len())));
        }
        key.0.copy_from_slice(bytes);
        Ok(key)
    }
}

impl Drop for KeyBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyBytes(..)")
    }
}

/// A key that another one wraps.
#[derive(Clone, Eq, PartialEq)]
pub struct Wrapped {
    /// Names the key that wraps it: 1 to 255 visible characters of ASCII.
    pub by: String,
    /// The wrapped key.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.bytes.len();
        f.debug_struct("Wrapped").field("by", &self.by).field("bytes", &format_args!("{length} bytes")).finish()
    }
}

/// Holds the key-encryption keys, which no store has: in this process, or in a key service.
///
/// # Contract
///
/// - What was wrapped by a key opens as long as the provider has that key, whichever one is current.
/// - What was wrapped in one context opens in no other.
#[async_trait]
pub trait KeyProvider: fmt::Debug + Send + Sync + 'static {
    /// Names the key that wraps from now on.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the keys cannot be reached.
    async fn current(&self) -> Result<String>;

    /// Wraps a key by the current one, bound to `context`.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the keys cannot be reached.
    async fn wrap(&self, key: &KeyBytes, context: &[u8]) -> Result<Wrapped>;

    /// Opens what the key `by` has wrapped in the same context.
    ///
    /// # Errors
    ///
    /// - `Internal`: the provider does not have that key, or the wrapped one was changed or belongs to another
    ///   context. The error names the key, and shows nothing of it.
    /// - `Unavailable`: the keys cannot be reached.
    async fn open(&self, by: &str, wrapped: &[u8], context: &[u8]) -> Result<KeyBytes>;
}
