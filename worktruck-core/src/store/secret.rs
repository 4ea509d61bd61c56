use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Error, Page, PageRequest, Result, TenantId, Timestamp};

/// What a sealed value is called among those of its tenant.
///
/// # Examples
///
/// ```
/// use worktruck_core::store::SecretName;
///
/// let name = SecretName::new("integration_key", "github");
/// assert!(name.check().is_ok());
/// assert_eq!(name.to_string(), "integration_key/github");
/// assert!(SecretName::new("Integration Key", "github").check().is_err());
/// ```
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct SecretName {
    /// What it is for: 1 to 64 of `a-z`, `0-9` and `_`.
    pub purpose: String,
    /// Its name among those of the same purpose: 1 to 255 visible characters of ASCII.
    pub name: String,
}

impl SecretName {
    /// The name `name` for `purpose`.
    pub fn new(purpose: impl Into<String>, name: impl Into<String>) -> Self {
        Self { purpose: purpose.into(), name: name.into() }
    }

    /// Checks both parts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if one is empty, too long or has other characters.
    pub fn check(&self) -> Result<()> {
        let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !(1..=64).contains(&self.purpose.len()) || !self.purpose.bytes().all(is_plain) {
            return Err(
                Error::invalid("the purpose of a secret has 1 to 64 characters of a-z, 0-9 and _").at("/purpose")
            );
        }
        if !is_label(&self.name) {
            return Err(Error::invalid("the name of a secret has 1 to 255 visible characters of ASCII").at("/name"));
        }
        Ok(())
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.purpose, self.name)
    }
}

fn is_label(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// A value that only the data key of its tenant opens.
///
/// `Debug` shows how long it is, and nothing of it.
#[derive(Clone, Eq, PartialEq)]
pub struct SealedSecret {
    /// What it is called.
    pub name: SecretName,
    /// The number of the data key that it is sealed under.
    pub key: u32,
    /// The sealed bytes, no two times the same.
    pub sealed: Vec<u8>,
    /// When it was sealed.
    pub sealed_at: Timestamp,
}

/// The most bytes of a sealed value.
const MAX_SEALED: usize = 1 << 17;
/// The most bytes of a wrapped key.
const MAX_WRAPPED: usize = 1 << 12;

impl SealedSecret {
    /// Checks that a store can keep it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if its name is malformed, or it is empty or too long.
    pub fn check(&self) -> Result<()> {
        self.name.check()?;
        check_bytes("a sealed value", &self.sealed, MAX_SEALED)
    }

    /// The error of a store that does not have its data key.
    #[must_use]
    pub fn without_key(&self) -> Error {
        Error::conflict(format!("there is no data key {} to keep {} under; seal it again", self.key, self.name))
    }

    /// The error of a store that has something else in the place of it.
    #[must_use]
    pub fn overtaken(&self) -> Error {
        Error::conflict(format!("{} was replaced or removed meanwhile; read it again", self.name))
    }
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedSecret")
            .field("name", &self.name)
            .field("key", &self.key)
            .field("sealed", &format_args!("{} bytes", self.sealed.len()))
            .field("sealed_at", &self.sealed_at)
            .finish()
    }
}

/// The key that a tenant's values are sealed under, wrapped by a key that no store has.
///
/// `Debug` shows how long it is, and nothing of it.
#[derive(Clone, Eq, PartialEq)]
pub struct DataKey {
    /// Counts the data keys of a tenant, from 1.
    pub number: u32,
    /// Names the key that wraps it: 1 to 255 visible characters of ASCII.
    pub wrapped_by: String,
    /// The wrapped key.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub made_at: Timestamp,
}

