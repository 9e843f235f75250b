//! Selectors: `dn:`, `subtree:`, `group:`, `certificate:`, `local:`, `anyone`.
//!
//! A selector opens something, so names are compared finely ([`Dn::is_surely`]).

use super::groups::{Belongs, Groups};
use crate::engine::ldap::Dn;
use crate::engine::ldap::dn::Naming;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// Names one or more people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Exactly this subject.
    Dn(Dn),
    /// This entry and those below it.
    Subtree(Dn),
    /// The members of this group, as the directory says.
    Group(Dn),
    /// The holder of a client certificate with this subject.
    Certificate(Dn),
    /// A user of this machine; only at the control socket.
    Local(String),
    /// Everybody who has a name.
    Anyone,
}

/// Why text is not a selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// No known kind before the colon.
    #[error("not a selector: write dn:DN, subtree:DN, group:DN, certificate:DN, local:USER or anyone")]
    Kind,
    /// What follows is no DN, or empty.
    #[error("what follows the colon is not a distinguished name")]
    Name,
    /// What follows `local:` is no user name.
    #[error("what follows local: is not a user name")]
    User,
}

/// Somebody, under all the names that the door they came through gave them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Person<'a> {
    /// The subject that they are bound as or mapped to; none is anonymous.
    pub subject: Option<&'a Dn>,
    /// The user of this machine, at the control socket.
    pub local_user: Option<&'a str>,
    /// The subject of the client certificate.
    pub certificate: Option<&'a Dn>,
}

impl<'a> Person<'a> {
    /// Somebody known by a DN and nothing else.
    pub fn of(subject: &'a Dn) -> Person<'a> {
        Person { subject: Some(subject), local_user: None, certificate: None }
    }

    /// The DN, unless it is the empty one, which is nobody's.
    fn name(&self) -> Option<&'a Dn> {
        self.subject.filter(|subject| !subject.is_root())
    }
}

impl Selector {
    /// Reads a selector as the configuration writes it.
    pub fn parse(text: &str) -> Result<Selector, SelectorError> {
        if text == "anyone" {
            return Ok(Selector::Anyone);
        }
        let (kind, name) = text.split_once(':').ok_or(SelectorError::Kind)?;
        let dn = || match Dn::parse(name.as_bytes()) {
            Ok(dn) if !dn.is_root() => Ok(dn),
            _ => Err(SelectorError::Name),
        };
        match kind {
            "dn" => dn().map(Selector::Dn),
            "subtree" => dn().map(Selector::Subtree),
            "group" => dn().map(Selector::Group),
            "certificate" => dn().map(Selector::Certificate),
            "local" if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) => {
                Err(SelectorError::User)
            }
            "local" => Ok(Selector::Local(name.to_owned())),
            _ => Err(SelectorError::Kind),
        }
    }

    /// The group whose members it names, if it is one of those.
    pub fn group(&self) -> Option<&Dn> {
        match self {
            Selector::Group(group) => Some(group),
            Selector::Dn(_)
            | Selector::Subtree(_)
            | Selector::Certificate(_)
            | Selector::Local(_)
            | Selector::Anyone => None,
        }
    }

    /// The same, with its name as the directory reads it. Certificates are no names of entries.
    pub fn resolved(&self, naming: &Naming) -> Cow<'_, Selector> {
        let (make, name): (fn(Dn) -> Selector, &Dn) = match self {
            Selector::Dn(name) => (Selector::Dn, name),
            Selector::Subtree(name) => (Selector::Subtree, name),
            Selector::Group(name) => (Selector::Group, name),
            Selector::Certificate(_) | Selector::Local(_) | Selector::Anyone => return Cow::Borrowed(self),
        };
        match name.resolved(naming) {
            Cow::Borrowed(_) => Cow::Borrowed(self),
            Cow::Owned(name) => Cow::Owned(make(name)),
        }
    }

    /// Whether this names `person`. Nobody's name is on no list, `anyone` included. What the directory said of groups
    /// before `since` (monotonic clock) is not believed.
    pub fn matches(&self, person: &Person<'_>, groups: &Groups, since: Duration) -> bool {
        match self {
            Selector::Dn(dn) => person.name().is_some_and(|name| name.is_surely(dn)),
            Selector::Subtree(base) => person.name().is_some_and(|name| name.is_surely_within(base)),
            Selector::Group(group) => {
                person.name().is_some_and(|name| groups.belongs(group, name, since) == Belongs::Member)
            }
            Selector::Certificate(subject) => person.certificate.is_some_and(|name| name.is_surely(subject)),
            Selector::Local(user) => person.local_user == Some(user.as_str()),
            Selector::Anyone => {
                person.name().is_some()
                    || person.local_user.is_some()
                    || person.certificate.is_some_and(|name| !name.is_root())
            }
        }
    }
}

