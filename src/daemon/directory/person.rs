//! In which groups one person is: asked with filters, so that no list of members is ever read.

use super::kind::{Kind, Trouble, Ways, equal, probe};
use super::values;
use crate::daemon::ldap_client::{Answer, ClientError, LdapClient};
use crate::engine::ldap::Dn;
use crate::engine::policy::groups::{Belongs, GroupList};
use ldap3_proto::proto::{LdapDerefAliases, LdapFilter, LdapResultCode, LdapSearchRequest, LdapSearchScope};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// Groups in groups in groups are followed this far.
const MAX_DEPTH: usize = 8;
/// At most this many groups of one person are followed.
const MAX_FOLLOWED: usize = 10_000;
/// At most this many names are put into one filter.
const MAX_NAMES: usize = 50;
/// From this many groups below one entry on, they are asked about in one search and not one by one.
const TOGETHER: usize = 8;

/// What is asked about everybody.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The groups.
    pub groups: Arc<GroupList>,
    /// What kind each of them is; as many as there are groups.
    pub kinds: Vec<Result<Kind, Trouble>>,
    /// Where groups within groups, and names in `memberUid`, are looked for.
    pub contexts: Vec<Dn>,
    /// How the directory is asked.
    pub ways: Ways,
    /// Whether groups in groups are followed.
    pub nested: bool,
}

impl Plan {
    /// Whether by both of them the same is asked.
    pub fn asks_the_same(&self, other: &Plan) -> bool {
        let text = |names: &[Dn]| names.iter().map(|name| name.text().to_owned()).collect::<Vec<_>>();
        text(self.groups.names()) == text(other.groups.names())
            && self.kinds == other.kinds
            && text(&self.contexts) == text(&other.contexts)
            && (self.ways, self.nested) == (other.ways, other.nested)
    }
}

/// Who somebody is in `memberUid`.
enum Uid {
    /// This.
    Is(String),
    /// Nobody.
    None,
    /// It cannot be told: the directory failed, or several entries have that name.
    Unknown,
}

/// Asks in which groups `person` is: an answer for each group of the plan.
///
/// # Errors
/// The connection failed.
pub async fn ask_about<S>(client: &mut LdapClient<S>, person: &Dn, plan: &Plan) -> Result<Vec<Belongs>, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let known = |place: usize| plan.kinds.get(place).and_then(|kind| kind.as_ref().ok()).copied();
    let by_uid = plan.kinds.iter().flatten().any(|kind| kind.member_uid);
    let uid = if by_uid { uid_of(client, person, &plan.contexts).await? } else { Uid::None };
    let name = match &uid {
        Uid::Is(name) => Some(name.as_str()),
        Uid::None | Uid::Unknown => None,
    };
    let mut found: Vec<Belongs> = (0..plan.groups.names().len())
        .map(|place| match plan.kinds.get(place) {
            Some(Err(Trouble::Missing)) => Belongs::NotMember,
            Some(_) | None => Belongs::Unknown,
        })
        .collect();
    let wanted: Vec<(usize, &Dn, LdapFilter)> = (plan.groups.names().iter().enumerate())
        .filter_map(|(place, group)| Some((place, group, known(place)?)))
        .filter(|(_, _, kind)| kind.member || kind.unique_member || name.is_some())
        .map(|(place, group, kind)| (place, group, kind.filter(person, name, plan.ways)))
        .collect();
    directly(client, wanted, &mut found).await?;
    for (place, answer) in found.iter_mut().enumerate() {
        match (known(place), &uid, &*answer) {
            // Only `memberUid` could say it.
            (Some(Kind { member: false, unique_member: false, .. }), Uid::None, _) => *answer = Belongs::NotMember,
            (Some(Kind { member_uid: true, .. }), Uid::Unknown, Belongs::NotMember) => *answer = Belongs::Unknown,
            (_, _, _) => {}
        }
    }
    let open =
        || found.iter().enumerate().any(|(place, answer)| *answer == Belongs::NotMember && known(place).is_some());
    if plan.nested && !plan.ways.in_chain && open() {
        nested(client, person, plan, &mut found).await?;
    }
    Ok(found)
}

