//! What one configuration opens and closes compared with another, and what of it a running gate cannot take over.
//! Knows what the files say, not what is in the files that they name.
//!
//! Each structure is taken apart whole, so that a new key cannot be forgotten.

use super::control::{Control, ControlPort};
use super::directory::{Directory, Referrals, ServiceAccount};
use super::sections::{Audit, Listen, Runtime, Store, Tls};
use super::{Config, Places};
use crate::engine::ldap::Dn;
use crate::engine::policy::difference::{self, Difference, Direction};
use crate::engine::time::format_duration;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

impl Config {
    /// What `new` opens and closes, compared with this one.
    pub fn difference(&self, new: &Config) -> Difference {
        let Config { listen: _, tls, directory, policy, control, notify, store: _, audit: _, runtime: _, places: _ } =
            self;
        let mut found = Difference::default();
        difference::compare(policy, &new.policy, &mut found);
        compare_tls(tls, &new.tls, &mut found);
        compare_directory(directory, &new.directory, &mut found);
        compare_control(control, &new.control, &mut found);
        if *notify != new.notify {
            found.changes("[notify]: who is told of what, or how");
        }
        found
    }

    /// What is different in `new` and needs a restart: sections and keys.
    pub fn needs_restart(&self, new: &Config) -> Vec<String> {
        let Config { listen, tls: _, directory: _, policy: _, control, notify: _, store, audit, runtime, places: _ } =
            self;
        let port = |control: &Control| control.port.as_ref().map(|port| port.listen);
        // Taken apart so that what is added is thought about; nothing in them is taken over.
        let Listen {
            ldaps: _,
            ldap: _,
            max_message_bytes: _,
            max_connections: _,
            max_connections_per_address: _,
            shared_addresses: _,
            max_operations_per_session: _,
            max_filter_parts: _,
            max_buffered_bytes: _,
            message_timeout: _,
            max_failed_binds_per_minute: _,
            max_handshakes_per_minute: _,
            start_tls_timeout: _,
            idle_timeout: _,
        } = listen;
        let (
            Store { path: _, archive_after: _ },
            Audit { path: _, rotate_bytes: _, durable: _, when_full: _ },
            Runtime { threads: _, core_dumps: _ },
        ) = (store, audit, runtime);
        let changed = [
            ("[listen]", *listen != new.listen),
            ("[control] socket", control.socket != new.control.socket),
            ("[control] listen", port(control) != port(&new.control)),
            ("[store]", *store != new.store),
            ("[audit]", *audit != new.audit),
            ("[runtime]", *runtime != new.runtime),
        ];
        changed.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name.to_owned()).collect()
    }

    /// The first sixteen hexadecimal digits of the file's SHA-256: which configuration it is.
    pub fn digest(&self) -> &str {
        let Places { digest, .. } = &self.places;
        digest
    }

    /// The file as it was read.
    pub fn text(&self) -> &str {
        let Places { text, .. } = &self.places;
        text
    }

    /// The files with certificates that decide who is believed, by the key that names each.
    pub fn authorities(&self) -> Vec<(&'static str, &Path)> {
        let Tls { client_ca, client_crl, .. } = &self.tls;
        let port = self.control.port.as_ref();
        let all = [
            ("[tls] client_ca", client_ca.as_ref()),
            ("[tls] client_crl", client_crl.as_ref()),
            ("[directory] ca", self.directory.ca.as_ref()),
            ("[control] client_ca", port.and_then(|port| port.client_ca.as_ref())),
            ("[control] client_crl", port.and_then(|port| port.client_crl.as_ref())),
        ];
        all.into_iter().filter_map(|(key, path)| Some((key, path?.as_path()))).collect()
    }
}

fn compare_tls(old: &Tls, new: &Tls, found: &mut Difference) {
    let Tls {
        // What clients are shown lets nobody do more.
        certificate: _,
        private_key: _,
        client_ca,
        client_crl,
        certificate_subject,
        require_client_certificate,
    } = old;
    optional("[tls] client_ca", client_ca, &new.client_ca, shown, Some(Direction::Opens), found);
    optional("[tls] client_crl", client_crl, &new.client_crl, shown, Some(Direction::Closes), found);
    let pattern = |pattern: &super::CertificateSubject| pattern.as_str().to_owned();
    optional("[tls] certificate_subject", certificate_subject, &new.certificate_subject, pattern, None, found);
    match (require_client_certificate, new.require_client_certificate) {
        (true, false) => found.opens("[tls] require_client_certificate: clients without a certificate are served"),
        (false, true) => {
            found.closes("[tls] require_client_certificate: clients without a certificate are turned away")
        }
        (true, true) | (false, false) => {}
    }
}

