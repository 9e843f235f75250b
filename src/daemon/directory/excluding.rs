//! In which trees the directory can exclude entries from a search by name. Sees what it does, not what it says of itself.

use super::super::ldap_client::{ClientError, LdapClient, base_search};
use crate::engine::ldap::Dn;
use ldap3_proto::proto::{LdapFilter, LdapMatchingRuleAssertion, LdapResultCode, LdapSearchRequest};
use tokio::io::{AsyncRead, AsyncWrite};

/// More trees than these are not looked at: nothing is excluded there.
const MAX_TREES: usize = 16;

/// Those of these trees in which filters can exclude entries by name.
pub(super) async fn trees<S>(client: &mut LdapClient<S>, all: &[Dn]) -> Result<Vec<Dn>, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut found = Vec::new();
    for tree in all.iter().take(MAX_TREES) {
        if can_exclude(client, tree).await? {
            found.push(tree.clone());
        }
    }
    Ok(found)
}

/// Whether filters can exclude entries of a tree by name, seen at the entry at its top. Where a rule is not known, or the
/// attribute may not be read, a filter that excludes is Undefined and finds nothing at all: nothing is believed that was not seen.
async fn can_exclude<S>(client: &mut LdapClient<S>, tree: &Dn) -> Result<bool, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let above = tree.text_above();
    let equals = |name: &str| LdapFilter::Equality("entryDN".to_owned(), name.to_owned());
    let matches = |rule: &str, name: &str| {
        LdapFilter::Extensible(LdapMatchingRuleAssertion {
            matching_rule: Some(rule.to_owned()),
            type_: Some("entryDN".to_owned()),
            match_value: name.to_owned(),
            dn_attributes: false,
        })
    };
    // Below the tree nothing is, that is called like the tree.
    let below = format!("{},{tree}", tree.text().split(',').next().unwrap_or_default());
    let mut expected = vec![
        (equals(tree.text()), false),
        (equals(&below), true),
        (matches("dnSubtreeMatch", tree.text()), false),
        (matches("dnSubtreeMatch", &below), true),
        (matches("dnOneLevelMatch", tree.text()), true),
    ];
    if !above.is_empty() {
        expected.push((matches("dnOneLevelMatch", above), false));
    }
    for (filter, stays) in expected {
        let filter = LdapFilter::Not(Box::new(filter));
        let attrs = vec!["1.1".to_owned()];
        let (found, result) = client.search(LdapSearchRequest { filter, ..base_search(tree.text(), attrs) }).await?;
        if result.code != LdapResultCode::Success || found.is_empty() == stays {
            return Ok(false);
        }
    }
    Ok(true)
}
