//! How single values are read: TOML to types that cannot hold what is wrong.

use super::raw::{Located, Section, kind};
use super::suggest::nearest;
use crate::engine::ldap::Dn;
use crate::engine::ldap::sasl::Mechanism;
use crate::engine::policy::resource::ResourceScope;
use crate::engine::policy::selector::Selector;
use crate::engine::policy::{Mode, OperationKind, RefusalStyle};
use std::net::SocketAddr;
use std::time::Duration;
use toml::de::DeValue;

/// What can stand behind a key. The error says what is wrong and what would be right.
pub(super) trait FromValue: Sized {
    fn from_value(value: &DeValue<'_>) -> Result<Self, String>;
}

/// What is written as text.
pub(super) trait FromText: Sized {
    /// How it would be written.
    const EXAMPLE: &'static str;

    /// The error says what the text is not.
    fn from_text(text: &str) -> Result<Self, String>;
}

impl<T: FromText> FromValue for T {
    fn from_value(value: &DeValue<'_>) -> Result<T, String> {
        match value {
            DeValue::String(text) => T::from_text(text),
            other => Err(format!("expected text like {}, found {}", T::EXAMPLE, kind(other))),
        }
    }
}

impl FromValue for bool {
    fn from_value(value: &DeValue<'_>) -> Result<bool, String> {
        match value {
            DeValue::Boolean(value) => Ok(*value),
            other => Err(format!("expected true or false, found {}", kind(other))),
        }
    }
}

impl FromValue for u64 {
    fn from_value(value: &DeValue<'_>) -> Result<u64, String> {
        match value {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix())
                .map_err(|_| format!("expected a whole number from 0 up, found {number}")),
            other => Err(format!("expected a whole number, found {}", kind(other))),
        }
    }
}

impl FromText for String {
    const EXAMPLE: &'static str = "\"…\"";

    fn from_text(text: &str) -> Result<String, String> {
        match text.chars().any(char::is_control) {
            false => Ok(text.to_owned()),
            true => Err(format!("{text:?} has control characters in it; write it on one line, without them")),
        }
    }
}

/// What resources and roles are called: it is shown in messages and typed in commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(pub(super) String);

impl FromText for Name {
    const EXAMPLE: &'static str = "\"payroll\"";

    fn from_text(text: &str) -> Result<Name, String> {
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let fits = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if begins && fits {
            Ok(Name(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} cannot be a name; use ASCII letters, digits, '-', '_' and '.', beginning with a letter or digit"
            ))
        }
    }
}

impl FromText for Dn {
    const EXAMPLE: &'static str = "\"ou=payroll,dc=example,dc=com\"";

    fn from_text(text: &str) -> Result<Dn, String> {
        match Dn::parse(text.as_bytes()) {
            Ok(dn) if dn.is_root() => Err(format!("an empty name is not enough; write it like {}", Self::EXAMPLE)),
            Ok(dn) => Ok(dn),
            Err(error) => Err(format!("{text:?} is {error}; write it like {}", Self::EXAMPLE)),
        }
    }
}

impl FromText for SocketAddr {
    const EXAMPLE: &'static str = "\"0.0.0.0:636\"";

    fn from_text(text: &str) -> Result<SocketAddr, String> {
        text.parse().map_err(|_| {
            format!("{text:?} is not an address with a port; write it like {} or \"[::]:636\"", Self::EXAMPLE)
        })
    }
}

impl FromText for Duration {
    const EXAMPLE: &'static str = "\"1h30m\"";

    fn from_text(text: &str) -> Result<Duration, String> {
        match crate::engine::time::parse_duration(text) {
            Ok(Duration::ZERO) => {
                Err(format!("{text:?} is no time at all; write it like \"45s\", \"90m\" or \"1h30m\""))
            }
            Ok(duration) => Ok(duration),
            Err(_) => Err(format!("{text:?} is not a duration; write it like \"45s\", \"90m\", \"1h30m\" or \"4h\"")),
        }
    }
}

impl FromText for Selector {
    const EXAMPLE: &'static str = "\"group:cn=hr,ou=groups,dc=example,dc=com\"";

    fn from_text(text: &str) -> Result<Selector, String> {
        match Selector::parse(text) {
            Ok(selector) => Ok(selector),
            Err(error) => Err(format!("{text:?}: {error}")),
        }
    }
}

impl FromText for Mechanism {
    const EXAMPLE: &'static str = "\"SCRAM-SHA-256\"";

    fn from_text(text: &str) -> Result<Mechanism, String> {
        if text.ends_with("-PLUS") {
            return Err(format!("{text:?} binds to the TLS connection, which ends here: it cannot be passed"));
        }
        one_of(text, "mechanism", &Mechanism::ALL.map(|mechanism| (mechanism.name(), mechanism)))
    }
}

impl FromText for OperationKind {
    const EXAMPLE: &'static str = "\"search\"";

    fn from_text(text: &str) -> Result<OperationKind, String> {
        one_of(text, "operation", &OperationKind::ALL.map(|kind| (kind.name(), kind)))
    }
}

impl FromText for ResourceScope {
    const EXAMPLE: &'static str = "\"subtree\"";

    fn from_text(text: &str) -> Result<ResourceScope, String> {
        let scopes = [("base", ResourceScope::Base), ("one", ResourceScope::One), ("subtree", ResourceScope::Subtree)];
        one_of(text, "scope", &scopes)
    }
}

impl FromText for Mode {
    const EXAMPLE: &'static str = "\"enforce\"";

    fn from_text(text: &str) -> Result<Mode, String> {
        one_of(text, "mode", &[("enforce", Mode::Enforce), ("monitor", Mode::Monitor)])
    }
}

impl FromText for RefusalStyle {
    const EXAMPLE: &'static str = "\"explain\"";

    fn from_text(text: &str) -> Result<RefusalStyle, String> {
        one_of(text, "refusal", &[("explain", RefusalStyle::Explain), ("opaque", RefusalStyle::Opaque)])
    }
}

/// A word out of a few.
pub(super) fn one_of<T: Copy>(text: &str, what: &str, words: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let meant = match nearest(text, known.iter().copied()) {
        Some(meant) => format!("did you mean {meant:?}? "),
        None => String::new(),
    };
    Err(format!("unknown {what} {text:?}; {meant}known are: {}", known.join(", ")))
}

/// A time zone of the IANA database.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeZone(pub(super) chrono_tz::Tz);

impl FromText for TimeZone {
    const EXAMPLE: &'static str = "\"Europe/Berlin\"";

    fn from_text(text: &str) -> Result<TimeZone, String> {
        text.parse().map(TimeZone).map_err(|_| {
            let known = nearest(text, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
            let meant = known.map(|name| format!("did you mean {name:?}? ")).unwrap_or_default();
            format!("{text:?} is no time zone; {meant}write it like {}", Self::EXAMPLE)
        })
    }
}

/// A value, or several in a list.
pub(super) fn list_of<T: FromValue>(section: &Section<'_>, key: &'static str) -> Option<Vec<Located<T>>> {
    if section.has(key) && !section.is_list(key) {
        return Some(section.optional(key).into_iter().collect());
    }
    section.list(key).map(|list| list.value)
}