fn compare_directory(old: &Directory, new: &Directory, found: &mut Difference) {
    let Directory {
        urls,
        ca,
        naming_contexts,
        service,
        proxy,
        // Lets nobody do more.
        connect_timeout: _,
        bind_timeout: _,
        nested_groups,
        group_unknown_after,
        // The policy's.
        extended_operations: _,
        referrals,
        exclude_hidden,
    } = old;
    if *urls != new.urls {
        let list = |urls: &[super::DirectoryUrl]| urls.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        found.changes(format!("[directory] urls: {}, was {}", list(&new.urls), list(urls)));
    }
    optional("[directory] ca", ca, &new.ca, shown, None, found);
    match (naming_contexts, &new.naming_contexts) {
        (None, None) => {}
        (Some(was), Some(is)) => {
            let only = |these: &[Dn], others: &[Dn]| {
                let outside = |name: &&Dn| !others.iter().any(|other| name.is_surely_within(other));
                let names: Vec<&str> = these.iter().filter(outside).map(Dn::text).collect();
                (!names.is_empty()).then(|| names.join(", "))
            };
            if let Some(names) = only(is, was) {
                found.opens(format!("[directory] naming_contexts: {names} can be reached"));
            }
            if let Some(names) = only(was, is) {
                found.closes(format!("[directory] naming_contexts: {names} can no longer be reached"));
            }
        }
        (Some(_), None) => found.changes("[directory] naming_contexts: what the directory says of itself"),
        (None, Some(_)) => found.changes("[directory] naming_contexts: no longer what the directory says of itself"),
    }
    match (nested_groups, new.nested_groups) {
        (false, true) => found.opens("[directory] nested_groups: members of groups in a group are its members"),
        (true, false) => found.closes("[directory] nested_groups: only direct members of a group are its members"),
        (true, true) | (false, false) => {}
    }
    if *group_unknown_after != new.group_unknown_after {
        let (is, was) = (format_duration(new.group_unknown_after), format_duration(*group_unknown_after));
        found.changes(format!("[directory] group_unknown_after: {is}, was {was}"));
    }
    for (key, was, is) in [("bind_dn", service, &new.service), ("proxy_bind_dn", proxy, &new.proxy)] {
        compare_accounts(key, was.as_ref(), is.as_ref(), found);
    }
    match (exclude_hidden, new.exclude_hidden) {
        (true, false) => {
            found.opens("[directory] exclude_hidden: the time that a search takes may tell of what is hidden")
        }
        (false, true) => found.closes("[directory] exclude_hidden: searches leave out what is hidden, where they can"),
        (true, true) | (false, false) => {}
    }
    match (referrals, &new.referrals) {
        (Referrals::Drop, Referrals::Drop) => {}
        (Referrals::Drop, Referrals::Rewrite(url)) => {
            found.opens(format!("[directory] referrals: those to names that are served lead to {url}"));
        }
        (Referrals::Rewrite(_), Referrals::Drop) => found.closes("[directory] referrals: they are not passed on"),
        (Referrals::Rewrite(was), Referrals::Rewrite(is)) if was == is => {}
        (Referrals::Rewrite(was), Referrals::Rewrite(is)) => {
            found.changes(format!("[directory] referrals: they lead to {is}, led to {was}"));
        }
    }
}

fn compare_accounts(key: &str, old: Option<&ServiceAccount>, new: Option<&ServiceAccount>, found: &mut Difference) {
    let name = |account: Option<&ServiceAccount>| account.map_or("nobody".to_owned(), |account| account.dn.to_string());
    match (old, new) {
        (old, new) if old == new => {}
        (Some(old), Some(new)) if old.dn == new.dn => {
            // Which password it is lets nobody do more; it is said because it is not what anybody can see.
            found.changes(format!("[directory] {key}: another password for {}", new.dn));
        }
        (old, new) => found.changes(format!("[directory] {key}: {}, was {}", name(new), name(old))),
    }
}

