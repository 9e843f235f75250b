//! From configuration to the parts of a gate.

use super::broker::{EventSink as _, Wanted};
use super::control::{Names, PortTls};
use super::directory::{Plan, Reading, ServiceAccount, Source, Trouble};
use super::gate::Gate;
use super::limits::Limits;
use super::notifier::{self, Webhook};
use super::tls::{self, TlsError};
use super::upstream::{Directory, Security, Server, UpstreamStream};
use crate::config::{self, Config, Transport};
use crate::engine::access::{DirectoryFacts, Snapshot};
use crate::engine::ldap::Dn;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::policy::Policy;
use crate::engine::policy::attributes::AttributeNames;
use crate::engine::policy::groups::{GroupList, Groups};
use crate::engine::policy::trees::{Contexts, LeftOut};
use crate::engine::workflow::{Authority, NoticeKind};
use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use chrono::TimeDelta;
use rustls::ServerConfig;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A TLS handshake that takes longer is given up.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// `sessions`: as many as the limit on open files allows.
pub(super) fn limits(config: &config::Listen, sessions: usize) -> Limits {
    Limits {
        max_message_bytes: config.max_message_bytes,
        max_connections: sessions,
        // One address cannot keep all others out.
        max_connections_per_address: config.max_connections_per_address.unwrap_or(sessions.div_ceil(4)),
        max_operations_per_session: config.max_operations_per_session,
        max_filter_parts: config.max_filter_parts,
        message_timeout: config.message_timeout,
        start_tls_timeout: config.start_tls_timeout,
        idle_timeout: config.idle_timeout,
        handshake_timeout: HANDSHAKE_TIMEOUT,
    }
}

pub(super) fn server_tls(config: &config::Tls) -> Result<ServerConfig, TlsError> {
    let clients = config.client_ca.as_deref().map(|ca| tls::Clients {
        ca,
        crl: config.client_crl.as_deref(),
        require: config.require_client_certificate,
    });
    tls::server_config(&config.certificate, &config.private_key, clients)
}

/// Whom client certificates stand for.
pub(super) fn certificate_subject(config: &config::Tls) -> Option<String> {
    config.certificate_subject.as_ref().map(|pattern| pattern.as_str().to_owned())
}

/// What callers of the control port see.
pub(super) fn port_tls(config: &config::ControlPort) -> Result<PortTls, TlsError> {
    let crl = config.client_crl.as_deref();
    let clients = config.client_ca.as_deref().map(|ca| tls::Clients { ca, crl, require: false });
    let tls = tls::server_config(&config.certificate, &config.private_key, clients)?;
    let names = Names::new(tls::leaf(&config.certificate)?, config.hosts.clone());
    Ok(PortTls { config: Arc::new(tls), names: Arc::new(names) })
}

pub(super) fn upstream(config: &config::Directory) -> Result<Directory, TlsError> {
    let client = config.ca.as_deref().map(tls::client_config).transpose()?.map(Arc::new);
    let servers = config.urls.iter().map(|url| {
        let security = match (url.transport, &client) {
            (Transport::Plain, _) => Security::Plain,
            (Transport::Tls, Some(client)) => Security::Tls(client.clone()),
            (Transport::StartTls, Some(client)) => Security::StartTls(client.clone()),
            (Transport::Tls | Transport::StartTls, None) => return Err(TlsError::NoAuthority(url.to_string())),
        };
        Ok(Server { url: url.to_string().into(), host: url.host.clone(), port: url.port, security })
    });
    let mut directory =
        Directory::new(servers.collect::<Result<_, _>>()?, config.connect_timeout, config.proxy().map(account_of));
    directory.bind_timeout = config.bind_timeout;
    directory.refers_to = match &config.referrals {
        config::Referrals::Drop => None,
        config::Referrals::Rewrite(own) => Some(own.to_string().into()),
    };
    Ok(directory)
}

/// An account that is bound as.
pub(super) fn account_of(account: &config::ServiceAccount) -> ServiceAccount {
    ServiceAccount { dn: account.dn.clone(), password: Some(account.password.clone()) }
}

/// As whom the gate itself asks.
pub(super) fn own_account(config: &Config) -> ServiceAccount {
    match &config.directory.service {
        Some(service) => account_of(service),
        None => ServiceAccount { dn: Dn::root(), password: None },
    }
}

/// When the certificates that are shown expire.
pub(super) fn expiries(config: &Config) -> Vec<(&'static str, i64)> {
    let control = config.control.port.as_ref().map(|port| ("control", &port.certificate));
    let shown = std::iter::once(("ldap", &config.tls.certificate)).chain(control);
    shown.filter_map(|(port, path)| Some((port, super::certificate::expires(&tls::leaf(path).ok()?)?))).collect()
}

/// Who may do what at the control port.
pub(super) fn authority(config: &config::Control) -> Authority {
    Authority {
        administrators: config.administrators.clone(),
        auditors: config.auditors.clone(),
        metrics: config.metrics.clone(),
        act_as: config.act_as.clone(),
        trust_act_as: config.trust_act_as,
        max_pending: Some(config.max_pending),
        requests_per_hour: Some(config.requests_per_hour),
        local_subject: config.local_subject.as_ref().map(|pattern| pattern.as_str().to_owned()),
    }
}

