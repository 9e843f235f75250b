//! The members of one whole group, for those who are notified: the only place where a group is read as a whole, and
//! only when there is something to say.

use crate::daemon::ldap_client::{ClientError, LdapClient};
use crate::engine::ldap::Dn;
use std::collections::HashSet;
use tokio::io::{AsyncRead, AsyncWrite};

/// Of a group with more members than this nobody is notified as its member.
const MAX_LISTED: usize = 10_000;
/// In how many parts a group is read at most.
const MAX_PARTS: usize = 1000;

/// The direct members of a group: `member` and `uniqueMember`. A group that is not there has none; `None` when there
/// are too many.
///
/// # Errors
/// The answer does not come, or is a refusal.
pub async fn members<S>(client: &mut LdapClient<S>, group: &Dn) -> Result<Option<HashSet<Dn>>, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut found = HashSet::new();
    let mut wanted = vec!["member".to_owned(), "uniqueMember".to_owned()];
    for _ in 0..MAX_PARTS {
        if wanted.is_empty() || found.len() > MAX_LISTED {
            break;
        }
        let asked: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let Some(entry) = client.read(group.text(), &asked).await? else { break };
        wanted.clear();
        for attribute in &entry.attributes {
            wanted.extend(next_range(&attribute.atype).filter(|_| !attribute.vals.is_empty()));
            found.extend(attribute.vals.iter().filter_map(|value| Dn::parse(without_uid(value)).ok()));
        }
    }
    Ok((found.len() <= MAX_LISTED).then_some(found))
}

/// Active Directory answers `member;range=0-1499` for a part of the values: what to ask for the next part.
fn next_range(attribute: &str) -> Option<String> {
    let (name, range) = attribute.split_once(";range=")?;
    let (_, last) = range.split_once('-')?;
    // The last part ends in `*`.
    Some(format!("{name};range={}-*", last.parse::<u64>().ok()?.checked_add(1)?))
}

/// A value of `uniqueMember` may end in `#'…'B` (RFC 4517 3.3.21).
fn without_uid(value: &[u8]) -> &[u8] {
    let uid = value.iter().rposition(|octet| *octet == b'#').filter(|at| {
        let uid = value.get(at + 1..).unwrap_or_default();
        uid.len() >= 3 && uid.starts_with(b"'") && uid.ends_with(b"'B")
    });
    uid.and_then(|at| value.get(..at)).unwrap_or(value)
}
