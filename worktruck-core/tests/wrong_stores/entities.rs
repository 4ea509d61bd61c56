use async_trait::async_trait;
use serde_json::Value;
use worktruck_core::entity::Kind;
use worktruck_core::store::{
    Applied, Changes, Commits, EntityKey, EntityStore, ListQuery, Provenance, Require, TenantCommit, TenantHead,
    Version,
};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::{Cursor, Error, ErrorKind, Page, PageRequest, Period, Result, RunId, TenantId, Timestamp};

use super::broken::{Broken, of_any};
use super::defects::Defect::*;

#[async_trait]
impl EntityStore for Broken {
    async fn apply(
        &self,
        tenant: TenantId,
        mut changes: Changes,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Applied> {
        self.limit_wrongly(tenant, &mut changes);
        self.beside_wrongly(&mut changes);
        match self.defect {
            LimitOfAnyTenant if changes.writes.iter().all(|change| change.key.kind == Kind::AgentConfig) => {
                for other in self.others(tenant) {
                    self.inner.apply(other, changes.clone(), provenance.clone(), now).await?;
                }
            }
            VersionUnchecked => changes.requires.retain(|require| !matches!(require, Require::Version { .. })),
            NewestUnchecked => changes.requires.retain(|require| !matches!(require, Require::Newest { .. })),
            AbsenceUnchecked => changes.requires.retain(|require| !matches!(require, Require::Absent { .. })),
            UniquenessUnchecked => changes.requires.retain(|require| !matches!(require, Require::UniqueTerm { .. })),
            ReferencesUnchecked => changes.requires.retain(|require| !matches!(require, Require::Exists { .. })),
            ForbiddenTermUnchecked => changes.requires.retain(|require| !matches!(require, Require::NoTerm { .. })),
            NumbersRepeat => {
                for next in &mut changes.numbers {
                    next.counter = next.key.id;
                }
            }
            EmptyPeriodsLeftOut => changes.writes.retain(|change| {
                let write = &change.write;
                write.valid_to.is_none_or(|to| write.valid_from.is_none_or(|from| from < to))
            }),
            PatchOfOneSlice => self.narrow_patches(tenant, &mut changes, now).await?,
            PutMerges => {
                for change in &mut changes.writes {
                    let exists = self.inner.entity(tenant, change.key, At::NOW, now).await?.is_some();
                    if let (true, WriteOp::Put(body)) = (exists, &change.write.op) {
                        change.write.op = WriteOp::Patch(body.clone());
                    }
                }
            }
            _ => {}
        }
        let applied = match self.defect {
            BodyOfAnyKind | ChangesOfNothingLeftOut => {
                let passed_over =
                    if self.defect == BodyOfAnyKind { ErrorKind::InvalidRequest } else { ErrorKind::NotFound };
                match self.inner.apply(tenant, changes, provenance.clone(), now).await {
                    Err(error) if error.kind() == passed_over && error.pointer() != Some("/valid_to") => {
                        self.inner.apply(tenant, Changes::none(), provenance, now).await?
                    }
                    answer => answer?,
                }
            }
            WritesApart => self.apply_apart(tenant, changes, provenance, now).await?,
            UniquenessCheckedFirst => {
                let unique = |require: &Require| matches!(require, Require::UniqueTerm { .. });
                let first = changes.requires.iter().filter(|require| unique(require)).cloned().collect();
                self.inner
                    .apply(tenant, Changes { requires: first, ..Changes::none() }, provenance.clone(), now)
                    .await?;
                let taken = self.holds_unique(tenant, &changes, now).await?;
                changes.requires.retain(|require| !unique(require));
                if taken {
                    return Err(Error::conflict("somebody has the term"));
                }
                self.inner.apply(tenant, changes, provenance, now).await?
            }
            ProvenanceForgotten => self.inner.apply(tenant, changes, Provenance::new("system", "write"), now).await?,
            RefusedNewsTold | RefusedAudited => {
                match self.inner.apply(tenant, changes.clone(), provenance, now).await {
                    Ok(applied) => applied,
                    Err(error) => {
                        self.beside_refused(tenant, &changes, now).await?;
                        return Err(error);
                    }
                }
            }
            _ => self.inner.apply(tenant, changes, provenance, now).await?,
        };
        self.note_floor(tenant, applied.at);
        Ok(match self.defect {
            VersionsCountedAnew if self.last_expiry(tenant).is_some() => {
                Applied { versions: applied.versions.into_iter().map(|(key, _)| (key, 1)).collect(), ..applied }
            }
            ClockBelieved => Applied { at: now, ..applied },
            NumbersOfAllTenants => Applied { tx_id: self.number(), ..applied },
            _ => applied,
        })
    }

    async fn entity(&self, tenant: TenantId, key: EntityKey, at: At, now: Timestamp) -> Result<Option<Version>> {
        let at = match self.defect {
            BeliefsRewritten => At { as_of: None, valid_at: at.valid_at.or(at.as_of) },
            ValidTimeIgnored => At { as_of: at.as_of, valid_at: None },
            ReadsFixNothing => self.below_floor(tenant, at, now),
            FutureRead => At { as_of: at.as_of.map(|as_of| as_of.min(now)), ..at },
            LateReaderBlind => At { as_of: Some(at.as_of.unwrap_or(now)), valid_at: at.valid_at.or(Some(now)) },
            _ => at,
        };
        match self.defect {
            EntityOfAnyTenant => {
                of_any!(self, tenant, Option::is_some, self.inner.entity(tenant, key, at, now).await)
            }
            KindIgnored => {
                let mut found = self.inner.entity(tenant, key, at, now).await?;
                for kind in Kind::ALL.iter().copied() {
                    if found.is_none() {
                        found = self.inner.entity(tenant, EntityKey { kind, ..key }, at, now).await?;
                    }
                }
                Ok(found)
            }
            OldSliceUncut => self.oldest_match(tenant, key, at, now).await,
            BodiesRounded => Ok(self.inner.entity(tenant, key, at, now).await?.map(rounded)),
            ProvenanceExpires => {
                let mut found = self.inner.entity(tenant, key, at, now).await?;
                let last = self.last_expiry(tenant);
                if let Some(version) = found.as_mut().filter(|found| last.is_some_and(|at| found.sys().from() < at)) {
                    version.provenance = Provenance::new("system", "unknown");
                }
                Ok(found)
            }
            HorizonUnchecked | HorizonGoesBack => match self.inner.entity(tenant, key, at, now).await {
                answer if self.forgives(tenant, at, &answer) => Ok(None),
                answer => answer,
            },
            _ => self.inner.entity(tenant, key, at, now).await,
        }
    }

    async fn head(&self, tenant: TenantId) -> Result<TenantHead> {
        let head = self.inner.head(tenant).await?;
        match self.defect {
            HeadOfAnyTenant => {
                let mut newest = head;
                for other in self.others(tenant) {
                    let other = self.inner.head(other).await?;
                    newest = if newest.floor < other.floor { other } else { newest };
                }
                Ok(newest)
            }
            HeadBehind => Ok(TenantHead { floor: head.floor.before(std::time::Duration::from_micros(1)), ..head }),
            _ => Ok(head),
        }
    }

    async fn list(&self, tenant: TenantId, mut query: ListQuery, now: Timestamp) -> Result<Page<Version>> {
        match self.defect {
            OneTermFilters => query.terms.truncate(1),
            SetsIgnored => query.any.clear(),
            OneStretch => query.ranges.iter_mut().for_each(|range| range.within.truncate(1)),
            ChoiceIgnored => query.among = None,
            TitlesIgnored => query.title = None,
            ListAsOfNow => query.at.as_of = None,
            ReadsFixNothing => query.at = self.below_floor(tenant, query.at, now),
            OneDirection => query.sort.descending = false,
            KindOfListIgnored if query.text.is_none() => query.kind = Kind::Contact,
            _ => {}
        }
        match self.defect {
            ListOfAnyTenant => {
                of_any!(self, tenant, |page| !page.data.is_empty(), self.inner.list(tenant, query.clone(), now).await)
            }
            OffsetCursor => self.list_by_offset(tenant, query, now).await,
            AnyCursor => match self.inner.list(tenant, query.clone(), now).await {
                Err(error) if error.kind() == ErrorKind::InvalidCursor => {
                    self.inner.list(tenant, ListQuery { page: PageRequest::default(), ..query }, now).await
                }
                answer => answer,
            },
            SearchOfExactText => {
                let text = query.text.clone().unwrap_or_default();
                let mut page = self.inner.list(tenant, query, now).await?;
                page.data.retain(|version| {
                    version
                        .slice
                        .body
                        .as_ref()
                        .is_some_and(|body| body["display_name"].as_str().is_some_and(|name| name.contains(&text)))
                });
                Ok(page)
            }
            SearchIsALanguage
                if query
                    .text
                    .as_ref()
                    .is_some_and(|text| !text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace())) =>
            {
                Err(Error::internal("syntax error"))
            }
            LimitIgnored => {
                let mut page = self
                    .inner
                    .list(tenant, ListQuery { page: PageRequest::largest(query.page.cursor().cloned()), ..query }, now)
                    .await?;
                page.next_cursor = None;
                page.has_more = false;
                Ok(page)
            }
            HorizonUnchecked | HorizonGoesBack => match self.inner.list(tenant, query.clone(), now).await {
                answer if self.forgives(tenant, query.at, &answer) => Ok(Page::new(Vec::new(), None)),
                answer => answer,
            },
            WrongSortGuessed => match self.inner.list(tenant, query.clone(), now).await {
                Err(error) if error.kind() == ErrorKind::InvalidRequest => Ok(Page::new(Vec::new(), None)),
                answer => answer,
            },
            _ => self.inner.list(tenant, query, now).await,
        }
    }