/// What somebody is to be told of.
pub(super) fn wanted(config: &config::Notify) -> Wanted {
    let webhooks = config.webhooks.iter().map(|webhook| &webhook.events);
    let kinds: BTreeSet<NoticeKind> =
        webhooks.chain(config.mail.iter().map(|mail| &mail.events)).flatten().copied().collect();
    let warn_before = config.warn_before.filter(|_| kinds.contains(&NoticeKind::Ending));
    Wanted { warn_before: warn_before.and_then(|before| TimeDelta::from_std(before).ok()), kinds }
}

/// How they are told.
pub(super) fn telling(config: &config::Notify) -> Result<notifier::Settings, TlsError> {
    let client = |trust: &config::Trust| {
        let client = match trust {
            config::Trust::File(ca) => tls::client_config(ca),
            config::Trust::System(ca) => tls::system_client_config(ca),
        };
        client.map(Arc::new)
    };
    let mut webhooks = BTreeMap::new();
    for config::Webhook { name, url, secret, ca, events } in &config.webhooks {
        let tls = match (url.tls, ca) {
            (false, _) => None,
            (true, Some(ca)) => Some(client(ca)?),
            (true, None) => return Err(TlsError::NoAuthority(format!("webhook {name}"))),
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal());
        let webhook = Webhook { host: url.host.clone(), port: url.port, path: url.path.clone(), tls, key };
        webhooks.insert(name.clone(), (webhook, events.clone()));
    }
    let mail = config.mail.as_ref().map(|mail| {
        let no_authority = || TlsError::NoAuthority("[notify.mail]".to_owned());
        let ca = || mail.ca.as_ref().ok_or_else(no_authority).and_then(client);
        let security = match mail.server.security {
            config::MailSecurity::Tls => notifier::Security::Tls(ca()?),
            config::MailSecurity::StartTls => notifier::Security::StartTls(ca()?),
            config::MailSecurity::Plain => notifier::Security::Plain,
        };
        let account = mail.account.as_ref().map(|(user, password)| (user.clone(), password.clone()));
        let mailer = notifier::Mailer { host: mail.server.host.clone(), port: mail.server.port, security, account };
        Ok(notifier::Mail {
            mailer,
            from: mail.from.clone(),
            address_attribute: mail.address_attribute.clone(),
            subject_prefix: mail.subject_prefix.clone(),
            events: mail.events.clone(),
        })
    });
    Ok(notifier::Settings { webhooks, mail: mail.transpose()? })
}

/// What the gate itself asks the directory: facts for decisions, members of groups.
pub(super) struct OwnQuestions {
    pub(super) gate: Arc<Gate>,
    pub(super) config: Arc<ArcSwap<Config>>,
    /// A new configuration may ask for other groups.
    pub(super) reloads: watch::Receiver<u64>,
    /// The server that was connected to, until it has answered.
    pub(super) unheard: Option<Arc<str>>,
    /// Whether the directory was read once.
    pub(super) read: watch::Sender<bool>,
    /// A reload may mean another directory: what the one before said of people is not enough any more.
    pub(super) reloaded: bool,
    /// Of the schema that decisions are made by.
    pub(super) fingerprint: Option<u64>,
    /// The trees that were last said to be served, and not to be.
    pub(super) trees: Option<(Vec<Dn>, Vec<LeftOut>)>,
}

impl Source for OwnQuestions {
    type Stream = UpstreamStream;

    async fn connect(&mut self) -> Result<UpstreamStream, String> {
        let directory = self.gate.directory.load_full();
        if let Some(server) = self.unheard.take() {
            directory.set_back(&server);
        }
        let (stream, server) = directory.connect().await.map_err(|error| error.to_string())?;
        self.unheard = Some(server);
        Ok(stream)
    }

    fn account(&mut self) -> ServiceAccount {
        own_account(&self.config.load())
    }

    fn groups(&mut self) -> Arc<GroupList> {
        let config = self.config.load();
        let mut groups = config.policy.groups();
        groups.extend(authority(&config.control).groups());
        Arc::new(GroupList::new(groups))
    }

