//! What the control port asks of the process.

use super::control::{ControlHooks, Later};
use super::directory::ANSWER_TIMEOUT;
use super::ldap_client::LdapClient;
use super::notifier::{Addresses as _, DirectoryAddresses};
use super::reload::Reloader;
use crate::api::{LintBody, LintView, ReadyView, ReloadView, SessionView};
use crate::engine::grant::history::Actor;
use crate::engine::ldap::Dn;
use ldap3_proto::proto::{LdapResultCode, LdapSearchResultEntry};
use serde_json::json;
use zeroize::Zeroizing;

impl ControlHooks for Reloader {
    fn sessions(&self) -> Later<'_, Vec<SessionView>> {
        Box::pin(self.gate.registry.inspect())
    }

    fn kill(&self, id: &str, reason: &str) -> bool {
        let number = id.strip_prefix(&*self.gate.run).and_then(|rest| rest.strip_prefix('-')?.parse().ok());
        number.is_some_and(|number| self.gate.registry.end(number, reason))
    }

    fn reload(&self, by: Option<&Actor>) -> Later<'_, Result<ReloadView, Vec<String>>> {
        let by = by.map(|by| json!({ "by": by.by(), "acting_as": by.acting_as(), "connection_from": by.from }));
        let reload = move || by.map_or_else(|| self.dry_run(), |by| self.reload(by));
        Box::pin(async move { tokio::task::block_in_place(reload) })
    }

    fn lint(&self, body: LintBody) -> Later<'_, Result<LintView, String>> {
        Box::pin(async move { tokio::task::block_in_place(|| self.lint(&body)) })
    }

    fn metrics(&self) -> String {
        self.exposition()
    }

    fn configuration(&self) -> String {
        self.digest()
    }

    fn ready(&self) -> Result<ReadyView, String> {
        if !self.gate.audit.recording() {
            return Err("operations cannot be recorded: what needs a grant is refused".to_owned());
        }
        let facts = &self.gate.shared.snapshot.load().directory;
        if facts.naming_contexts.is_empty() {
            return Err(match &facts.contexts {
                None => "the directory has not answered yet".to_owned(),
                Some(_) => {
                    "no tree of the directory is served: name those that are to be in naming_contexts".to_owned()
                }
            });
        }
        Ok(ReadyView::of(facts))
    }

    /// Over a connection of its own, which ends with the answer.
    fn object_classes(&self, name: Dn) -> Later<'_, Result<Option<Vec<String>>, String>> {
        Box::pin(async move {
            let mut client = self.own_account().client().await?;
            let entry = client.read(name.text(), &["objectClass"]).await.map_err(|error| error.to_string())?;
            let classes = |entry: LdapSearchResultEntry| {
                let values = entry.attributes.into_iter().flat_map(|attribute| attribute.vals);
                values.map(|value| String::from_utf8_lossy(&value).into_owned()).collect()
            };
            Ok(entry.map(classes))
        })
    }

    fn members(&self, group: Dn) -> Later<'_, Result<Vec<Dn>, String>> {
        Box::pin(async move { Ok(self.own_account().members(&group).await?.into_iter().collect()) })
    }

    /// Over a connection of its own, which ends with the answer.
    fn check_password(&self, subject: Dn, password: Zeroizing<String>) -> Later<'_, Result<Option<Dn>, String>> {
        Box::pin(async move {
            let directory = self.gate.directory.load_full();
            let (stream, _) = directory.connect().await.map_err(|error| error.to_string())?;
            let mut client = LdapClient::new(stream, ANSWER_TIMEOUT);
            let answer = client.bind(subject.text(), &password).await.map_err(|error| error.to_string())?;
            match answer.code {
                LdapResultCode::Success => {
                    match client.bound_as(subject.text()).await.map_err(|error| error.to_string())? {
                        Some(own) => Ok(Some(own)),
                        None if subject.is_plain() => Ok(Some(subject)),
                        None => Err("it does not say whose name this is".to_owned()),
                    }
                }
                LdapResultCode::Busy | LdapResultCode::Unavailable => Err(format!("{:?}", answer.code)),
                _ => Ok(None),
            }
        })
    }
}

impl Reloader {
    /// Reads the directory under the gate's own name.
    fn own_account(&self) -> DirectoryAddresses {
        DirectoryAddresses { gate: self.gate.clone(), config: self.config.clone() }
    }
}
