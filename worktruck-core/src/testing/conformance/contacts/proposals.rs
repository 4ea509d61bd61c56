use serde_json::json;

use crate::ErrorKind::{Conflict, InvalidRequest, NotFound};
use crate::entity::contact::Contact;
use crate::entity::merge_proposal::{MergeProposal, ProposalStatus};
use crate::entity::webhook::Webhook;
use crate::pim::contacts::{Merge, MergeProposalFilter};
use crate::{EntityId, PageRequest};

use super::super::Stage;
use super::super::desk::{Desk, refusal};
use super::town::{id, person, settled};

async fn propose(desk: &Desk, contacts: &[EntityId]) -> EntityId {
    let proposal = MergeProposal::new(contacts.to_vec(), contacts[0], 0.9, vec!["same phone".to_owned()]);
    desk.of::<MergeProposal>().create(proposal).await.unwrap().id
}

async fn with(desk: &Desk, status: ProposalStatus) -> Vec<EntityId> {
    let filter = MergeProposalFilter { status: Some(status), ..MergeProposalFilter::default() };
    let found = desk.of::<MergeProposal>().list(filter).all().await.unwrap();
    found.into_iter().map(|proposal| proposal.id).collect()
}

/// Webhooks are told of a proposal when it is made, and not when it is changed or refused.
pub async fn new_proposal_is_told(stage: Stage) {
    let desk = Desk::new(&stage);
    let hook = Webhook::new("https://example.com/hook", ["merge_proposal.created"]);
    let hook = desk.of::<Webhook>().create(hook).await.unwrap().id;
    let people = [person(&desk, "Ada").await, person(&desk, "A.").await];
    let made = propose(&desk, &people).await;
    let again = MergeProposal::new(people.to_vec(), people[0], 0.9, Vec::new());
    assert_eq!(refusal(desk.of::<MergeProposal>().create(again).await).0, Conflict);
    desk.of::<MergeProposal>().reject(made).await.unwrap();

    let told = stage.store.deliveries(desk.tenant, hook, PageRequest::largest(None)).await.unwrap().data;
    let [told] = &told[..] else { panic!("one delivery: {told:?}") };
    assert_eq!(told.event_type, "merge_proposal.created");
    let data = json!({
        "id": made, "contact_ids": people, "survivor_id": people[0], "score": 0.9, "reasons": ["same phone"],
    });
    assert_eq!(told.body["data"], data);
}

/// A proposal is decided once: accepting it merges its contacts in the same commit, rejecting it does nothing else.
pub async fn proposal_is_decided_once(stage: Stage) {
    let desk = Desk::new(&stage);
    let (proposals, contacts) = (desk.of::<MergeProposal>(), desk.of::<Contact>());
    let mut people = Vec::new();
    for name in ["Ada", "A.", "Ada K.", "Bob", "B."] {
        people.push(person(&desk, name).await);
    }
    let ada = propose(&desk, &people[..3]).await;
    let bob = propose(&desk, &people[3..]).await;
    assert_eq!(with(&desk, ProposalStatus::Pending).await, [ada, bob]);
    let then = settled(&desk);
    let commits = desk.pim.changes(desk.tenant, None, 200).await.unwrap().data.len();
    let accepted = proposals.accept(ada).await.unwrap();
    assert_eq!((accepted.id, accepted.data.status), (ada, ProposalStatus::Accepted));
    let after = desk.pim.changes(desk.tenant, None, 200).await.unwrap().data;
    assert_eq!((after.len(), after[commits].entities.len()), (commits + 1, 4));
    assert_eq!(contacts.get(people[0]).await.unwrap().data.merged_ids, people[1..3]);
    assert_eq!(contacts.get(people[2]).await.unwrap().id, people[0]);
    assert_eq!(proposals.reject(bob).await.unwrap().data.status, ProposalStatus::Rejected);
    for decided in [ada, bob] {
        assert_eq!(refusal(proposals.accept(decided).await).0, Conflict);
        assert_eq!(refusal(proposals.reject(decided).await).0, Conflict);
    }
    assert_eq!(refusal(proposals.accept(id(77)).await).0, NotFound);
    assert_eq!(contacts.get(people[4]).await.unwrap().id, people[4]);
    assert_eq!(
        (with(&desk, ProposalStatus::Accepted).await, with(&desk, ProposalStatus::Rejected).await),
        (vec![ada], vec![bob])
    );
    assert!(with(&desk, ProposalStatus::Pending).await.is_empty());
    let was = proposals.clone().as_of(then).list(MergeProposalFilter::default()).all().await.unwrap();
    assert!(was.iter().all(|proposal| proposal.data.status == ProposalStatus::Pending));
    let same = MergeProposal::new(people[3..].to_vec(), people[3], 0.5, vec![]);
    assert_eq!(refusal(proposals.create(same).await), (Conflict, "/contact_ids".to_owned()), "it was rejected");
    let nobody = MergeProposal::new(vec![people[0], id(77)], people[0], 0.5, vec![]);
    assert_eq!(refusal(proposals.create(nobody).await), (InvalidRequest, "/contact_ids/1".to_owned()));
}