    fn publish(&mut self, reading: Reading) {
        self.unheard = None;
        let directory = &self.config.load_full().directory;
        let (configured, excludes) = (directory.naming_contexts.clone(), directory.exclude_hidden);
        let mut plan = Plan { nested: directory.nested_groups, ..reading.plan };
        let contexts = reading.facts.contexts.clone().unwrap_or_default();
        let policy = Arc::clone(&self.gate.shared.snapshot.load().policy);
        let trees = contexts.trees(configured.as_deref(), policy.resources.iter());
        plan.contexts = reading.facts.clone().serving(trees).naming_contexts;
        let anew = std::mem::take(&mut self.reloaded);
        let (asked, troubles) = self.gate.memberships.install(plan, anew, self.gate.clock.now().monotonic);
        // The same schema again is no reason for another policy.
        let schema = reading.schema.filter(|read| self.fingerprint.replace(read.fingerprint) != Some(read.fingerprint));
        self.gate.shared.update(|snapshot| {
            let mut groups = Groups::clone(&snapshot.groups);
            groups.asked = Arc::clone(&asked);
            let (policy, grants) = match &schema {
                Some(read) => {
                    let policy = snapshot.policy.with_schema(Arc::clone(&read.schema));
                    let grants = snapshot.grants.resolved(policy.naming());
                    (Arc::new(policy), Arc::new(grants))
                }
                None => (Arc::clone(&snapshot.policy), Arc::clone(&snapshot.grants)),
            };
            let naming = policy.naming();
            let mut contexts = reading.facts.contexts.clone().unwrap_or_default();
            contexts.resolve(naming);
            let mut configured = configured;
            configured.iter_mut().flatten().for_each(|context| context.resolve(naming));
            let mut facts = reading.facts.serving(contexts.trees(configured.as_deref(), policy.resources.iter()));
            if !excludes {
                facts.excludes.clear();
            }
            facts.excludes.iter_mut().for_each(|tree| tree.resolve(naming));
            let (directory, groups) = (Arc::new(facts), Arc::new(groups));
            Snapshot { policy, grants, directory, groups, ..snapshot.clone() }
        });
        self.say_trees();
        troubles.into_iter().for_each(|(group, trouble)| note_trouble(&self.gate, &group, trouble.as_ref()));
        if schema.is_some() {
            self.gate.confirmed.clear();
            warn_of_strangers(&self.gate.shared.snapshot.load().policy);
        }
        self.read.send_replace(true);
    }

    async fn changed(&mut self) {
        if self.reloads.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.reloaded = true;
    }
}

impl OwnQuestions {
    /// Says which trees are served and which are not, whenever that has changed.
    fn say_trees(&mut self) {
        let facts = self.gate.shared.snapshot.load().directory.clone();
        let trees = (facts.naming_contexts.clone(), facts.left_out.clone());
        if self.trees.as_ref() == Some(&trees) {
            return;
        }
        let served: Vec<&str> = facts.naming_contexts.iter().map(Dn::text).collect();
        if served.is_empty() {
            tracing::error!(
                "no tree of the directory is served: name those that are to be in [directory] naming_contexts"
            );
        } else {
            tracing::info!(trees = ?served, "trees that are served");
        }
        for left_out in &facts.left_out {
            tracing::info!(tree = left_out.context.text(), why = left_out.why, "a tree that is not served");
        }
        self.trees = Some(trees);
    }
}

/// Says that it is not known who is in a group, or that it is known again.
fn note_trouble(gate: &Gate, group: &Dn, trouble: Option<&Trouble>) {
    let event = match trouble {
        Some(trouble) => {
            tracing::warn!(%group, why = %trouble, "it is not known who is in a group that the configuration names");
            let (reason, detail) = (trouble.word(), trouble.to_string());
            json!({ "event": "group unknown", "group": group.text(), "reason": reason, "detail": detail })
        }
        None => {
            tracing::info!(%group, "it is known again who is in a group that the configuration names");
            json!({ "event": "group known", "group": group.text() })
        }
    };
    gate.metrics.event(&event);
    gate.audit.event(event);
}

/// Says which attributes of the policy the directory does not have: a typing error protects nothing.
pub(super) fn warn_of_strangers(policy: &Policy) {
    for resource in &policy.resources {
        for name in resource.attributes.iter().flat_map(AttributeNames::iter) {
            if policy.schema().canonical(AttributeDescription(name.as_bytes())).is_none() {
                let resource = &*resource.name;
                tracing::warn!(
                    resource,
                    attribute = name,
                    "an attribute of a resource is not in the directory's schema"
                );
            }
        }
    }
}

/// What is known before the directory was asked.
pub(super) fn first_facts(config: &config::Directory) -> DirectoryFacts {
    let configured = config.naming_contexts.clone().unwrap_or_default();
    DirectoryFacts::default().serving(Contexts::default().trees(Some(&configured), [].iter()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DirectoryUrl;

    #[test]
    fn what_is_to_go_over_tls_never_goes_in_clear() {
        for (transport, taken) in [(Transport::Plain, true), (Transport::Tls, false), (Transport::StartTls, false)] {
            let config = config::Directory {
                urls: vec![DirectoryUrl { transport, host: "localhost".to_owned(), port: 389 }],
                ca: None,
                naming_contexts: None,
                service: None,
                proxy: None,
                connect_timeout: Duration::from_secs(1),
                bind_timeout: Duration::from_secs(1),
                nested_groups: true,
                group_unknown_after: Duration::from_secs(300),
                extended_operations: vec![],
                referrals: config::Referrals::Drop,
                exclude_hidden: true,
            };
            assert_eq!(upstream(&config).is_ok(), taken, "{transport:?}");
        }
    }
}
