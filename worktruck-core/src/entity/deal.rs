//! Deals: what may be sold, to whom, for how much.

use std::collections::BTreeSet;

use chrono::{Datelike as _, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Error, Result, Timestamp};

use super::amount::{Amount, Currency};
use super::stage::Probability;
use super::text::{check_name, check_object, check_optional, check_optional_text};
use super::{Entity, Index, Kind, Locale, Texts};

/// How many contacts a deal is linked with at most.
pub const MAX_CONTACTS: usize = 1_000;

/// What may be sold.
///
/// Terms: `pipeline_id`, `stage_id`, `contact_id` with its own and all that it is linked with, `introduced_by`,
/// `organization_id`. Sort: `amount`, `expected_close_date`. Text: name, description, next step, source.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::deal::Deal;
/// use worktruck_core::entity::{Entity as _, Locale};
///
/// let mut deal = Deal { name: "Roof".to_owned(), amount: Some("1500.00".parse()?), ..Deal::default() };
/// deal.normalise(&Locale::default())?;
/// deal.confidence = Some(101);
/// assert_eq!(deal.normalise(&Locale::default()).unwrap_err().pointer(), Some("/confidence"));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Deal {
    /// What it is called.
    pub name: String,
    /// What it goes through. A new deal may leave it out; every stored one has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline_id: Option<EntityId>,
    /// Where in the pipeline it is. A new deal may leave it out; every stored one has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage_id: Option<EntityId>,
    /// What it is worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// What the amount is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// How often the amount comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_period: Option<ValuePeriod>,
    /// How likely it is to be won; as its stage says if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<Probability>,
    /// How sure its owner is, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<u8>,
    /// With whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<EntityId>,
    /// With which organization, a contact too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<EntityId>,
    /// Where it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What is to be done next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
    /// When it should be decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_close_date: Option<NaiveDate>,
    /// When it was won or lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Why it was won.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub won_reason: Option<String>,
    /// Why it was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_reason: Option<String>,
    /// Whom it is linked with, each once.
    pub contacts: Vec<DealContact>,
    /// Whatever the application keeps with it.
    pub metadata: Map<String, Value>,
}

/// How often an amount comes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ValuePeriod {
    /// Once.
    OneTime,
    /// Every month.
    Monthly,
    /// Every three months.
    Quarterly,
    /// Every year.
    Annual,
}

impl ValuePeriod {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneTime => "one_time",
            Self::Monthly => "monthly",
            Self::Quarterly => "quarterly",
            Self::Annual => "annual",
        }
    }
}

/// A contact that a deal is linked with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DealContact {
    /// The contact.
    pub contact_id: EntityId,
    /// What it does in the deal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Whether it is the one to turn to; of a deal's contacts at most one is.
    #[serde(default)]
    pub is_primary: bool,
    /// The contact that made the introduction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introduced_by: Option<EntityId>,
}

impl DealContact {
    /// The contact, with nothing said about it.
    #[must_use]
    pub const fn new(contact_id: EntityId) -> Self {
        Self { contact_id, role: None, is_primary: false, introduced_by: None }
    }
}

impl Deal {
    fn check_contacts(&self) -> Result<()> {
        if self.contacts.len() > MAX_CONTACTS {
            return Err(Error::invalid(format!("a deal has at most {MAX_CONTACTS} contacts")).at("/contacts"));
        }
        let (mut known, mut has_primary) = (BTreeSet::new(), false);
        for (at, link) in self.contacts.iter().enumerate() {
            check_optional(&format!("/contacts/{at}/role"), link.role.as_deref())?;
            if !known.insert(link.contact_id) {
                let message = format!("contact {} is linked with the deal already", link.contact_id);
                return Err(Error::conflict(message).at(format!("/contacts/{at}/contact_id")));
            }
            if link.is_primary && has_primary {
                let message = "only one contact of a deal is the primary one";
                return Err(Error::invalid(message).at(format!("/contacts/{at}/is_primary")));
            }
            has_primary |= link.is_primary;
        }
        Ok(())
    }
}