fn compare_control(old: &Control, new: &Control, found: &mut Difference) {
    let Control {
        // Needs a restart.
        socket: _,
        local_subject,
        act_as,
        trust_act_as,
        max_pending,
        requests_per_hour,
        administrators,
        auditors,
        metrics,
        port,
    } = old;
    let pattern = |pattern: &super::LocalSubject| pattern.as_str().to_owned();
    optional("[control] local_subject", local_subject, &new.local_subject, pattern, Some(Direction::Opens), found);
    for (key, was, is) in [
        ("act_as", act_as, &new.act_as),
        ("administrators", administrators, &new.administrators),
        ("auditors", auditors, &new.auditors),
        ("metrics", metrics, &new.metrics),
    ] {
        found.people(&format!("[control] {key}"), was, is);
    }
    found.amount(trust_act_as, &new.trust_act_as, || match new.trust_act_as {
        true => "[control] trust_act_as: those whom one of act_as acts as count as different people".to_owned(),
        false => "[control] trust_act_as: what one of act_as does under several names is one person's".to_owned(),
    });
    found.amount(max_pending, &new.max_pending, || {
        format!("[control] max_pending is {}, was {max_pending}", new.max_pending)
    });
    found.amount(requests_per_hour, &new.requests_per_hour, || {
        format!("[control] requests_per_hour is {}, was {requests_per_hour}", new.requests_per_hour)
    });
    match (port, &new.port) {
        (Some(was), Some(is)) => compare_ports(was, is, found),
        (None, None) => {}
        // Not before the restart, which is told as well.
        (None, Some(port)) => found.opens(format!("[control] listen: the API over TLS on {}", port.listen)),
        (Some(_), None) => found.closes("[control] listen: no API over TLS"),
    }
}

fn compare_ports(old: &ControlPort, new: &ControlPort, found: &mut Difference) {
    let ControlPort {
        listen,
        // What callers are shown lets nobody do more.
        certificate: _,
        private_key: _,
        client_ca,
        client_crl,
        certificate_subject,
        login_subject,
        token_ttl,
        hosts,
    } = old;
    if *listen != new.listen {
        let [was, is]: [&SocketAddr; 2] = [listen, &new.listen];
        found.changes(format!("[control] listen is {is}, was {was}"));
    }
    let opens = Some(Direction::Opens);
    optional("[control] client_ca", client_ca, &new.client_ca, shown, opens, found);
    let closes = Some(Direction::Closes);
    optional("[control] client_crl", client_crl, &new.client_crl, shown, closes, found);
    let pattern = |pattern: &super::CertificateSubject| pattern.as_str().to_owned();
    optional("[control] certificate_subject", certificate_subject, &new.certificate_subject, pattern, opens, found);
    let pattern = |pattern: &super::LocalSubject| pattern.as_str().to_owned();
    // Without one, people log in with their DN.
    optional("[control] login_subject", login_subject, &new.login_subject, pattern, None, found);
    found.amount(token_ttl, &new.token_ttl, || {
        format!("[control] token_ttl is {}, was {}", format_duration(new.token_ttl), format_duration(*token_ttl))
    });
    for host in new.hosts.iter().filter(|host| !hosts.contains(host)) {
        found.opens(format!("[control] hosts: {host} is a name of the gate"));
    }
    for host in hosts.iter().filter(|host| !new.hosts.contains(host)) {
        found.closes(format!("[control] hosts: {host} is no longer a name of the gate"));
    }
}

/// Notes what was given or taken away; `given` says which way giving it goes, where that can be said.
fn optional<T: PartialEq>(
    key: &str,
    old: &Option<T>,
    new: &Option<T>,
    text: impl Fn(&T) -> String,
    given: Option<Direction>,
    found: &mut Difference,
) {
    let taken = given.map(|direction| match direction {
        Direction::Opens => Direction::Closes,
        Direction::Changes => Direction::Changes,
        Direction::Closes => Direction::Opens,
    });
    match (old, new) {
        (None, None) => {}
        (None, Some(is)) => {
            found.note(given.unwrap_or(Direction::Changes), format!("{key} is {}, was not set", text(is)))
        }
        (Some(was), None) => {
            found.note(taken.unwrap_or(Direction::Changes), format!("{key} is not set, was {}", text(was)));
        }
        (Some(was), Some(is)) if was == is => {}
        (Some(was), Some(is)) => found.changes(format!("{key} is {}, was {}", text(is), text(was))),
    }
}

#[expect(clippy::ptr_arg, reason = "it is handed to what passes references to what is configured")]
fn shown(path: &PathBuf) -> String {
    path.display().to_string()
}
