//! Amounts of money and the currencies they are in.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::{Error, Result};

/// An exact decimal amount of money, with at most 18 digits before and 6 behind the point.
///
/// JSON writes it as text, and reads text or a number. It keeps the digits that it was given: `1500.00` stays
/// `1500.00`. A number with a fraction is read only as far as every reader of JSON keeps it, which is 15 digits.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::amount::Amount;
///
/// let price: Amount = "1500.10".parse()?;
/// assert_eq!(price.to_string(), "1500.10");
/// assert_eq!(price.millionths(), 1_500_100_000);
/// assert!("1e3".parse::<Amount>().is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Amount(Decimal);

/// The most digits before the point of an amount that is written.
const MAX_WHOLE: usize = 18;
/// The most digits behind the point.
const MAX_FRACTION: u32 = 6;
/// The digits of a decimal number that a binary float gives back as they were.
const EXACT_DIGITS: usize = 15;
/// One more than the millionths of any amount that is written.
const LIMIT: i128 = 10_i128.pow(24);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// How many millionths it is.
    #[must_use]
    pub const fn millionths(self) -> i128 {
        self.0.mantissa() * 10_i128.pow(MAX_FRACTION.saturating_sub(self.0.scale()))
    }

    /// How many digits are written behind the point.
    #[must_use]
    pub const fn digits(self) -> u32 {
        self.0.scale()
    }

    /// The amount of so many millionths, written with at least `digits` digits behind the point.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if it is beyond 7.9 × 10²², where only sums get.
    pub fn from_millionths(millionths: i128, digits: u32) -> Result<Self> {
        let mut amount = Decimal::try_from_i128_with_scale(millionths, MAX_FRACTION)
            .map_err(|e| Error::invalid("the amounts add up to more than can be told").with_source(e))?
            .normalize();
        if amount.scale() < digits.min(MAX_FRACTION) {
            amount.rescale(digits.min(MAX_FRACTION));
        }
        Ok(Self(amount))
    }

    /// A text that sorts, byte by byte, as the amounts do; every amount sorts after the empty text.
    #[must_use]
    pub fn sort_key(self) -> String {
        match self.millionths() {
            millionths @ 0.. => format!("1{millionths:024}"),
            millionths => format!("0{:024}", LIMIT + millionths),
        }
    }
}

impl From<i64> for Amount {
    fn from(whole: i64) -> Self {
        Self(Decimal::from(whole))
    }
}

impl FromStr for Amount {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, part)| (whole, Some(part)));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !fraction.is_none_or(is_number) {
            return Err(Error::invalid("an amount must be a decimal number such as 1500.00"));
        }
        let is_long = fraction.is_some_and(|fraction| u32::try_from(fraction.len()).is_ok_and(|n| n > MAX_FRACTION));
        if whole.trim_start_matches('0').len() > MAX_WHOLE || is_long || text.len() > 100 {
            let message =
                format!("an amount has at most {MAX_WHOLE} digits before and {MAX_FRACTION} behind the point");
            return Err(Error::invalid(message));
        }
        let mut amount = Decimal::from_str_exact(text)
            .map_err(|e| Error::invalid("an amount must be a decimal number").with_source(e))?;
        if amount.is_zero() {
            amount.set_sign_positive(true);
        }
        Ok(Self(amount))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

struct AmountVisitor;

impl Visitor<'_> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount, as text such as \"1500.00\" or as a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Amount, E> {
        let text = number.to_string();
        // The digits that count; those of a whole number do not end before the point.
        let digits = text.trim_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit).count();
        if digits > EXACT_DIGITS {
            return Err(E::custom(format!("a number keeps only {EXACT_DIGITS} digits; write the amount as text")));
        }
        self.visit_str(&text)
    }
}

/// The code of a currency in use (ISO 4217).
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::amount::Currency;
///
/// let euro: Currency = "EUR".parse()?;
/// assert_eq!(euro.as_str(), "EUR");
/// assert!("eur".parse::<Currency>().is_err());
/// assert!("XYZ".parse::<Currency>().is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Currency(&'static str);

