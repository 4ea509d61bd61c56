//! The routes of what belongs to another entity, which the path names first.

use worktruck_core::pim::{Difference, FieldEntry, Nested};

use crate::answer::{Created, Many, Nothing, One, Pages, Plain, Versions};
use crate::body::{NewIn, PatchIn};
use crate::call::Call;
use crate::entities::{Called, Deletion, Moments, TimelineOf, Window, difference, shown, timeline, versions, written};
use crate::route::Routes;
use crate::shown::Shown;
use crate::{Action, Domain, Failure, Scope};

impl Routes {
    /// All that an entity has that belongs to another, which the path names first.
    pub(crate) fn parts<P: Nested + Shown>(self, path: &str, called: Called) -> Self {
        self.part_lists::<P>(path, called).part_changes::<P>(path, called)
    }

    /// To list, create, read and delete what belongs to another, and its history.
    pub(crate) fn part_lists<P: Nested + Shown>(self, path: &str, Called(one, many): Called) -> Self {
        let item = format!("{path}/{{part_id}}");
        self.list(path, &format!("Lists {many}."), parts::<P>)
            .sorted::<P::Sort>()
            .post(path, &format!("Adds {one}."), create_part::<P>)
            .get(&item, &format!("Reads {one}."), read_part::<P>)
            .delete(&item, &format!("Deletes {one}, or erases it."), delete_part::<P>)
            .part_travels::<P>(&item)
    }

    /// What was known of something that belongs to another, and when.
    pub(crate) fn part_travels<P: Nested + Shown>(self, item: &str) -> Self {
        self.page(&format!("{item}/history"), "Lists the versions, newest first.", part_versions::<P>)
            .plain(&format!("{item}/diff"), "Compares two moments.", part_difference::<P>)
            .page(&format!("{item}/timeline"), "Lists the changes of fields, oldest first.", part_timeline::<P>)
    }

    /// To change what belongs to another.
    pub(crate) fn part_changes<P: Nested + Shown>(self, path: &str, Called(one, _): Called) -> Self {
        self.patch(&format!("{path}/{{part_id}}"), &format!("Changes {one} by a merge patch."), update_part::<P>)
    }
}

async fn parts<P: Nested + Shown>(call: Call) -> Result<Many<P>, Failure> {
    let records = call.records::<P>();
    let page = call.ordered(records.parts(call.id()?).await?)?.await?;
    shown(&records, page).await
}

async fn create_part<P: Nested + Shown>(call: Call<(), NewIn<P>>) -> Result<Created<P>, Failure> {
    let (records, whole, place) = (call.records::<P>(), call.id()?, call.context.place.clone());
    let stored = records.create_part(whole, call.body.0).await?;
    Ok(Created::at(&place, stored.id, written(&records, stored).await?))
}

async fn read_part<P: Nested + Shown>(call: Call) -> Result<One<P>, Failure> {
    let records = call.records::<P>();
    let stored = records.get_part(call.id()?, call.named("part_id")?).await?;
    written(&records, stored).await
}

async fn update_part<P: Nested + Shown>(call: Call<(), PatchIn<P>>) -> Result<One<P>, Failure> {
    let (records, whole, part) = (call.records::<P>(), call.id()?, call.named("part_id")?);
    let stored = records.update_part_of(whole, part, call.body.0).await?;
    written(&records, stored).await
}

pub(crate) async fn delete_part<P: Nested + Shown>(call: Call<Deletion>) -> Result<Nothing, Failure> {
    let (records, whole, part) = (call.records::<P>(), call.id()?, call.named("part_id")?);
    if call.query.purge {
        call.require(Scope::new(Domain::Admin, Action::Write))?;
        records.purge_part_of(whole, part).await?;
    } else {
        records.delete_part_of(whole, part).await?;
    }
    Ok(Nothing)
}

/// The part that the path names last, if it is or was one of what the path names first.
async fn known_part<P: Nested, Q>(call: &Call<Q>) -> Result<&'static str, Failure> {
    call.records::<P>().was_part(call.id()?, call.named("part_id")?).await?;
    Ok("part_id")
}

async fn part_versions<P: Nested + Shown>(call: Call<Window>) -> Result<Versions<P>, Failure> {
    let part = known_part::<P, _>(&call).await?;
    versions(call, part).await
}

async fn part_difference<P: Nested + Shown>(call: Call<Moments>) -> Result<Plain<Difference>, Failure> {
    let part = known_part::<P, _>(&call).await?;
    difference::<P>(call, part).await
}

async fn part_timeline<P: Nested + Shown>(call: Call<TimelineOf>) -> Result<Pages<FieldEntry>, Failure> {
    let part = known_part::<P, _>(&call).await?;
    timeline::<P>(call, part).await
}