/// Whose member somebody is by the group's own attribute.
async fn directly<S>(
    client: &mut LdapClient<S>,
    wanted: Vec<(usize, &Dn, LdapFilter)>,
    found: &mut [Belongs],
) -> Result<(), ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut single = Vec::new();
    let mut together: BTreeMap<Dn, Vec<(usize, &Dn, LdapFilter, LdapFilter)>> = BTreeMap::new();
    for (place, group, filter) in wanted {
        match (group.parent(), own_name(group)) {
            (Some(parent), Some(name)) => together.entry(parent).or_default().push((place, group, filter, name)),
            (_, _) => single.push((place, group, filter)),
        }
    }
    for (parent, list) in together {
        if list.len() < TOGETHER {
            single.extend(list.into_iter().map(|(place, group, filter, _)| (place, group, filter)));
            continue;
        }
        for part in list.chunks(MAX_NAMES) {
            let either = part.iter().map(|(_, _, filter, name)| LdapFilter::And(vec![name.clone(), filter.clone()]));
            let request = LdapSearchRequest {
                scope: LdapSearchScope::OneLevel,
                ..probe(&parent, LdapFilter::Or(either.collect()))
            };
            let (entries, result) = client.search(request).await?;
            if result.code != LdapResultCode::Success {
                // Perhaps it may not be searched as a whole.
                single.extend(part.iter().map(|(place, group, filter, _)| (*place, *group, filter.clone())));
                continue;
            }
            let names: Vec<Dn> = entries.iter().filter_map(|entry| Dn::parse(entry.dn.as_bytes()).ok()).collect();
            for (place, group, ..) in part {
                let is = names.iter().any(|name| name.is_surely(group));
                set(found, *place, if is { Belongs::Member } else { Belongs::NotMember });
            }
        }
    }
    let probes = single.iter().map(|(_, group, filter)| probe(group, filter.clone())).collect();
    for ((place, ..), (entries, result)) in single.iter().zip(client.search_each(probes).await?) {
        let answer = match result.code {
            LdapResultCode::Success if entries.is_empty() => Belongs::NotMember,
            LdapResultCode::Success => Belongs::Member,
            LdapResultCode::NoSuchObject => Belongs::NotMember,
            _ => Belongs::Unknown,
        };
        set(found, *place, answer);
    }
    Ok(())
}

fn set(found: &mut [Belongs], place: usize, answer: Belongs) {
    if let Some(found) = found.get_mut(place) {
        *found = answer;
    }
}

/// What an entry's own name says, as a filter; `None` where the name is not a plain one.
fn own_name(entry: &Dn) -> Option<LdapFilter> {
    let parent = entry.parent()?;
    let own = entry.text().strip_suffix(parent.text())?.strip_suffix(',')?;
    let (attribute, value) = own.split_once('=')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    (!value.is_empty() && value.chars().all(plain)).then(|| equal(attribute, value))
}

/// Follows the groups that somebody is in upwards: which groups these are in, and so on. A group that is met twice is
/// followed once, so that groups which contain each other end.
async fn nested<S>(
    client: &mut LdapClient<S>,
    person: &Dn,
    plan: &Plan,
    found: &mut [Belongs],
) -> Result<(), ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut seen: HashSet<Dn> = HashSet::new();
    let mut next = vec![person.clone()];
    for _ in 0..MAX_DEPTH {
        let requests =
            next.chunks(MAX_NAMES).flat_map(|names| plan.contexts.iter().map(|context| above(context, names)));
        let mut groups = Vec::new();
        for answer in client.search_each(requests.collect()).await? {
            let Some(names) = names_in(answer).filter(|names| seen.len() + names.len() <= MAX_FOLLOWED) else {
                // A part of it is not known: whoever is no direct member may be one by another way.
                let open = found.iter_mut().zip(&plan.kinds);
                open.filter(|(answer, kind)| **answer == Belongs::NotMember && kind.is_ok())
                    .for_each(|(answer, _)| *answer = Belongs::Unknown);
                return Ok(());
            };
            groups.extend(names);
        }
        next = groups.into_iter().filter(|group| seen.insert(group.clone())).collect();
        for (place, group) in plan.groups.names().iter().enumerate() {
            // Who is in the group by `memberUid` alone was asked above.
            let by_name =
                plan.kinds.get(place).is_some_and(|kind| matches!(kind, Ok(kind) if kind.member || kind.unique_member));
            if by_name && next.iter().any(|name| name.is_surely(group)) {
                set(found, place, Belongs::Member);
            }
        }
        if next.is_empty() {
            break;
        }
    }
    Ok(())
}

