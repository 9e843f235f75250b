//! `[directory]`: what is behind the gate, and how it is reached.

use super::extensions;
use super::file::{self, Secret};
use super::raw::{Located, Section};
use super::value::FromText;
use crate::engine::ldap::Dn;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The shortest `group_unknown_after`.
const SHORTEST_UNKNOWN: Duration = Duration::from_secs(60);

/// What is behind the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Where it is, in order of preference; at least one.
    pub urls: Vec<DirectoryUrl>,
    /// Who signs its certificates, PEM. Set wherever a URL uses TLS.
    pub ca: Option<PathBuf>,
    /// What is reachable through the gate; `None`: what the rootDSE says.
    pub naming_contexts: Option<Vec<Dn>>,
    /// As whom the gate itself asks, for schema and groups; `None`: anonymously.
    pub service: Option<ServiceAccount>,
    /// As whom the gate acts for those who come with a client certificate; `None`: as `service`.
    pub proxy: Option<ServiceAccount>,
    /// How long one URL is tried before the next is.
    pub connect_timeout: Duration,
    /// How long a bind may take; then it is answered with `unavailable` and the connection is given up.
    pub bind_timeout: Duration,
    /// Whether members of groups within a group are its members, too.
    pub nested_groups: bool,
    /// What depends on a group ends when the directory has not said for this long who is in it.
    pub group_unknown_after: Duration,
    /// Extended operations that are passed as they are.
    pub extended_operations: Vec<String>,
    /// What becomes of its referrals.
    pub referrals: Referrals,
    /// Whether it is asked to leave hidden entries out of searches, where it can.
    pub exclude_hidden: bool,
}

/// What becomes of the directory's referrals to other servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Referrals {
    /// They are not passed on.
    Drop,
    /// Those to names that are served lead to this URL, the gate's own.
    Rewrite(DirectoryUrl),
}

/// The gate's own name in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its name.
    pub dn: Dn,
    /// Its password.
    pub password: Secret,
}

impl Directory {
    /// As whom the gate acts for those who come with a client certificate.
    pub fn proxy(&self) -> Option<&ServiceAccount> {
        self.proxy.as_ref().or(self.service.as_ref())
    }
}

/// One place where the directory is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DirectoryUrl {
    /// How octets travel.
    pub transport: Transport,
    /// A name or an address; IPv6 without brackets. Certificates are checked against it.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// How octets travel to the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// `ldaps://`: TLS from the first byte.
    Tls,
    /// `ldap://` and `start_tls = true`.
    StartTls,
    /// `ldap://` alone: to this machine, or with `allow_plaintext = true`.
    Plain,
}

