//! What kind of group an entry is, and whether the gate's account can ask who is in it: found out for each group by
//! itself, so that one that cannot be read says nothing about the others.

use super::values;
use crate::daemon::ldap_client::{Answer, ClientError, LdapClient, base_search};
use crate::engine::ldap::Dn;
use ldap3_proto::proto::{LdapFilter, LdapMatchingRuleAssertion, LdapResultCode, LdapSearchRequest};
use tokio::io::{AsyncRead, AsyncWrite};

/// LDAP_MATCHING_RULE_IN_CHAIN of Active Directory (MS-ADTS 3.1.1.3.4.4.3).
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

/// Which attributes say who is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kind {
    /// `member`: `groupOfNames` (RFC 4519 3.5), `groupOfMembers`, `group` of Active Directory.
    pub member: bool,
    /// `uniqueMember`: `groupOfUniqueNames` (RFC 4519 3.6).
    pub unique_member: bool,
    /// `memberUid`: `posixGroup` (RFC 2307 3).
    pub member_uid: bool,
}

/// How a directory is asked, where directories differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ways {
    /// It follows groups in groups by itself (Active Directory).
    pub in_chain: bool,
    /// With `~=` it compares the names in `uniqueMember` whatever their optional UID (OpenLDAP's `uniqueMemberMatch`).
    /// Others compare something else with it.
    pub approximate: bool,
}

/// Why it is not known who is in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// There is no such entry, as far as the gate's account can see. Nobody is its member.
    Missing,
    /// The entry cannot be read.
    Refused(String),
    /// The entry can be read, but its members cannot be searched.
    Hidden,
    /// It is no kind of group that the gate knows.
    UnknownKind(String),
}

impl Trouble {
    /// A fixed word for metrics and the log.
    pub fn word(&self) -> &'static str {
        match self {
            Trouble::Missing => "missing",
            Trouble::Refused(_) => "refused",
            Trouble::Hidden => "members-hidden",
            Trouble::UnknownKind(_) => "unknown-kind",
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Missing => f.write_str("there is no such entry, or the gate's account cannot see it"),
            Trouble::Refused(why) => write!(f, "its entry cannot be read: {why}"),
            Trouble::Hidden => f.write_str("the gate's account may not search its member attribute"),
            Trouble::UnknownKind(classes) => {
                write!(f, "it has no object class of a group that the gate knows, but {classes}")
            }
        }
    }
}

impl Kind {
    /// By the entry's object classes; `None` when none of them is that of a group.
    fn of_classes<'c>(classes: impl Iterator<Item = &'c [u8]>) -> Option<Kind> {
        let mut kind = Kind::default();
        for class in classes {
            let is = |names: &[&str]| names.iter().any(|name| class.eq_ignore_ascii_case(name.as_bytes()));
            kind.member |= is(&["groupOfNames", "groupOfMembers", "groupOfEntries", "group"]);
            kind.unique_member |= is(&["groupOfUniqueNames"]);
            kind.member_uid |= is(&["posixGroup"]);
        }
        (kind != Kind::default()).then_some(kind)
    }

    /// What finds a group that `person` is in; `uid` is their name in `memberUid`.
    pub(super) fn filter(self, person: &Dn, uid: Option<&str>, ways: Ways) -> LdapFilter {
        let mut parts = Vec::new();
        if self.member && ways.in_chain {
            parts.push(LdapFilter::Extensible(LdapMatchingRuleAssertion {
                matching_rule: Some(IN_CHAIN.to_owned()),
                type_: Some("member".to_owned()),
                match_value: person.text().to_owned(),
                dn_attributes: false,
            }));
        } else if self.member {
            parts.push(equal("member", person.text()));
        }
        if self.unique_member && ways.approximate {
            parts.push(LdapFilter::Approx("uniqueMember".to_owned(), person.text().to_owned()));
        } else if self.unique_member {
            parts.push(equal("uniqueMember", person.text()));
        }
        parts.extend(uid.filter(|_| self.member_uid).map(|uid| equal("memberUid", uid)));
        LdapFilter::Or(parts)
    }

    /// What is true of every group of this kind if its members may be searched, and undefined if not.
    fn is_open(self, group: &Dn) -> LdapFilter {
        let either = |attribute: &str, value: &str| {
            let asked = equal(attribute, value);
            LdapFilter::Or(vec![asked.clone(), LdapFilter::Not(Box::new(asked))])
        };
        let mut parts = Vec::new();
        parts.extend(self.member.then(|| either("member", group.text())));
        parts.extend(self.unique_member.then(|| either("uniqueMember", group.text())));
        parts.extend(self.member_uid.then(|| either("memberUid", "tidegate")));
        LdapFilter::And(parts)
    }
}