    async fn history(&self, tenant: TenantId, key: EntityKey, page: PageRequest) -> Result<Page<Version>> {
        match self.defect {
            HistoryOfAnyTenant => {
                of_any!(self, tenant, |page| !page.data.is_empty(), self.inner.history(tenant, key, page.clone()).await)
            }
            DeletionsForgotten => {
                let mut page = self.inner.history(tenant, key, page).await?;
                page.data.retain(|version| version.slice.body.is_some());
                Ok(page)
            }
            _ => self.inner.history(tenant, key, page).await,
        }
    }

    async fn slices(
        &self,
        tenant: TenantId,
        key: EntityKey,
        valid: Period,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<Version>> {
        match self.defect {
            SlicesOfAnyTenant => of_any!(
                self,
                tenant,
                |slices| !slices.is_empty(),
                self.inner.slices(tenant, key, valid, as_of, now).await
            ),
            SlicesOfNow => self.inner.slices(tenant, key, valid, None, now).await,
            DeletionsForgotten => {
                let mut slices = self.inner.slices(tenant, key, valid, as_of, now).await?;
                slices.retain(|version| version.slice.body.is_some());
                Ok(slices)
            }
            RestsForgotten => {
                let mut slices = self.inner.slices(tenant, key, valid, as_of, now).await?;
                slices.retain(|version| !version.slice.carried);
                Ok(slices)
            }
            HorizonUnchecked | HorizonGoesBack => {
                let at = At { as_of, valid_at: None };
                match self.inner.slices(tenant, key, valid, as_of, now).await {
                    answer if self.forgives(tenant, at, &answer) => Ok(Vec::new()),
                    answer => answer,
                }
            }
            _ => self.inner.slices(tenant, key, valid, as_of, now).await,
        }
    }

    async fn commits_of(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<TenantCommit>> {
        match self.defect {
            CommitsOfAnyTenant => of_any!(
                self,
                tenant,
                |page| !page.data.is_empty(),
                self.inner.commits_of(tenant, run, page.clone()).await
            ),
            CommitsOfStepsOnly => {
                let mut found = self.inner.commits_of(tenant, run, page).await?;
                found.data.retain(|commit| commit.provenance.step_seq.is_some());
                Ok(found)
            }
            _ => self.inner.commits_of(tenant, run, page).await,
        }
    }

    async fn changes(&self, tenant: TenantId, since: Option<Cursor>, limit: PageRequest) -> Result<Commits> {
        match self.defect {
            FeedOfAnyTenant => {
                of_any!(
                    self,
                    tenant,
                    |commits| !commits.data.is_empty(),
                    self.inner.changes(tenant, since.clone(), limit.clone()).await
                )
            }
            FeedSkips => {
                let mut commits = self.inner.changes(tenant, since, limit).await?;
                if commits.has_more {
                    commits.data.pop();
                }
                Ok(commits)
            }
            FeedSilent => match self.inner.changes(tenant, since, limit.clone()).await {
                Err(error) if error.kind() == ErrorKind::HistoryExpired => {
                    self.inner.changes(tenant, None, limit).await
                }
                answer => answer,
            },
            EmptyFeedEnds => {
                let mut commits = self.inner.changes(tenant, since, limit).await?;
                if commits.data.is_empty() {
                    commits.next_cursor = Cursor::from_text("");
                }
                Ok(commits)
            }
            FeedStartsAgain => {
                let commits = self.inner.changes(tenant, since, limit.clone()).await?;
                if commits.data.is_empty() { self.inner.changes(tenant, None, limit).await } else { Ok(commits) }
            }
            _ => self.inner.changes(tenant, since, limit).await,
        }
    }

    async fn purge(&self, tenant: TenantId, key: EntityKey, provenance: Provenance, now: Timestamp) -> Result<()> {
        match self.defect {
            PurgeKeepsThePast => {
                let delete = Changes::none().write(key, WriteOp::Delete);
                self.inner.apply(tenant, delete, provenance, now).await.map(|_| ())
            }
            PurgeOfAnyTenant => {
                let mut answer = self.inner.purge(tenant, key, provenance.clone(), now).await;
                for other in self.others(tenant) {
                    if answer.is_err() {
                        answer = self.inner.purge(other, key, provenance.clone(), now).await;
                    }
                }
                answer
            }
            _ => self.inner.purge(tenant, key, provenance, now).await,
        }
    }
}

impl Broken {
    async fn apply_apart(
        &self,
        tenant: TenantId,
        changes: Changes,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Applied> {
        let mut requires = changes.requires;
        let mut last = None;
        for write in changes.writes {
            // Each with the requirements that are about it alone.
            let (mine, rest) = requires.into_iter().partition(|require| match require {
                Require::Version { key, .. }
                | Require::Newest { key, .. }
                | Require::Exists { key }
                | Require::Absent { key } => *key == write.key,
                Require::UniqueTerm { .. } | Require::NoTerm { .. } => false,
            });
            requires = rest;
            let part = Changes { writes: vec![write], requires: mine, ..Changes::none() };
            last = Some(self.inner.apply(tenant, part, provenance.clone(), now).await?);
        }
        let rest = self.inner.apply(tenant, Changes { requires, ..Changes::none() }, provenance, now).await?;
        Ok(last.unwrap_or(rest))
    }

    async fn holds_unique(&self, tenant: TenantId, changes: &Changes, now: Timestamp) -> Result<bool> {
        for require in &changes.requires {
            if let Require::UniqueTerm { kind, term } = require {
                let query = ListQuery { terms: vec![term.clone()], ..ListQuery::new(*kind) };
                if !self.inner.list(tenant, query, now).await?.data.is_empty() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn narrow_patches(&self, tenant: TenantId, changes: &mut Changes, now: Timestamp) -> Result<()> {
        for change in &mut changes.writes {
            if let WriteOp::Patch(_) = change.write.op {
                let at = At { as_of: None, valid_at: change.write.valid_from };
                let slice = self.inner.entity(tenant, change.key, at, now).await?;
                if let Some(end) = slice.map(|version| version.valid().to()).filter(|end| *end != Timestamp::FOREVER) {
                    change.write.valid_to = Some(change.write.valid_to.map_or(end, |to| to.min(end)));
                }
            }
        }
        Ok(())
    }

    /// The oldest write that covers the point, as if later ones had not cut it.
    async fn oldest_match(&self, tenant: TenantId, key: EntityKey, at: At, now: Timestamp) -> Result<Option<Version>> {
        let newest = self.inner.entity(tenant, key, at, now).await?;
        let rows = self.inner.history(tenant, key, PageRequest::largest(None)).await?.data;
        let sys = at.as_of.unwrap_or(Timestamp::FOREVER);
        let valid = at.valid_at.or(at.as_of).unwrap_or(now);
        let covers = |row: &&Version| row.sys().from() <= sys && row.valid().contains(valid);
        Ok(rows.iter().rev().find(covers).filter(|row| row.slice.body.is_some()).cloned().or(newest))
    }

    async fn list_by_offset(&self, tenant: TenantId, query: ListQuery, now: Timestamp) -> Result<Page<Version>> {
        let scope =
            format!("{tenant} {:?} {:?} {:?} {:?} {:?}", query.kind, query.terms, query.text, query.sort, query.at);
        let offset: usize = query.page.cursor().map_or(Ok(0), |cursor| cursor.open(&scope))?;
        let all = ListQuery { page: PageRequest::largest(None), ..query.clone() };
        let all = self.inner.list(tenant, all, now).await?.data;
        let end = offset + query.page.limit();
        let next = if end < all.len() { Some(Cursor::seal(&scope, &end)?) } else { None };
        Ok(Page::new(all.into_iter().skip(offset).take(query.page.limit()).collect(), next))
    }
}

fn rounded(mut version: Version) -> Version {
    fn round(value: &mut Value) {
        match value {
            Value::Number(number) => *value = Value::from(number.as_f64().unwrap_or(0.0)),
            Value::Array(items) => items.iter_mut().for_each(round),
            Value::Object(members) => members.values_mut().for_each(round),
            _ => {}
        }
    }
    if let Some(body) = &mut version.slice.body {
        round(body);
    }
    version
}
