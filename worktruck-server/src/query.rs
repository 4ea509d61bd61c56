//! Query strings, read strictly: what nobody knows is refused, and so is what is said twice.

use std::str::FromStr;

use serde::de::DeserializeOwned;
use worktruck_core::Error;

use crate::Failure;

/// The parameters of a query string that nobody has asked for yet.
#[derive(Debug)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Reads a query string.
    pub(crate) fn read(query: Option<&str>) -> Result<Self, Failure> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query.unwrap_or_default())
            .map_err(|error| Failure::invalid(format!("the query string cannot be read: {error}")))?;
        for (at, (name, value)) in pairs.iter().enumerate() {
            if pairs[..at].iter().any(|(known, _)| known == name) {
                return Err(wrong(name, format!("the parameter {name} is given twice")));
            }
            if value.contains('\0') {
                return Err(wrong(name, "the text contains a NUL character".to_owned()));
            }
        }
        Ok(Self(pairs))
    }

    /// Takes a parameter out.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Takes a parameter out and reads it.
    pub(crate) fn take_as<T: FromStr<Err = Error>>(&mut self, name: &str) -> Result<Option<T>, Failure> {
        let value = self.take(name).map(|text| text.parse::<T>()).transpose();
        value.map_err(|error| Failure::from(error.at(format!("/{name}"))))
    }

    /// Reads all that is left; `known` is what may be there, for whoever is told that something is not.
    pub(crate) fn rest<T: DeserializeOwned>(self, known: &[String]) -> Result<T, Failure> {
        if let Some((name, _)) = self.0.iter().find(|(name, _)| !known.contains(name)) {
            let message = if known.is_empty() {
                format!("{name:?} is not a parameter of this address, which has none")
            } else {
                format!("{name:?} is not a parameter of this address, which knows {}", known.join(", "))
            };
            return Err(wrong(name, message));
        }
        let text = serde_urlencoded::to_string(&self.0).map_err(|error| Failure::invalid(error.to_string()))?;
        let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
        serde_path_to_error::deserialize(reader).map_err(|error| {
            let name = error.path().iter().next().map(ToString::to_string);
            let message = error.inner().to_string();
            let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
            match (missing, name) {
                (Some(missing), _) => wrong(missing, format!("the parameter {missing} is missing")),
                (None, Some(name)) => wrong(&name, format!("the parameter {name} is wrong: {message}")),
                (None, None) => Failure::invalid(format!("the query string is wrong: {message}")),
            }
        })
    }
}

fn wrong(name: &str, message: String) -> Failure {
    let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
    Failure::from(Error::invalid(message).at(pointer))
}
