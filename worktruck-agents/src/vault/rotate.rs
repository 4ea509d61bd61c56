//! New keys in the place of old ones, while others read and write.

use worktruck_core::store::{DataKey, SealedSecret};
use worktruck_core::{Error, ErrorKind, PageRequest, Result, TenantId};

use super::key::{KeyBytes, Wrapped};
use super::seal::Context;
use super::{Vault, too_fast};

/// How often all values are looked at again because others have sealed some under the old key.
const PASSES: usize = 64;

/// What [`Vault::rewrap`] did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rewrapped {
    /// Names the key-encryption key that wraps all data keys now.
    pub by: String,
    /// How many data keys were wrapped again.
    pub count: u64,
}

/// What [`Vault::rotate`] did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Resealed {
    /// The number of the data key that all values are sealed under now; 0 if the tenant has none.
    pub number: u32,
    /// How many values were sealed again.
    pub count: u64,
}

impl Vault {
    /// Wraps the data keys of all tenants by the newest key-encryption key. After it the older ones are not
    /// needed any more.
    ///
    /// It can be stopped and begun again, by several processes at once; who reads and writes meanwhile is not
    /// disturbed.
    ///
    /// # Errors
    ///
    /// - `Internal`: some data keys could not be unwrapped, say because the key that wrapped them is not given.
    ///   All others were wrapped again.
    /// - `Unavailable`: the store or the provider of keys cannot be reached.
    pub async fn rewrap(&self) -> Result<Rewrapped> {
        let by = self.keys.current().await?;
        let (mut count, mut failures, mut cursor) = (0, Failures::default(), None);
        loop {
            let page = self.store.all_data_keys(PageRequest::largest(cursor)).await?;
            for (tenant, key) in page.data.iter().filter(|(_, key)| key.wrapped_by != by) {
                if failures.note(self.rewrap_one(*tenant, key).await)? == Some(Turn::Taken) {
                    count += 1;
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return failures.end("data keys").map(|()| Rewrapped { by, count });
            }
        }
    }

    async fn rewrap_one(&self, tenant: TenantId, old: &DataKey) -> Result<Turn> {
        let key = self.unwrap_key(tenant, old).await?;
        let Wrapped { by, bytes } = self.keys.wrap(&key, &Context::of_key(tenant, old.number)).await?;
        let new = DataKey { wrapped_by: by, wrapped: bytes, ..old.clone() };
        Turn::of(self.store.swap_data_key(tenant, old, new).await)
    }

    /// Seals all values of a tenant under a new data key, and removes the old one.
    ///
    /// It can be stopped and begun again: where there are two data keys already, it goes on to the newer one.
    /// Others may read and write meanwhile, in this process and elsewhere.
    ///
    /// # Errors
    ///
    /// - `Internal`: some values could not be opened. All others were sealed again, and the old data key stays.
    /// - `Unavailable`: the store or the provider of keys cannot be reached, or others sealed values under the
    ///   old key faster than this came to an end.
    pub async fn rotate(&self, tenant: TenantId) -> Result<Resealed> {
        let keys = self.store.data_keys(tenant).await?;
        let Some(newest) = keys.last() else { return Ok(Resealed::default()) };
        let number = if keys.len() > 1 {
            newest.number
        } else {
            let number = newest.number.checked_add(1).ok_or_else(|| Error::internal("there are too many data keys"))?;
            match self.add_data_key(tenant, number).await {
                // Another process has begun: both go on.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                added => drop(added?),
            }
            number
        };
        let mut count = 0;
        for _ in 0..PASSES {
            count += self.reseal_all(tenant, number).await?;
            if self.remove_before(tenant, number).await? == Turn::Taken {
                return Ok(Resealed { number, count });
            }
        }
        Err(too_fast())
    }

    /// Seals again what is sealed under keys before `number`.
    async fn reseal_all(&self, tenant: TenantId, number: u32) -> Result<u64> {
        let keys = self.opened_keys(tenant).await?;
        let (mut count, mut failures, mut cursor) = (0, Failures::default(), None);
        loop {
            let page = self.store.secrets(tenant, None, PageRequest::largest(cursor)).await?;
            for old in page.data.iter().filter(|secret| secret.key < number) {
                if failures.note(self.reseal(tenant, old, number, &keys).await)? == Some(Turn::Taken) {
                    count += 1;
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return failures.end("values").map(|()| count);
            }
        }
    }

    async fn reseal(
        &self,
        tenant: TenantId,
        old: &SealedSecret,
        number: u32,
        keys: &[(DataKey, KeyBytes)],
    ) -> Result<Turn> {
        let find = |number| keys.iter().find(|(key, _)| key.number == number);
        // One that is not there was removed by another process, which has sealed everything again.
        let (Some((under, _)), Some((_, new))) = (find(old.key), find(number)) else { return Ok(Turn::Lost) };
        let value = self.open(tenant, under, old).await?;
        let new = self.sealed(tenant, &old.name, number, new, &value)?;
        Turn::of(self.store.swap_secret(tenant, old, new).await)
    }

    async fn opened_keys(&self, tenant: TenantId) -> Result<Vec<(DataKey, KeyBytes)>> {
        let mut opened = Vec::new();
        for key in self.store.data_keys(tenant).await? {
            let bytes = self.unwrap_key(tenant, &key).await?;
            opened.push((key, bytes));
        }
        Ok(opened)
    }

    /// Removes the data keys before `number`, unless others have sealed something under one.
    async fn remove_before(&self, tenant: TenantId, number: u32) -> Result<Turn> {
        for key in self.store.data_keys(tenant).await?.iter().filter(|key| key.number < number) {
            match self.store.remove_data_key(tenant, key.number).await {
                Err(error) if error.kind() == ErrorKind::Conflict => return Ok(Turn::Lost),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        Ok(Turn::Taken)
    }
}

/// Whether something was done, or others were faster.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Turn {
    Taken,
    Lost,
}

impl Turn {
    fn of(done: Result<()>) -> Result<Self> {
        match done {
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(Self::Lost),
            done => done.map(|()| Self::Taken),
        }
    }
}

/// What could not be opened, while the rest goes on.
#[derive(Debug, Default)]
struct Failures {
    first: Option<Error>,
    count: u64,
}

impl Failures {
    /// Keeps what is damaged for the end; all else ends it at once.
    fn note<T>(&mut self, done: Result<T>) -> Result<Option<T>> {
        match done {
            Err(error) if error.kind() == ErrorKind::Internal => {
                self.count += 1;
                self.first.get_or_insert(error);
                Ok(None)
            }
            done => done.map(Some),
        }
    }

    fn end(self, what: &str) -> Result<()> {
        match self.first {
            None => Ok(()),
            Some(first) => {
                Err(Error::internal(format!("{} {what} could not be opened and stay as they are", self.count))
                    .with_source(first))
            }
        }
    }
}
