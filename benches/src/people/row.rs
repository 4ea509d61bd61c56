//! A row of the people file.

/// The columns in order.
pub const HEADER: [&str; 17] = [
    "uid",
    "given_name",
    "middle_name",
    "family_name",
    "display_name",
    "email",
    "phone",
    "street",
    "city",
    "region",
    "postal_code",
    "country",
    "birthday",
    "identifier",
    "organization",
    "title",
    "note",
];

/// A row; an empty text is an unknown value.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of its name")]
pub struct Row {
    pub uid: String,
    pub given_name: String,
    pub middle_name: String,
    pub family_name: String,
    pub display_name: String,
    pub email: String,
    pub phone: String,
    pub street: String,
    pub city: String,
    pub region: String,
    pub postal_code: String,
    pub country: String,
    pub birthday: String,
    pub identifier: String,
    pub organization: String,
    pub title: String,
    pub note: String,
}

impl Row {
    pub(crate) fn values(&self) -> [&str; HEADER.len()] {
        [
            &self.uid,
            &self.given_name,
            &self.middle_name,
            &self.family_name,
            &self.display_name,
            &self.email,
            &self.phone,
            &self.street,
            &self.city,
            &self.region,
            &self.postal_code,
            &self.country,
            &self.birthday,
            &self.identifier,
            &self.organization,
            &self.title,
            &self.note,
        ]
    }

    /// The row as a line of CSV.
    pub(crate) fn csv(&self) -> String {
        let quoted = |value: &str| {
            if value.contains([',', '"', '\n']) {
                format!("\"{}\"", value.replace('"', "\"\""))
            } else {
                value.to_owned()
            }
        };
        self.values().map(quoted).join(",") + "\n"
    }
}