impl DirectoryUrl {
    /// Whether it cannot lead off this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

/// Whether a host cannot lead off this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

impl std::fmt::Display for DirectoryUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match self.transport {
            Transport::Tls => "ldaps",
            Transport::StartTls | Transport::Plain => "ldap",
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

pub(super) fn directory(root: &Section<'_>) -> Option<Directory> {
    let section = root.section("directory");
    let urls = urls(&section);
    let ca = if section.has("ca") || urls.iter().all(|url| url.transport == Transport::Plain) {
        file::optional_certificates(&section, "ca")
    } else {
        let message =
            "is missing: who signs the directory's certificate; write it like ca = \"certs/directory-ca.pem\"";
        section.problem(section.at(), format!("ca {message}"));
        None
    };
    let naming_contexts = section.list::<Dn>("naming_contexts");
    if let Some(empty) = naming_contexts.as_ref().filter(|_| section.is_empty_list("naming_contexts")) {
        let message = "nothing would be reachable; leave it out to take what the directory says of itself";
        section.problem(empty.at, format!("naming_contexts: {message}"));
    }
    let service = account(&section, "bind_dn", ["bind_password", "bind_password_file", "bind_password_env"]);
    let proxy_keys = ["proxy_bind_password", "proxy_bind_password_file", "proxy_bind_password_env"];
    let proxy = account(&section, "proxy_bind_dn", proxy_keys);
    let connect_timeout = section.optional::<Duration>("connect_timeout");
    let bind_timeout = section.optional::<Duration>("bind_timeout");
    let nested_groups = section.optional::<bool>("nested_groups");
    let group_unknown_after = section.optional::<Duration>("group_unknown_after");
    if let Some(found) = group_unknown_after.as_ref().filter(|found| found.value < SHORTEST_UNKNOWN) {
        let message = "a shorter time than 1m would end grants whenever the directory is restarted";
        section.problem(found.at, format!("group_unknown_after: {message}"));
    }
    let extended_operations = extensions::extended_operations(&section);
    let referrals = section.optional::<Referrals>("referrals");
    let exclude_hidden = section.optional::<bool>("exclude_hidden").is_none_or(|found| found.value);
    section.finish();
    Some(Directory {
        urls,
        ca: ca?,
        naming_contexts: naming_contexts.map(|list| list.value.into_iter().map(|dn| dn.value).collect()),
        service: service?,
        proxy: proxy?,
        connect_timeout: connect_timeout.map_or(Duration::from_secs(5), |found| found.value),
        bind_timeout: bind_timeout.map_or(Duration::from_secs(10), |found| found.value),
        nested_groups: nested_groups.is_none_or(|found| found.value),
        group_unknown_after: group_unknown_after.map_or(Duration::from_secs(300), |found| found.value),
        extended_operations,
        referrals: referrals.map_or(Referrals::Drop, |found| found.value),
        exclude_hidden,
    })
}

fn urls(section: &Section<'_>) -> Vec<DirectoryUrl> {
    let start_tls = section.optional::<bool>("start_tls");
    let starts_tls = start_tls.as_ref().is_some_and(|found| found.value);
    let allow_plaintext = section.optional::<bool>("allow_plaintext").is_some_and(|found| found.value);
    let Some(list) = section.list::<DirectoryUrl>("urls") else {
        if !section.has("urls") {
            section.missing("urls", "[\"ldaps://ldap1.example.com\"]");
        }
        return Vec::new();
    };
    if section.is_empty_list("urls") {
        section.problem(list.at, "urls: at least one is needed, like \"ldaps://ldap1.example.com\"");
    }
    if let Some(found) = start_tls.filter(|found| found.value)
        && list.value.iter().any(|url| url.value.transport == Transport::Tls)
    {
        let message =
            "an ldaps:// URL uses TLS from the first byte; use ldap:// URLs with start_tls, or ldaps:// without";
        section.problem(found.at, format!("start_tls: {message}"));
    }
    let finish = |Located { value: mut url, at }: Located<DirectoryUrl>| {
        if url.transport == Transport::Plain && starts_tls {
            url.transport = Transport::StartTls;
        }
        if url.transport == Transport::Plain && !url.is_loopback() {
            if allow_plaintext {
                section.warning(at, format!("urls: passwords go to {url} in the clear, as allow_plaintext says"));
            } else {
                let message = "would be sent passwords in the clear; use ldaps://, or start_tls = true, \
                               or, where the network is trusted, allow_plaintext = true";
                section.problem(at, format!("urls: {url} {message}"));
            }
        }
        url
    };
    list.value.into_iter().map(finish).collect()
}

#[expect(clippy::option_option, reason = "the outer one is: a problem was noted")]
fn account(section: &Section<'_>, name_key: &'static str, keys: [&'static str; 3]) -> Option<Option<ServiceAccount>> {
    let dn = section.optional::<Dn>(name_key);
    let password = file::secret(section, keys);
    let [_, file_key, environment_key] = keys;
    let has_password = keys.into_iter().any(|key| section.has(key));
    match (dn, password) {
        (Some(dn), Some(password)) => Some(Some(ServiceAccount { dn: dn.value, password: password.value })),
        (None, None) if !has_password && !section.has(name_key) => Some(None),
        (Some(dn), None) => {
            if !has_password {
                let message =
                    format!("a password is needed; write it like {file_key} = \"secrets/directory-password\"");
                section.problem(dn.at, format!("{name_key}: {message}"));
            }
            None
        }
        (None, Some(password)) => {
            if !section.has(name_key) {
                let message = format!("{file_key} or {environment_key}: a {name_key} is needed with it");
                section.problem(password.at, message);
            }
            None
        }
        (None, None) => None,
    }
}

impl FromText for Referrals {
    const EXAMPLE: &'static str = "\"drop\"";

    fn from_text(text: &str) -> Result<Referrals, String> {
        if text == "drop" {
            return Ok(Referrals::Drop);
        }
        let own = |error| format!("{error}; or \"drop\"; a URL is the gate's own, as clients reach it");
        DirectoryUrl::from_text(text).map(Referrals::Rewrite).map_err(own)
    }
}

impl FromText for DirectoryUrl {
    const EXAMPLE: &'static str = "\"ldaps://ldap1.example.com\"";

    fn from_text(text: &str) -> Result<DirectoryUrl, String> {
        let wrong = |what: &str| format!("{text:?} {what}; write it like {} or \"ldap://10.0.0.1:389\"", Self::EXAMPLE);
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(wrong("is not a URL"));
        };
        let (transport, default_port) = match scheme {
            "ldaps" => (Transport::Tls, 636),
            "ldap" => (Transport::Plain, 389),
            _ => return Err(wrong("is neither ldaps:// nor ldap://")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            return Err(wrong("says more than scheme, host and port"));
        }
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, "")) => (address, None),
            Some((address, port)) => (address, Some(port.strip_prefix(':').unwrap_or("-"))),
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        let bracketed = rest.starts_with('[');
        let fits = if bracketed { host.parse::<std::net::Ipv6Addr>().is_ok() } else { is_host_name(host) };
        if !fits {
            return Err(wrong("names no host"));
        }
        let port = match port {
            None => default_port,
            Some(port) => match port.parse::<u16>() {
                Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => number,
                _ => return Err(wrong("has no valid port")),
            },
        };
        Ok(DirectoryUrl { transport, host: host.to_owned(), port })
    }
}

fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let cases = [
            ("ldaps://ldap1.example.com", Ok((Transport::Tls, "ldap1.example.com", 636))),
            ("ldap://10.0.0.1:1389/", Ok((Transport::Plain, "10.0.0.1", 1389))),
            ("ldaps://[::1]:1636", Ok((Transport::Tls, "::1", 1636))),
            ("ldap://[2001:db8::1]", Ok((Transport::Plain, "2001:db8::1", 389))),
            ("ldap1.example.com", Err("is not a URL")),
            ("https://ldap1.example.com", Err("neither")),
            ("ldapi://%2frun%2fldapi", Err("neither")),
            ("ldap://host/dc=example,dc=com", Err("more than")),
            ("ldap://user@host", Err("more than")),
            ("ldap://", Err("no host")),
            ("ldap://a b", Err("no host")),
            ("ldap://::1", Err("no host")),
            ("ldap://[::1", Err("no host")),
            ("ldap://[host]", Err("no host")),
            ("ldap://host:0", Err("no valid port")),
            ("ldap://host:+1", Err("no valid port")),
            ("ldap://host:65536", Err("no valid port")),
            ("ldap://[::1]1389", Err("no valid port")),
        ];
        for (text, expected) in cases {
            match (DirectoryUrl::from_text(text), expected) {
                (Ok(url), Ok(parts)) => assert_eq!((url.transport, url.host.as_str(), url.port), parts, "{text}"),
                (Err(message), Err(part)) => assert!(message.contains(part), "{text}: {message}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }

    #[test]
    fn loopback_is_only_what_cannot_lead_off_this_machine() {
        for (text, expected) in [
            ("ldap://127.0.0.1", true),
            ("ldap://127.8.8.8", true),
            ("ldap://[::1]", true),
            ("ldap://LOCALHOST", true),
            ("ldap://localhost.example.com", false),
            ("ldap://10.0.0.1", false),
            ("ldap://0.0.0.0", false),
            ("ldap://127.0.0.1.example.com", false),
        ] {
            assert_eq!(DirectoryUrl::from_text(text).expect(text).is_loopback(), expected, "{text}");
        }
    }
}
