use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A place in an order that people make: any number, so that there is always room between two.
///
/// JSON is a number, a whole one where it is whole.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::task::Position;
///
/// let position: Position = serde_json::from_str("1.50")?;
/// assert_eq!(serde_json::to_string(&position)?, "1.5");
/// assert_eq!(serde_json::to_string(&Position::from(3_i32))?, "3");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Position(f64);

impl Position {
    /// The place at `number`, which must be finite.
    #[must_use]
    pub fn new(number: f64) -> Option<Self> {
        // There is one zero.
        number.is_finite().then_some(Self(number + 0.0))
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> f64 {
        self.0
    }

    /// A text that sorts byte by byte as the numbers do.
    #[must_use]
    pub fn sort_key(self) -> String {
        let bits = self.0.to_bits();
        let sign = 1 << 63;
        format!("{:016x}", if bits & sign == 0 { bits | sign } else { !bits })
    }
}

impl From<i32> for Position {
    fn from(number: i32) -> Self {
        Self(number.into())
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Up to here whole numbers are exact.
        let is_whole = self.0.fract() == 0.0 && self.0.abs() < 9_007_199_254_740_992.0;
        match format!("{:.0}", self.0).parse::<i64>() {
            Ok(whole) if is_whole => serializer.serialize_i64(whole),
            _ => serializer.serialize_f64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).ok_or_else(|| de::Error::custom("a position must be finite"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort_keys_sort_as_the_numbers_do() {
        let numbers = [-1e300, -2.5, -2.0, -1e-300, -0.0, 1e-300, 1.0, 1.5, 2.0, 9e15, 1.0e16, 1e300];
        let keys: Vec<String> = numbers.map(|number| Position::new(number).unwrap().sort_key()).to_vec();
        assert!(keys.is_sorted_by(|one, other| one < other), "{keys:?}");
        assert_eq!(Position::new(-0.0).unwrap().sort_key(), Position::new(0.0).unwrap().sort_key());
        assert_eq!(Position::new(f64::NAN), None);
        assert_eq!(Position::new(f64::INFINITY), None);
    }

    #[test]
    fn json_comes_back() {
        for text in ["0", "-3", "1.5", "1776168000", "1e300"] {
            let position: Position = serde_json::from_str(text).unwrap();
            let again: Position = serde_json::from_str(&serde_json::to_string(&position).unwrap()).unwrap();
            assert_eq!(position, again);
        }
        assert_eq!(serde_json::to_string(&Position::new(-0.0)).unwrap(), "0");
        assert!(serde_json::from_str::<Position>("\"1\"").is_err());
    }
}
