//! Whose mail goes where: an attribute of the person's entry, read with the gate's own account.

use crate::config::Config;
use crate::daemon::directory::ANSWER_TIMEOUT;
use crate::daemon::gate::Gate;
use crate::daemon::ldap_client::LdapClient;
use crate::engine::ldap::Dn;
use arc_swap::ArcSwap;
use ldap3_proto::proto::LdapResultCode;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// An address, or none; an error says why it cannot be known now.
pub type Found<'a> = Pin<Box<dyn Future<Output = Result<Option<String>, String>> + Send + 'a>>;

/// Knows where people's mail goes.
pub trait Addresses: Send + Sync {
    /// What stands in `attribute` of a person's entry: the first of its values.
    fn of<'a>(&'a self, dn: &'a Dn, attribute: &'a str) -> Found<'a>;
}

/// Asks the directory.
pub struct DirectoryAddresses {
    pub(in crate::daemon) gate: Arc<Gate>,
    pub(in crate::daemon) config: Arc<ArcSwap<Config>>,
}

/// Over a connection of its own, which ends with the answer.
impl Addresses for DirectoryAddresses {
    fn of<'a>(&'a self, dn: &'a Dn, attribute: &'a str) -> Found<'a> {
        Box::pin(async move {
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
            let entry = client.read(dn.text(), &[attribute]).await.map_err(|error| error.to_string())?;
            let values = entry.into_iter().flat_map(|entry| entry.attributes);
            let mut values = values.filter(|found| found.atype.eq_ignore_ascii_case(attribute)).flat_map(|a| a.vals);
            Ok(values.next().map(|value| String::from_utf8_lossy(&value).into_owned()))
        })
    }
}