/// The codes, in order. Those that others have replaced since 2025 are among them, because deals of that time are in
/// them; the codes for tests and for no currency are not.
#[rustfmt::skip]
const CODES: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BHD", "BIF",
    "BMD", "BND", "BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHE", "CHF", "CHW", "CLF",
    "CLP", "CNY", "COP", "COU", "CRC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR",
    "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS",
    "INR", "IQD", "IRR", "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT",
    "LAK", "LBP", "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR",
    "MWK", "MXN", "MXV", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP",
    "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE",
    "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS",
    "UAH", "UGX", "USD", "USN", "UYI", "UYU", "UYW", "UZS", "VED", "VES", "VND", "VUV", "WST", "XAD", "XAF", "XAG",
    "XAU", "XBA", "XBB", "XBC", "XBD", "XCD", "XCG", "XDR", "XOF", "XPD", "XPF", "XPT", "XSU", "XUA", "YER", "ZAR",
    "ZMW", "ZWG",
];

impl Currency {
    /// The three letters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for Currency {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let code = CODES.binary_search(&text).ok().and_then(|at| CODES.get(at));
        code.map(|code| Self(code)).ok_or_else(|| {
            Error::invalid("a currency must be a code of ISO 4217 that is in use, three upper-case letters such as EUR")
        })
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(value: &Value) -> Option<String> {
        serde_json::from_value::<Amount>(value.clone()).ok().map(|amount| amount.to_string())
    }

    #[test]
    fn an_amount_is_read_from_text_and_numbers() {
        let table = [
            (json!("1500.00"), Some("1500.00")),
            (json!("-0.10"), Some("-0.10")),
            (json!("-0.00"), Some("0.00")),
            (json!("007"), Some("7")),
            (json!("999999999999999999.999999"), Some("999999999999999999.999999")),
            (json!("1000000000000000000"), None),
            (json!("0.0000001"), None),
            (json!(1500), Some("1500")),
            (json!(-3), Some("-3")),
            (json!(999_999_999_999_999_999_u64), Some("999999999999999999")),
            (json!(u64::MAX), None),
            (json!(0.1), Some("0.1")),
            (json!(19.99), Some("19.99")),
            (json!(1500.0), Some("1500")),
            (json!(123_456_789_012.345), Some("123456789012.345")),
            (json!(1_234_567_890_123.456_7), None),
            (json!(0.1 + 0.2), None),
            (json!(1e300), None),
            (json!(1e-7), None),
            (json!(""), None),
            (json!("-"), None),
            (json!("."), None),
            (json!("1."), None),
            (json!(".5"), None),
            (json!("+1"), None),
            (json!("1_000"), None),
            (json!("1,5"), None),
            (json!(" 1"), None),
            (json!("1e3"), None),
            (json!("--1"), None),
            (json!("٣"), None),
            (json!("0".repeat(101)), None),
            (json!(true), None),
            (json!([1]), None),
        ];
        for (given, expected) in table {
            assert_eq!(read(&given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn a_sum_is_written_with_the_digits_of_its_parts() {
        let written = |millionths, digits| Amount::from_millionths(millionths, digits).unwrap().to_string();
        assert_eq!(written(1_502_500_000, 2), "1502.50");
        assert_eq!(written(1_502_500_000, 0), "1502.5");
        assert_eq!(written(1_000_000, 9), "1.000000");
        assert_eq!(written(-1, 0), "-0.000001");
        assert!(Amount::from_millionths(i128::MAX, 0).is_err());
    }

    #[test]
    fn codes_are_sorted_and_three_upper_case_letters() {
        assert!(CODES.is_sorted_by(|one, other| one < other));
        assert!(CODES.iter().all(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())));
        assert!(["eur", "EU", "EURO", "XXX", "XTS", "ABC", ""].iter().all(|code| code.parse::<Currency>().is_err()));
    }

    proptest! {
        #[test]
        fn keys_sort_as_amounts_do(one in -LIMIT + 1..LIMIT, other in -LIMIT + 1..LIMIT) {
            let key = |millionths| Amount::from_millionths(millionths, 0).unwrap().sort_key();
            prop_assert_eq!(key(one).cmp(&key(other)), one.cmp(&other));
            prop_assert_eq!(key(one).len(), 25);
        }

        #[test]
        fn an_amount_comes_back_as_it_was_written(whole in 0_u64..10_u64.pow(18), fraction in "[0-9]{1,6}") {
            let text = format!("{whole}.{fraction}");
            prop_assert_eq!(read(&json!(text)), Some(text));
        }
    }
}