/// Has the names in these be as the directory reads them.
pub fn resolve(selectors: &mut [Selector], naming: &Naming) {
    for selector in selectors {
        if let Cow::Owned(resolved) = selector.resolved(naming) {
            *selector = resolved;
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selector::Dn(dn) => write!(f, "dn:{dn}"),
            Selector::Subtree(dn) => write!(f, "subtree:{dn}"),
            Selector::Group(dn) => write!(f, "group:{dn}"),
            Selector::Certificate(dn) => write!(f, "certificate:{dn}"),
            Selector::Local(user) => write!(f, "local:{user}"),
            Selector::Anyone => f.write_str("anyone"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::policy::groups::Membership;
    use std::collections::{HashMap, HashSet};

    const SINCE: Duration = Duration::from_secs(80);

    fn dn(text: &str) -> Dn {
        text.parse().unwrap()
    }

    fn groups() -> Groups {
        let members = HashSet::from([dn("uid=anna,dc=x"), dn("uid=jörg,dc=x")]);
        let listed = Membership { members, read_at: Duration::from_secs(100) };
        Groups::of_listed(HashMap::from([(dn("cn=hr,dc=x"), listed)]))
    }

    #[test]
    fn selectors_name_people() {
        let rows: &[(&str, &str, bool)] = &[
            ("dn:uid=anna,dc=x", "uid=anna,dc=x", true),
            ("dn:UID=Anna, DC=X", "uid=anna,dc=x", true),
            ("dn:uid=anna,dc=x", "uid=bert,dc=x", false),
            ("dn:uid=anna,dc=x", "cn=a,uid=anna,dc=x", false),
            ("dn:uid=anna,dc=x", "uid=ännä,dc=x", false),
            ("dn:uid=anna,dc=x", "uid=an\u{ad}na,dc=x", false),
            ("dn:uid=anna,dc=x", "", false),
            ("subtree:dc=x", "uid=anna,dc=x", true),
            ("subtree:dc=x", "dc=x", true),
            ("subtree:dc=x", "uid=anna,dc=y", false),
            ("subtree:dc=x", "uid=anna,dc=yx", false),
            ("subtree:ou=a,dc=x", "uid=anna,ou=ä,dc=x", false),
            ("subtree:dc=x", "", false),
            ("group:cn=hr,dc=x", "uid=anna,dc=x", true),
            ("group:CN=HR,dc=x", "uid=anna,dc=x", true),
            ("group:cn=hr,dc=x", "uid=jörg,dc=x", true),
            ("group:cn=hr,dc=x", "uid=jorg,dc=x", false),
            ("group:cn=hr,dc=x", "uid=bert,dc=x", false),
            ("group:cn=hr,dc=x", "cn=hr,dc=x", false),
            ("group:cn=it,dc=x", "uid=anna,dc=x", false),
            ("group:cn=hr,dc=x", "", false),
            ("certificate:uid=anna,dc=x", "uid=anna,dc=x", false),
            ("local:anna", "uid=anna,dc=x", false),
            ("anyone", "uid=anna,dc=x", true),
            ("anyone", "", false),
        ];
        for (selector, subject, expected) in rows {
            let subject = dn(subject);
            let person = Person::of(&subject);
            let selector = Selector::parse(selector).unwrap();
            assert_eq!(selector.matches(&person, &groups(), SINCE), *expected, "{selector} {subject}");
            assert!(!selector.matches(&Person::default(), &groups(), SINCE), "{selector}: anonymous");
            assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
        }
    }

    #[test]
    fn other_doors_give_other_names() {
        let certificate = dn("cn=anna,o=x");
        let person = Person { subject: None, local_user: Some("anna"), certificate: Some(&certificate) };
        for (selector, expected) in [
            ("certificate:CN=Anna,O=X", true),
            ("certificate:cn=bert,o=x", false),
            ("local:anna", true),
            ("local:Anna", false),
            ("dn:cn=anna,o=x", false),
            ("anyone", true),
        ] {
            let selector = Selector::parse(selector).unwrap();
            assert_eq!(selector.matches(&person, &Groups::default(), SINCE), expected, "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for (text, error) in [
            ("", SelectorError::Kind),
            ("uid=anna,dc=x", SelectorError::Kind),
            ("user:anna", SelectorError::Kind),
            ("Anyone", SelectorError::Kind),
            ("anyone:", SelectorError::Kind),
            ("dn:", SelectorError::Name),
            ("subtree:", SelectorError::Name),
            ("group:hr", SelectorError::Name),
            ("dn:<GUID=00>", SelectorError::Name),
            ("local:", SelectorError::User),
            ("local:a b", SelectorError::User),
        ] {
            assert_eq!(Selector::parse(text), Err(error), "{text}");
        }
    }
}