impl DataKey {
    /// Checks that a store can keep it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if its number is 0, the name of the key that wraps it
    /// is malformed, or it is empty or too long.
    pub fn check(&self) -> Result<()> {
        if self.number == 0 {
            return Err(Error::invalid("data keys are counted from 1").at("/number"));
        }
        if !is_label(&self.wrapped_by) {
            let message = "the name of a key that wraps others has 1 to 255 visible characters of ASCII";
            return Err(Error::invalid(message).at("/wrapped_by"));
        }
        check_bytes("a wrapped key", &self.wrapped, MAX_WRAPPED)
    }

    /// The error of a store that has a data key with this number already.
    #[must_use]
    pub fn taken(&self) -> Error {
        Error::conflict(format!("the tenant has a data key {} already", self.number))
    }

    /// The error of a store that has something else in the place of it.
    #[must_use]
    pub fn overtaken(&self) -> Error {
        Error::conflict(format!("data key {} was wrapped again or removed meanwhile; read it again", self.number))
    }

    /// The error of a store that has no data key with this number.
    #[must_use]
    pub fn unknown(number: u32) -> Error {
        Error::not_found(format!("data key {number}"))
    }

    /// The error of a store in which values are sealed under the data key with this number.
    #[must_use]
    pub fn in_use(number: u32) -> Error {
        Error::conflict(format!("values are sealed under data key {number}; seal them under another one first"))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey")
            .field("number", &self.number)
            .field("wrapped_by", &self.wrapped_by)
            .field("wrapped", &format_args!("{} bytes", self.wrapped.len()))
            .field("made_at", &self.made_at)
            .finish()
    }
}

fn check_bytes(what: &str, bytes: &[u8], most: usize) -> Result<()> {
    if (1..=most).contains(&bytes.len()) {
        return Ok(());
    }
    Err(Error::invalid(format!("{what} has 1 to {most} bytes, not {}", bytes.len())))
}

/// What came of keeping a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Put {
    /// There was none of this name.
    Added,
    /// It took the place of another one.
    Replaced,
}

/// What the cursors of the list of a tenant's sealed values are bound to.
#[must_use]
pub fn secret_scope<'a>(tenant: TenantId, purpose: Option<&'a str>) -> impl Serialize + use<'a> {
    ("secrets", tenant, purpose)
}

/// What the cursors of the list of all data keys are bound to.
#[must_use]
pub fn data_key_scope() -> impl Serialize + use<> {
    "data keys"
}

