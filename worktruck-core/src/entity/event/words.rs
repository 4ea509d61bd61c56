use serde::{Deserialize, Serialize};

/// Makes an enum of words, and what they are called.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $word:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$about])* $word,)*
        }

        impl $name {
            /// Its name in JSON and in stores.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $text,)*
                }
            }

            /// All of them.
            #[cfg(test)]
            pub(super) const ALL: &'static [Self] = &[$(Self::$word,)*];
        }
    };
}

words! {
    /// What an event is.
    EventType {
        /// Something that takes place.
        #[default]
        Event "event",
        /// Time to work undisturbed.
        FocusTime "focus_time",
        /// Time away.
        OutOfOffice "out_of_office",
        /// Where somebody works.
        WorkingLocation "working_location",
        /// Something to be reminded of.
        Reminder "reminder",
    }
}

words! {
    /// Whether an event takes place.
    EventStatus {
        /// It does.
        #[default]
        Confirmed "confirmed",
        /// It may.
        Tentative "tentative",
        /// It does not.
        Cancelled "cancelled",
    }
}

words! {
    /// Whether an event leaves time for anything else.
    Availability {
        /// It does not.
        #[default]
        Busy "busy",
        /// It does.
        Free "free",
    }
}

words! {
    /// Who may see an event.
    Visibility {
        /// Who may see the calendar.
        #[default]
        Default "default",
        /// Everybody.
        Public "public",
        /// Only its owner.
        Private "private",
    }
}

words! {
    /// How somebody is reminded: the words of ACTION (RFC 5545).
    ReminderMethod {
        /// Something is shown.
        #[default]
        Display "display",
        /// An e-mail is sent.
        Email "email",
        /// Something is heard.
        Audio "audio",
    }
}

/// When to remind people of an event, and how.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Reminder {
    /// How many minutes before the start.
    pub minutes: u32,
    /// How; as the application does it if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<ReminderMethod>,
}
