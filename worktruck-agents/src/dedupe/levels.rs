//! The fields that are compared and the levels on which each may agree.

/// How many fields are compared.
pub(crate) const FIELDS: usize = 11;

/// A field of the comparison; its number is its place in [`Levels`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Field {
    Given,
    Middle,
    Family,
    Birth,
    Email,
    Phone,
    Identifier,
    Street,
    Place,
    Organization,
    Title,
}

impl Field {
    /// Every field in order.
    pub(crate) const ALL: [Self; FIELDS] = [
        Self::Given,
        Self::Middle,
        Self::Family,
        Self::Birth,
        Self::Email,
        Self::Phone,
        Self::Identifier,
        Self::Street,
        Self::Place,
        Self::Organization,
        Self::Title,
    ];

    /// Whether it belongs to the name.
    pub(crate) const fn is_name(self) -> bool {
        matches!(self, Self::Given | Self::Middle | Self::Family)
    }

    /// The level of full agreement.
    pub(crate) const fn top(self) -> u8 {
        match self {
            Self::Given => given::EXACT,
            Self::Middle => middle::EXACT,
            Self::Family => family::EXACT,
            Self::Birth => birth::EXACT,
            Self::Email => email::EXACT,
            Self::Phone => phone::EXACT,
            Self::Identifier => identifier::EXACT,
            Self::Street => street::EXACT,
            Self::Place => place::BOTH,
            Self::Organization | Self::Title => text::EXACT,
        }
    }
}

/// The level on which each field agrees: [`MISSING`], [`DIFFERENT`], and upwards.
pub(crate) type Levels = [u8; FIELDS];

/// One side does not know the field: neutral.
pub(crate) const MISSING: u8 = 0;
/// Both know the field and it disagrees.
pub(crate) const DIFFERENT: u8 = 1;

pub(crate) mod given {
    pub(crate) const INITIAL: u8 = 2;
    pub(crate) const SIMILAR: u8 = 3;
    pub(crate) const NEAR: u8 = 4;
    /// A form of the same name, one of several given names, or the middle name in use.
    pub(crate) const VARIANT: u8 = 5;
    /// Given and family name stand in each other's place.
    pub(crate) const SWAPPED: u8 = 6;
    pub(crate) const EXACT: u8 = 7;
}

pub(crate) mod middle {
    pub(crate) const INITIAL: u8 = 2;
    pub(crate) const NEAR: u8 = 3;
    pub(crate) const EXACT: u8 = 4;
}

pub(crate) mod family {
    pub(crate) const INITIAL: u8 = 2;
    pub(crate) const SIMILAR: u8 = 3;
    pub(crate) const NEAR: u8 = 4;
    /// One of several family names agrees.
    pub(crate) const PART: u8 = 5;
    pub(crate) const EXACT: u8 = 6;
}

pub(crate) mod birth {
    pub(crate) const MONTH_DAY: u8 = 2;
    pub(crate) const YEAR: u8 = 3;
    pub(crate) const YEAR_AND_PART: u8 = 4;
    pub(crate) const PARTIAL: u8 = 5;
    pub(crate) const TYPO: u8 = 6;
    pub(crate) const EXACT: u8 = 7;
}

pub(crate) mod email {
    pub(crate) const NEAR: u8 = 2;
    /// The part before the `@` agrees.
    pub(crate) const LOCAL: u8 = 3;
    pub(crate) const EXACT: u8 = 4;
}

pub(crate) mod phone {
    pub(crate) const NEAR: u8 = 2;
    pub(crate) const EXACT: u8 = 3;
}

pub(crate) mod identifier {
    pub(crate) const SIMILAR: u8 = 2;
    pub(crate) const NEAR: u8 = 3;
    pub(crate) const EXACT: u8 = 4;
}

pub(crate) mod street {
    /// The same street, another number.
    pub(crate) const WORDS: u8 = 2;
    pub(crate) const SIMILAR: u8 = 3;
    pub(crate) const CLOSE: u8 = 4;
    pub(crate) const EXACT: u8 = 5;
}

pub(crate) mod place {
    /// Town or postal code are a typing error apart, or only the region is known and agrees.
    pub(crate) const NEAR: u8 = 2;
    pub(crate) const CITY: u8 = 3;
    pub(crate) const CITY_AND_NEAR_POSTAL: u8 = 4;
    pub(crate) const POSTAL: u8 = 5;
    pub(crate) const BOTH: u8 = 6;
}

pub(crate) mod text {
    pub(crate) const SIMILAR: u8 = 2;
    pub(crate) const EXACT: u8 = 3;
}
