//! Selectors: `dn:`, `subtree:`, `group:`, `certificate:`, `local:`, `anyone`; and what is known of groups.
//!
//! A selector opens something, so names are compared finely ([`Dn::is_surely`]).

use crate::engine::Now;
use crate::engine::ldap::Dn;
use crate::engine::ldap::dn::Naming;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

/// Names one or more people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Exactly this subject.
    Dn(Dn),
    /// This entry and those below it.
    Subtree(Dn),
    /// The members of this group, read from the directory.
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

    /// Whether this names `person`. Nobody's name is on no list, `anyone` included.
    pub fn matches(&self, person: &Person<'_>, groups: &Groups, now: Now) -> bool {
        match self {
            Selector::Dn(dn) => person.name().is_some_and(|name| name.is_surely(dn)),
            Selector::Subtree(base) => person.name().is_some_and(|name| name.is_surely_within(base)),
            Selector::Group(group) => person.name().is_some_and(|name| groups.contains(group, name, now)),
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

/// Has the names in these be as the directory reads them. Certificates are no names of entries.
pub fn resolve(selectors: &mut [Selector], naming: &Naming) {
    for selector in selectors {
        match selector {
            Selector::Dn(name) | Selector::Subtree(name) | Selector::Group(name) => name.resolve(naming),
            Selector::Certificate(_) | Selector::Local(_) | Selector::Anyone => {}
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

/// What is known of group membership, read from the directory by the daemon.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// By the group's DN.
    pub members: HashMap<Dn, Membership>,
}

/// One group's members at one moment.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The members' DNs.
    pub members: HashSet<Dn>,
    /// When the directory said so, on the monotonic clock. Older than [`GROUP_MAX_AGE`] counts as empty.
    pub read_at: Duration,
}

/// Membership is believed no longer than this.
pub const GROUP_MAX_AGE: Duration = Duration::from_secs(30);

impl Groups {
    /// Has the names of groups and members be as the directory reads them.
    pub fn resolve(&mut self, naming: &Naming) {
        let is_read_otherwise = |name: &Dn| matches!(name.resolved(naming), Cow::Owned(_));
        if self.members.keys().any(is_read_otherwise) {
            let resolved = |(name, members): (Dn, Membership)| (name.resolved(naming).into_owned(), members);
            self.members = std::mem::take(&mut self.members).into_iter().map(resolved).collect();
        }
        for membership in self.members.values_mut() {
            if membership.members.iter().any(is_read_otherwise) {
                let members = std::mem::take(&mut membership.members);
                membership.members = members.into_iter().map(|name| name.resolved(naming).into_owned()).collect();
            }
        }
    }

    /// Whether `subject` is a member of `group`, as far as that is known freshly enough.
    pub fn contains(&self, group: &Dn, subject: &Dn, now: Now) -> bool {
        let Some((name, membership)) = self.members.get_key_value(group) else { return false };
        name.is_surely(group)
            && now.monotonic.saturating_sub(membership.read_at) <= GROUP_MAX_AGE
            && membership.members.get(subject).is_some_and(|member| member.is_surely(subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn dn(text: &str) -> Dn {
        text.parse().unwrap()
    }

    fn at(seconds: u64) -> Now {
        Now { wall: DateTime::UNIX_EPOCH, monotonic: Duration::from_secs(seconds) }
    }

    fn groups() -> Groups {
        let members = HashSet::from([dn("uid=anna,dc=x"), dn("uid=jörg,dc=x")]);
        Groups {
            members: HashMap::from([(dn("cn=hr,dc=x"), Membership { members, read_at: Duration::from_secs(100) })]),
        }
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
            assert_eq!(selector.matches(&person, &groups(), at(110)), *expected, "{selector} {subject}");
            assert!(!selector.matches(&Person::default(), &groups(), at(110)), "{selector}: anonymous");
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
            assert_eq!(selector.matches(&person, &Groups::default(), at(0)), expected, "{selector}");
        }
    }

    #[test]
    fn membership_is_believed_for_a_while() {
        let subject = dn("uid=anna,dc=x");
        for (seconds, expected) in [(100, true), (130, true), (131, false), (1_000, false)] {
            assert_eq!(groups().contains(&dn("cn=hr,dc=x"), &subject, at(seconds)), expected, "{seconds}");
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