/// The groups within `context` that have one of `names` as a member. Only entries that are groups count: what else has
/// an attribute of that name may be anybody's to write.
fn above(context: &Dn, names: &[Dn]) -> LdapSearchRequest {
    let class = |name: &str| equal("objectClass", name);
    let members = |attribute: &str| names.iter().map(|name| equal(attribute, name.text())).collect::<Vec<_>>();
    let by = |classes: &[&str], attribute: &str| {
        let classes = LdapFilter::Or(classes.iter().map(|name| class(name)).collect());
        LdapFilter::And(vec![LdapFilter::Or(members(attribute)), classes])
    };
    let filter = LdapFilter::Or(vec![
        by(&["groupOfNames", "groupOfMembers", "groupOfEntries", "group"], "member"),
        by(&["groupOfUniqueNames"], "uniqueMember"),
    ]);
    LdapSearchRequest { scope: LdapSearchScope::Subtree, aliases: LdapDerefAliases::Never, ..probe(context, filter) }
}

/// The names of what was found; `None` when that is not all, or not known.
fn names_in((entries, result): Answer) -> Option<Vec<Dn>> {
    match result.code {
        LdapResultCode::Success => {}
        LdapResultCode::NoSuchObject => return Some(Vec::new()),
        _ => return None,
    }
    entries.iter().map(|entry| Dn::parse(entry.dn.as_bytes()).ok()).collect()
}

/// `memberUid` holds plain names (RFC 2307 3). A person's is the `uid` of their entry: the one in its own name, or the
/// only one. It must be nobody else's within the naming contexts.
async fn uid_of<S>(client: &mut LdapClient<S>, person: &Dn, contexts: &[Dn]) -> Result<Uid, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if !contexts.iter().any(|context| person.is_surely_within(context)) {
        return Ok(Uid::None);
    }
    let entry = match client.read(person.text(), &["uid"]).await {
        Ok(Some(entry)) => entry,
        Ok(None) => return Ok(Uid::None),
        Err(ClientError::Refused(..)) => return Ok(Uid::Unknown),
        Err(error) => return Err(error),
    };
    let uids: Vec<&str> = values(&entry, "uid").filter_map(|value| std::str::from_utf8(value).ok()).collect();
    let named = match own_name(person) {
        Some(LdapFilter::Equality(attribute, value)) if attribute.eq_ignore_ascii_case("uid") => Some(value),
        Some(_) | None => None,
    };
    let uid = match (&named, uids.as_slice()) {
        (Some(named), uids) => uids.iter().find(|uid| uid.eq_ignore_ascii_case(named)),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let Some(uid) = uid else { return Ok(Uid::None) };
    let search =
        |context: &Dn| LdapSearchRequest { scope: LdapSearchScope::Subtree, ..probe(context, equal("uid", uid)) };
    for answer in client.search_each(contexts.iter().map(search).collect()).await? {
        match names_in(answer) {
            Some(names) if names.iter().all(|name| name.is_surely(person)) => {}
            Some(_) | None => return Ok(Uid::Unknown),
        }
    }
    Ok(Uid::Is((*uid).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_become_filters() {
        for (entry, expected) in [
            ("cn=hr,ou=groups,dc=x", Some(("cn", "hr"))),
            ("cn=HR Leads,dc=x", Some(("cn", "HR Leads"))),
            ("cn=a+uid=b,dc=x", None),
            ("cn=a\\2cb,dc=x", None),
            ("cn=jörg,dc=x", None),
            ("dc=x", None),
            ("", None),
        ] {
            let found = own_name(&entry.parse().unwrap());
            let expected = expected.map(|(attribute, value)| equal(attribute, value));
            assert_eq!(found, expected, "{entry}");
        }
    }
}
