//! Whose mail goes where: an attribute of the person's entry, and the members of groups that are notified, read with
//! the gate's own account.

use crate::config::Config;
use crate::daemon::directory::{ANSWER_TIMEOUT, members};
use crate::daemon::gate::Gate;
use crate::daemon::ldap_client::LdapClient;
use crate::daemon::upstream::UpstreamStream;
use crate::engine::ldap::Dn;
use arc_swap::ArcSwap;
use ldap3_proto::proto::LdapResultCode;
use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// An address, or none; an error says why it cannot be known now.
pub type Found<'a> = Pin<Box<dyn Future<Output = Result<Option<String>, String>> + Send + 'a>>;

/// The members of a group, or why they cannot be known now.
pub type Listed<'a> = Pin<Box<dyn Future<Output = Result<HashSet<Dn>, String>> + Send + 'a>>;

/// Knows where people's mail goes.
pub trait Addresses: Send + Sync {
    /// What stands in `attribute` of a person's entry: the first of its values.
    fn of<'a>(&'a self, dn: &'a Dn, attribute: &'a str) -> Found<'a>;

    /// The direct members of a group.
    fn members<'a>(&'a self, group: &'a Dn) -> Listed<'a>;
}

/// Asks the directory.
pub struct DirectoryAddresses {
    pub(in crate::daemon) gate: Arc<Gate>,
    pub(in crate::daemon) config: Arc<ArcSwap<Config>>,
}

/// Over connections of its own, which end with the answer.
impl Addresses for DirectoryAddresses {
    fn of<'a>(&'a self, dn: &'a Dn, attribute: &'a str) -> Found<'a> {
        Box::pin(async move {
            let entry = self.client().await?.read(dn.text(), &[attribute]).await.map_err(|error| error.to_string())?;
            let values = entry.into_iter().flat_map(|entry| entry.attributes);
            let mut values = values.filter(|found| found.atype.eq_ignore_ascii_case(attribute)).flat_map(|a| a.vals);
            Ok(values.next().map(|value| String::from_utf8_lossy(&value).into_owned()))
        })
    }

    fn members<'a>(&'a self, group: &'a Dn) -> Listed<'a> {
        Box::pin(async move {
            let found = members(&mut self.client().await?, group).await.map_err(|error| error.to_string())?;
            found.ok_or_else(|| format!("{group} has too many members to notify each of them"))
        })
    }
}

impl DirectoryAddresses {
    /// A connection, bound as the gate's own account where there is one.
    pub(in crate::daemon) async fn client(&self) -> Result<LdapClient<UpstreamStream>, String> {
        let directory = self.gate.directory.load_full();
        let (stream, _) = directory.connect().await.map_err(|error| error.to_string())?;
        let mut client = LdapClient::new(stream, ANSWER_TIMEOUT);
        let account = self.config.load().directory.service.clone();
        if let Some(account) = account {
            let password = String::from_utf8_lossy(account.password.reveal());
            let answer = client.bind(account.dn.text(), &password).await.map_err(|error| error.to_string())?;
            if answer.code != LdapResultCode::Success {
                return Err(format!("the directory refuses the gate's own account: {:?}", answer.code));
            }
        }
        Ok(client)
    }
}
