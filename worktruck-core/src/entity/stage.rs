//! Stages: where in its pipeline a deal is.

use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{EntityId, Error, Result};

use super::text::{check_name, check_object};
use super::{Entity, Index, Kind, Locale, Term};

/// A part of a pipeline.
///
/// Terms: `pipeline_id`, `stage_type`, and `place`, which no two stages share. Sort: `position`.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::stage::{Probability, Stage, StageType};
/// use worktruck_core::entity::{Entity as _, Locale};
///
/// let pipeline = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?;
/// let mut stage = Stage { stage_type: StageType::Won, ..Stage::new(pipeline, "Signed") };
/// stage.normalise(&Locale::default())?;
/// assert_eq!(stage.probability, Some(Probability::ONE));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// What it is a part of; never another.
    pub pipeline_id: EntityId,
    /// What it is called.
    #[serde(default)]
    pub name: String,
    /// Where in the pipeline it is, lowest first; no two have the same. A new stage comes last if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// What it says of the deals in it.
    #[serde(default)]
    pub stage_type: StageType,
    /// How likely a deal in it is to be won, if the deal does not say: 1 in a stage of won deals and 0 in others if
    /// this is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<Probability>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// What a stage says of the deals in it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StageType {
    /// They are not decided.
    #[default]
    Open,
    /// They are won.
    Won,
    /// They are lost.
    Lost,
}

impl StageType {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }
}

/// How likely something is, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Probability(f64);

impl Probability {
    /// It will not be.
    pub const ZERO: Self = Self(0.0);
    /// It will be.
    pub const ONE: Self = Self(1.0);

    /// The probability `value`.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if it is not between 0 and 1.
    pub fn new(value: f64) -> Result<Self> {
        if (0.0..=1.0).contains(&value) {
            // There is no negative zero.
            Ok(Self(value.abs()))
        } else {
            Err(Error::invalid("a probability must be between 0 and 1"))
        }
    }

    /// As a number.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }

    /// The nearest number of billionths, to reckon with.
    #[must_use]
    pub fn billionths(self) -> i128 {
        let digits = format!("{:.9}", self.0).replace('.', "");
        // Invariant: ten digits are a number.
        digits.parse().unwrap_or(0)
    }
}

impl Serialize for Probability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::ZERO => serializer.serialize_u64(0),
            Self::ONE => serializer.serialize_u64(1),
            Self(value) => serializer.serialize_f64(value),
        }
    }
}

impl<'de> Deserialize<'de> for Probability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Stage {
    /// An open stage of a pipeline, which comes last.
    pub fn new(pipeline_id: EntityId, name: impl Into<String>) -> Self {
        Self {
            pipeline_id,
            name: name.into(),
            position: None,
            stage_type: StageType::Open,
            probability: None,
            metadata: Map::new(),
        }
    }

    /// The index term that no two stages share: the pipeline and the position.
    #[must_use]
    pub fn place(pipeline_id: EntityId, position: u32) -> Term {
        Term::new("place", format!("{pipeline_id} {position}"))
    }

    /// How likely a deal in it is to be won, if the deal does not say.
    #[must_use]
    pub fn likelihood(&self) -> Probability {
        self.probability.unwrap_or(match self.stage_type {
            StageType::Won => Probability::ONE,
            StageType::Open | StageType::Lost => Probability::ZERO,
        })
    }
}

impl Entity for Stage {
    const KIND: Kind = Kind::Stage;
    const SORT_KEYS: &'static [&'static str] = &["position"];

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        check_name("/name", &self.name)?;
        self.probability = Some(self.likelihood());
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        let position = self.position.ok_or_else(|| Error::invalid("a stage has a position").at("/position"))?;
        let mut index = Index::default()
            .term("pipeline_id", self.pipeline_id)
            .term("stage_type", self.stage_type.as_str())
            .key("position", format!("{position:010}"));
        index.terms.push(Self::place(self.pipeline_id, position));
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entity::parse;

    #[test]
    fn a_probability_comes_back_as_it_was() {
        for (given, billionths) in
            [(json!(0), 0), (json!(1), 1_000_000_000), (json!(0.35), 350_000_000), (json!(1.0 / 3.0), 333_333_333)]
        {
            let probability: Probability = serde_json::from_value(given.clone()).unwrap();
            assert_eq!((json!(probability), probability.billionths()), (given, billionths));
        }
        assert_eq!(json!(serde_json::from_str::<Probability>("-0.0").unwrap()), json!(0));
        for wrong in ["-0.1", "1.000001", "2", "\"0.5\"", "null"] {
            assert!(serde_json::from_str::<Probability>(wrong).is_err(), "{wrong}");
        }
        assert!(Probability::new(f64::NAN).is_err());
    }

    #[test]
    fn a_field_that_is_wrong_is_refused_at_its_place() {
        let pipeline = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d";
        for (fields, pointer) in [
            (json!({ "name": " " }), "/name"),
            (json!({}), "/name"),
            (json!({ "name": "A", "probability": 1.5 }), "/probability"),
            (json!({ "name": "A", "position": -1 }), "/position"),
            (json!({ "name": "A", "stage_type": "done" }), "/stage_type"),
            (json!({ "name": "A", "pipeline_id": 1 }), "/pipeline_id"),
            (json!({ "name": "A", "metadata": { "a": "\0" } }), "/metadata/a"),
        ] {
            let mut body = json!({ "pipeline_id": pipeline });
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let found = parse::<Stage>(&body).and_then(|mut stage| stage.normalise(&Locale::default()));
            assert_eq!(found.unwrap_err().pointer(), Some(pointer), "{fields}");
        }
    }
}