/// Keeps sealed values, and the wrapped keys that open them. Nothing that it is given is plain.
///
/// A value and the data key that it names come and go together: as long as a value is there, so is
/// its key.
#[async_trait]
pub trait SecretStore: fmt::Debug + Send + Sync + 'static {
    /// Keeps a value, in the place of one of the same name if there is one.
    ///
    /// # Contract
    ///
    /// - `sealed_value_comes_back_as_it_was_kept`, `secrets_of_another_tenant_are_not_there`
    /// - `value_needs_its_data_key`, `value_is_never_left_without_its_key`
    /// - `malformed_secret_is_refused`
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: the name is malformed, or the value is empty or too long.
    /// - `Conflict`: the tenant has no such data key.
    async fn put_secret(&self, tenant: TenantId, secret: SealedSecret) -> Result<Put>;

    /// The value of this name.
    ///
    /// # Contract
    ///
    /// - `sealed_value_comes_back_as_it_was_kept`, `secrets_of_another_tenant_are_not_there`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn secret(&self, tenant: TenantId, name: &SecretName) -> Result<Option<SealedSecret>>;

    /// A page of a tenant's values, or of those for one purpose, by purpose and name, byte by byte.
    ///
    /// # Contract
    ///
    /// - `secrets_are_walked_in_order`, `secrets_of_another_tenant_are_not_there`
    ///
    /// # Errors
    ///
    /// `InvalidCursor` if the cursor is damaged or belongs to another list.
    async fn secrets(&self, tenant: TenantId, purpose: Option<&str>, page: PageRequest) -> Result<Page<SealedSecret>>;

    /// Puts `new` in the place of `old`, which has the same name, if exactly that is still there.
    ///
    /// # Contract
    ///
    /// - `swap_needs_what_is_there`, `one_of_many_swaps_wins`, `value_needs_its_data_key`
    /// - `secrets_of_another_tenant_are_not_there`
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: the names differ, or `new` is empty or too long.
    /// - `Conflict`: something else is there, or nothing; or the tenant has no such data key.
    async fn swap_secret(&self, tenant: TenantId, old: &SealedSecret, new: SealedSecret) -> Result<()>;

    /// Removes a value.
    ///
    /// # Contract
    ///
    /// - `removed_secret_is_gone`, `secrets_of_another_tenant_are_not_there`
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none of this name.
    async fn remove_secret(&self, tenant: TenantId, name: &SecretName) -> Result<()>;

    /// All data keys of a tenant, by number. There is one, or two while values are sealed again.
    ///
    /// # Contract
    ///
    /// - `data_key_number_is_given_once`, `secrets_of_another_tenant_are_not_there`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn data_keys(&self, tenant: TenantId) -> Result<Vec<DataKey>>;

    /// Adds a data key.
    ///
    /// # Contract
    ///
    /// - `data_key_number_is_given_once`, `malformed_secret_is_refused`
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: the key is malformed.
    /// - `Conflict`: the tenant has one of this number.
    async fn add_data_key(&self, tenant: TenantId, key: DataKey) -> Result<()>;

    /// Puts `new` in the place of `old`, which has the same number, if exactly that is still there.
    ///
    /// # Contract
    ///
    /// - `data_key_is_wrapped_again_once`, `secrets_of_another_tenant_are_not_there`
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: the numbers differ, or `new` is malformed.
    /// - `Conflict`: something else is there, or nothing.
    async fn swap_data_key(&self, tenant: TenantId, old: &DataKey, new: DataKey) -> Result<()>;

    /// Removes a data key under which no value is sealed.
    ///
    /// # Contract
    ///
    /// - `data_key_in_use_stays`, `value_is_never_left_without_its_key`
    /// - `secrets_of_another_tenant_are_not_there`
    ///
    /// # Errors
    ///
    /// - `NotFound`: the tenant has no such data key.
    /// - `Conflict`: values are sealed under it.
    async fn remove_data_key(&self, tenant: TenantId, number: u32) -> Result<()>;

    /// A page of the data keys of all tenants, by tenant and number: for whoever wraps them again.
    ///
    /// # Contract
    ///
    /// - `data_keys_of_all_tenants_are_walked`
    ///
    /// # Errors
    ///
    /// `InvalidCursor` if the cursor is damaged or belongs to another list.
    async fn all_data_keys(&self, page: PageRequest) -> Result<Page<(TenantId, DataKey)>>;

    /// Removes all data keys of a tenant, and with them its values, which nothing opens any more. Nothing
    /// happens if there are none.
    ///
    /// # Contract
    ///
    /// - `shredding_leaves_nothing`, `value_is_never_left_without_its_key`
    /// - `secrets_of_another_tenant_are_not_there`
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    async fn shred(&self, tenant: TenantId) -> Result<()>;
}

/// Checks what is asked of [`SecretStore::swap_secret`].
///
/// # Errors
///
/// `InvalidRequest` if the names differ, or `new` is empty or too long.
pub fn check_swap(old: &SealedSecret, new: &SealedSecret) -> Result<()> {
    if old.name != new.name {
        return Err(Error::invalid("a value takes the place of one of the same name").at("/name"));
    }
    new.check()
}

/// Checks what is asked of [`SecretStore::swap_data_key`].
///
/// # Errors
///
/// `InvalidRequest` if the numbers differ, or `new` is malformed.
pub fn check_key_swap(old: &DataKey, new: &DataKey) -> Result<()> {
    if old.number != new.number {
        return Err(Error::invalid("a data key takes the place of one of the same number").at("/number"));
    }
    new.check()
}