/// Of many who decide at once, one does.
pub async fn one_of_many_decides_on_a_proposal(stage: Stage) {
    let desk = Desk::new(&stage);
    let people = [person(&desk, "Ada").await, person(&desk, "A.").await];
    let proposal = propose(&desk, &people).await;
    let racers = desk.clone();
    let decided = stage.in_parallel(8, move |n, _| {
        let proposals = racers.of::<MergeProposal>();
        Box::pin(async move {
            let decided = if n % 2 == 0 { proposals.accept(proposal).await } else { proposals.reject(proposal).await };
            decided.ok().map(|proposal| proposal.data.status)
        })
    });
    let decided: Vec<_> = decided.await.into_iter().flatten().collect();
    assert_eq!(decided.len(), 1);
    let is_merged = desk.of::<Contact>().get(people[1]).await.unwrap().id == people[0];
    assert_eq!(is_merged, decided[0] == ProposalStatus::Accepted);
}

/// A proposal does not stand any more when a contact of it is deleted or merged elsewhere, and is accepted by
/// whoever merges what it names.
pub async fn proposal_becomes_stale_with_its_contacts(stage: Stage) {
    let desk = Desk::new(&stage);
    let (proposals, contacts) = (desk.of::<MergeProposal>(), desk.of::<Contact>());
    let mut people = Vec::new();
    for name in ["Ada", "Bob", "Cyd", "Dan", "Eve", "Fay"] {
        people.push(person(&desk, name).await);
    }
    let [ada, bob, cyd, dan, eve, fay] = people[..] else { panic!("six were made") };
    let deleted = propose(&desk, &[ada, bob]).await;
    let merged = propose(&desk, &[ada, cyd]).await;
    let all = propose(&desk, &[dan, cyd]).await;
    let kept = propose(&desk, &[dan, eve]).await;
    contacts.delete(bob).await.unwrap();
    contacts.merge(dan, &Merge::of([cyd])).await.unwrap();
    assert_eq!(with(&desk, ProposalStatus::Stale).await, [deleted, merged]);
    assert_eq!(with(&desk, ProposalStatus::Accepted).await, [all]);
    assert_eq!(with(&desk, ProposalStatus::Pending).await, [kept]);
    assert_eq!(refusal(proposals.accept(merged).await).0, Conflict);
    // Deleted behind its back: nobody told the proposal.
    let gone = propose(&desk, &[ada, fay]).await;
    let key = crate::store::EntityKey::new(crate::entity::Kind::Contact, fay);
    let changes = crate::store::Changes::none().write(key, crate::temporal::WriteOp::Delete);
    let provenance = crate::store::Provenance::new("t", "t");
    desk.pim.store().apply(desk.tenant, changes, provenance, crate::Clock::now(&*desk.clock)).await.unwrap();
    let error = proposals.accept(gone).await.unwrap_err();
    assert_eq!(error.kind(), Conflict);
    assert!(error.to_string().contains(&fay.to_string()), "{error}");
    assert_eq!(proposals.get(gone).await.unwrap().data.status, ProposalStatus::Stale);
    assert_eq!(contacts.get(ada).await.unwrap().version(), 1, "nothing is merged");
    assert_eq!(refusal(proposals.reject(gone).await).0, Conflict);
}