impl Entity for Deal {
    const KIND: Kind = Kind::Deal;
    const SORT_KEYS: &'static [&'static str] = &["amount", "expected_close_date"];

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        check_name("/name", &self.name)?;
        if self.confidence.is_some_and(|confidence| confidence > 100) {
            return Err(Error::invalid("confidence must be between 0 and 100").at("/confidence"));
        }
        if self.expected_close_date.is_some_and(|date| !(1..=9999).contains(&date.year())) {
            return Err(Error::invalid("the year must be between 1 and 9999").at("/expected_close_date"));
        }
        check_optional("/source", self.source.as_deref())?;
        for (pointer, text) in [
            ("/description", &self.description),
            ("/next_step", &self.next_step),
            ("/won_reason", &self.won_reason),
            ("/lost_reason", &self.lost_reason),
        ] {
            check_optional_text(pointer, text.as_deref())?;
        }
        self.check_contacts()?;
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        let required = |id: Option<EntityId>, pointer: &str| {
            id.ok_or_else(|| Error::invalid("a stored deal is in a stage of a pipeline").at(pointer))
        };
        let contacts: BTreeSet<EntityId> =
            self.contact_id.into_iter().chain(self.contacts.iter().map(|link| link.contact_id)).collect();
        let introducers: BTreeSet<EntityId> = self.contacts.iter().filter_map(|link| link.introduced_by).collect();
        Ok(Index::default()
            .term("pipeline_id", required(self.pipeline_id, "/pipeline_id")?)
            .term("stage_id", required(self.stage_id, "/stage_id")?)
            .terms("contact_id", contacts)
            .terms("introduced_by", introducers)
            .terms("organization_id", self.organization_id)
            .key("amount", self.amount.map(Amount::sort_key).unwrap_or_default())
            .key("expected_close_date", self.expected_close_date.map(|date| date.to_string()).unwrap_or_default()))
    }

    fn texts(&self) -> Texts<'_> {
        let body = [&self.description, &self.next_step, &self.source];
        Texts::titled(&self.name).body(body.map(Option::as_deref))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entity::{Term, index, parse};

    fn id(n: u8) -> String {
        format!("0194a8b3-7e5a-77c1-9d0f-0000000000{n:02x}")
    }

    #[test]
    fn a_field_that_is_wrong_is_refused_at_its_place() {
        let twice = json!([{ "contact_id": id(1) }, { "contact_id": id(1) }]);
        let primaries =
            json!([{ "contact_id": id(1), "is_primary": true }, { "contact_id": id(2), "is_primary": true }]);
        for (fields, pointer) in [
            (json!({ "name": "" }), "/name"),
            (json!({ "name": "x".repeat(513) }), "/name"),
            (json!({ "amount": "much" }), "/amount"),
            (json!({ "amount": 0.1 + 0.2 }), "/amount"),
            (json!({ "currency": "eur" }), "/currency"),
            (json!({ "currency": "ABC" }), "/currency"),
            (json!({ "value_period": "weekly" }), "/value_period"),
            (json!({ "probability": 1.1 }), "/probability"),
            (json!({ "confidence": 101 }), "/confidence"),
            (json!({ "confidence": -1 }), "/confidence"),
            (json!({ "contact_id": "x" }), "/contact_id"),
            (json!({ "source": "\0" }), "/source"),
            (json!({ "description": "x".repeat((1 << 20) + 1) }), "/description"),
            (json!({ "next_step": "\0" }), "/next_step"),
            (json!({ "expected_close_date": "2026-02-30" }), "/expected_close_date"),
            (json!({ "expected_close_date": "+12026-02-03" }), "/expected_close_date"),
            (json!({ "closed_at": "yesterday" }), "/closed_at"),
            (json!({ "lost_reason": "\0" }), "/lost_reason"),
            (json!({ "contacts": twice }), "/contacts/1/contact_id"),
            (json!({ "contacts": primaries }), "/contacts/1/is_primary"),
            (json!({ "contacts": [{ "contact_id": id(1), "role": " " }] }), "/contacts/0/role"),
            (json!({ "metadata": { "a": "\0" } }), "/metadata/a"),
        ] {
            let mut body = json!({ "name": "Roof" });
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let found = parse::<Deal>(&body).and_then(|mut deal| deal.normalise(&Locale::default()));
            assert_eq!(found.unwrap_err().pointer(), Some(pointer), "{fields}");
        }
    }

    #[test]
    fn a_deal_is_found_by_its_place_and_all_its_contacts() {
        let body = json!({
            "name": "Roof", "pipeline_id": id(1), "stage_id": id(2), "contact_id": id(3), "organization_id": id(4),
            "contacts": [{ "contact_id": id(3) }, { "contact_id": id(5), "introduced_by": id(6) }],
            "amount": "-0.5", "expected_close_date": "0026-04-14", "source": "fair", "next_step": "call",
        });
        let found = index(Kind::Deal, &body).unwrap();
        let expected = [
            ("pipeline_id", 1),
            ("stage_id", 2),
            ("contact_id", 3),
            ("contact_id", 5),
            ("introduced_by", 6),
            ("organization_id", 4),
        ];
        assert_eq!(found.terms, expected.map(|(name, n)| Term::new(name, id(n))));
        assert_eq!(found.sort[0], ("amount", "0999999999999999999500000".to_owned()));
        assert_eq!(found.sort[1], ("expected_close_date", "0026-04-14".to_owned()));
        assert_eq!(found.text, "Roof\ncall\nfair");
        assert!(index(Kind::Deal, &json!({ "name": "Roof", "pipeline_id": id(1) })).is_err());
    }
}