pub(super) fn equal(attribute: &str, value: &str) -> LdapFilter {
    LdapFilter::Equality(attribute.to_owned(), value.to_owned())
}

/// A search that finds an entry or not, and reads nothing of it.
pub(super) fn probe(dn: &Dn, filter: LdapFilter) -> LdapSearchRequest {
    LdapSearchRequest { filter, ..base_search(dn.text(), vec!["1.1".to_owned()]) }
}

/// Finds out what kind of group each of these is.
///
/// # Errors
/// The connection failed.
pub(super) async fn inspect<S>(
    client: &mut LdapClient<S>,
    groups: &[Dn],
) -> Result<Vec<Result<Kind, Trouble>>, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let reads = groups.iter().map(|group| base_search(group.text(), vec!["objectClass".to_owned()])).collect();
    let mut found: Vec<Result<Kind, Trouble>> = client.search_each(reads).await?.into_iter().map(kind_of).collect();
    let known = found.iter().zip(groups).enumerate();
    let known = known.filter_map(|(at, (kind, group))| Some((at, group, *kind.as_ref().ok()?)));
    let known: Vec<(usize, &Dn, Kind)> = known.collect();
    let probes = known.iter().map(|(_, group, kind)| probe(group, kind.is_open(group))).collect();
    let answers = client.search_each(probes).await?;
    for ((at, ..), (entries, result)) in known.iter().zip(answers) {
        let trouble = match result.code {
            LdapResultCode::Success if !entries.is_empty() => continue,
            LdapResultCode::Success => Trouble::Hidden,
            code => Trouble::Refused(format!("{code:?} {}", result.message)),
        };
        if let Some(found) = found.get_mut(*at) {
            *found = Err(trouble);
        }
    }
    Ok(found)
}

fn kind_of((entries, result): Answer) -> Result<Kind, Trouble> {
    let entry = match (result.code, entries.first()) {
        (LdapResultCode::Success, Some(entry)) => entry,
        (LdapResultCode::Success | LdapResultCode::NoSuchObject, _) => return Err(Trouble::Missing),
        (code, _) => return Err(Trouble::Refused(format!("{code:?} {}", result.message))),
    };
    let classes = || values(entry, "objectClass");
    Kind::of_classes(classes()).ok_or_else(|| {
        let names: Vec<_> = classes().take(8).map(String::from_utf8_lossy).collect();
        Trouble::UnknownKind(names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_classes_say_where_the_members_are() {
        let kind = |member, unique_member, member_uid| Some(Kind { member, unique_member, member_uid });
        for (classes, expected) in [
            (&["top", "groupOfNames"][..], kind(true, false, false)),
            (&["GROUPOFNAMES"], kind(true, false, false)),
            (&["top", "group"], kind(true, false, false)),
            (&["groupOfUniqueNames"], kind(false, true, false)),
            (&["posixGroup"], kind(false, false, true)),
            (&["groupOfMembers", "posixGroup"], kind(true, false, true)),
            (&["groupOfURLs"], None),
            (&["inetOrgPerson"], None),
            (&[], None),
        ] {
            let found = Kind::of_classes(classes.iter().map(|class| class.as_bytes()));
            assert_eq!(found, expected, "{classes:?}");
        }
    }
}
