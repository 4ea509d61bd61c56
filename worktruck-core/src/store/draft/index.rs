use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::Result;
use crate::entity::{self, Kind, Term};
use crate::store::searched;

/// What a slice is found by, sorted by and searched for, as the tables keep it.
///
/// It stays what it was when the body was written, also where a later version of the kind would
/// index the body differently: rows that were written from it are removed by it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Indexed {
    /// In order, each once.
    pub terms: Vec<Term>,
    /// The value of every sort key that the kind declared; empty where the body has none.
    pub sort: BTreeMap<String, String>,
    /// The [words](searched) that it is searched by; absent where it was loaded and the backend does not keep it by
    /// slice.
    pub words: Option<String>,
}

impl Indexed {
    /// What `body`, an entity of `kind`, is found by.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if the body is not one of its kind.
    pub fn of(kind: Kind, body: &Value) -> Result<Self> {
        let index = entity::index(kind, body)?;
        let words = Some(searched(&index));
        let terms: BTreeSet<Term> = index.terms.into_iter().collect();
        let declared = entity::sort_keys(kind).iter().map(|name| ((*name).to_owned(), String::new()));
        let mut sort: BTreeMap<String, String> = declared.collect();
        sort.extend(index.sort.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Ok(Self { terms: terms.into_iter().collect(), sort, words })
    }

    /// The words that it is searched by, made of the body if it was not loaded. A body that was stored by a version
    /// with other rules, and is not one of its kind any more, can still be found by its terms.
    pub(super) fn words_of(&self, kind: Kind, body: Option<&Value>) -> String {
        self.words.clone().unwrap_or_else(|| {
            let index = body.and_then(|body| entity::index(kind, body).ok());
            index.map(|index| searched(&index)).unwrap_or_default()
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn terms_are_in_order_and_every_declared_sort_key_has_a_value() {
        let ids = [2, 1].map(|n| format!("0194a8b3-7e5a-77c1-9d0f-00000000000{n}"));
        let proposal = json!({ "contact_ids": ids, "survivor_id": ids[1], "score": 0.9, "reasons": [] });
        let indexed = Indexed::of(Kind::MergeProposal, &proposal).unwrap();
        assert!(indexed.terms.is_sorted_by(|one, other| one < other), "{indexed:?}");
        assert!(indexed.terms.contains(&Term::new("contact_id", &ids[1])));
        for (kind, body) in [(Kind::Contact, json!({ "display_name": "Zoë" })), (Kind::MergeProposal, proposal)] {
            let indexed = Indexed::of(kind, &body).unwrap();
            assert!(indexed.sort.keys().eq(entity::sort_keys(kind)), "{indexed:?}");
        }
        assert_eq!(Indexed::of(Kind::Contact, &json!([])).unwrap_err().kind(), crate::ErrorKind::InvalidRequest);
    }
}
