//! `[notify]`: who is told of what happens, and how. URLs come from here and from nowhere else.

use super::directory::is_loopback;
use super::file::{self, Secret};
use super::raw::{Located, Section};
use super::value::{FromText, Name, one_of};
use crate::engine::time::parse_duration;
use crate::engine::workflow::NoticeKind;
use crate::engine::workflow::telling::mail::Address;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Who is told of what happens, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notify {
    /// How long before it ends a grant's holder is warned; `None`: not.
    pub warn_before: Option<Duration>,
    /// `[[notify.webhook]]`, each under another name.
    pub webhooks: Vec<Webhook>,
    /// `[notify.mail]`.
    pub mail: Option<Mail>,
}

/// Somewhere that JSON is posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// What it is called in lists.
    pub name: String,
    /// Where it is.
    pub url: WebhookUrl,
    /// What deliveries are signed with (HMAC-SHA256).
    pub secret: Secret,
    /// Who signs its certificate; `None`: it uses none.
    pub ca: Option<Trust>,
    /// What it is told of.
    pub events: BTreeSet<NoticeKind>,
}

/// Whom a certificate may be signed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those in this file.
    File(PathBuf),
    /// Those whom the system trusts: as many of this file as can be read.
    System(PathBuf),
}

/// `https://host[:port]/path`, or `http://` to this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    /// Whether it is `https://`.
    pub tls: bool,
    /// A name or an address; IPv6 without brackets. Certificates are checked against it.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Path and query, from the first slash on.
    pub path: String,
}

/// How mail is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// To which server.
    pub server: MailServer,
    /// From whom.
    pub from: Address,
    /// As whom the server is logged in to.
    pub account: Option<(String, Secret)>,
    /// Who signs its certificate; `None`: it uses none.
    pub ca: Option<Trust>,
    /// Which attribute of a person's entry is their address.
    pub address_attribute: String,
    /// What subjects begin with.
    pub subject_prefix: String,
    /// What people are told of.
    pub events: BTreeSet<NoticeKind>,
}

/// `smtps://host[:port]` or `smtp://host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServer {
    /// How octets travel.
    pub security: MailSecurity,
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// How octets travel to a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// TLS from the first octet.
    Tls,
    /// STARTTLS, or nothing is sent.
    StartTls,
    /// In the clear, as the configuration allows.
    Plain,
}

/// How long before a grant ends, unless the configuration says.
const WARN_BEFORE: Duration = Duration::from_secs(600);

/// A key that is shorter can be guessed.
const SHORTEST_SECRET: usize = 16;

/// Where systems keep the authorities that everybody trusts.
const SYSTEM_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// `None`: a problem was noted.
pub(super) fn notify(root: &Section<'_>, has_account: bool) -> Option<Notify> {
    let section = root.section("notify");
    let warn_before = section.optional::<WarnBefore>("warn_before");
    let sections = section.sections("webhook", |number| format!("notify.webhook {number}"));
    let count = sections.len();
    let mut webhooks: Vec<Webhook> = Vec::new();
    for one in sections {
        let at = one.at();
        let Some(webhook) = webhook(one) else { continue };
        if webhooks.iter().any(|other| other.name == webhook.name) {
            section.problem(at, format!("webhook: there is another {:?}; each needs a name of its own", webhook.name));
        } else {
            webhooks.push(webhook);
        }
    }
    let mail = match section.has("mail") {
        true => mail(section.inner("mail", "[notify.mail]"), has_account).map(Some),
        false => Some(None),
    };
    section.finish();
    let warn_before = warn_before.map_or(Some(WARN_BEFORE), |found| found.value.0);
    // One that has a problem was left out.
    (webhooks.len() == count).then_some(())?;
    Some(Notify { warn_before, webhooks, mail: mail? })
}

fn webhook(mut section: Section<'_>) -> Option<Webhook> {
    let name = section.required::<Name>("name", "\"chat\"");
    if let Some(name) = &name {
        section.named("notify.webhook", &name.value.0);
    }
    let allow_plaintext = section.optional::<bool>("allow_plaintext").is_some_and(|found| found.value);
    let url = section.required::<WebhookUrl>("url", WebhookUrl::EXAMPLE).and_then(|found| {
        let Located { value: url, at } = found;
        if !url.tls && !is_loopback(&url.host) {
            if !allow_plaintext {
                let message = "would be sent who asks for what in the clear; use https://, or, where the network \
                               is trusted, allow_plaintext = true";
                section.problem(at, format!("url: {} {message}", url.host));
                return None;
            }
            section
                .warning(at, format!("url: what is told goes to {} in the clear, as allow_plaintext says", url.host));
        }
        Some(url)
    });
    let secret = file::secret(&section, ["secret", "secret_file", "secret_env"]);
    if secret.is_none() && !["secret", "secret_file", "secret_env"].into_iter().any(|key| section.has(key)) {
        section.missing("secret_file", "\"secrets/chat-webhook\"");
    }
    let secret = secret.filter(|secret| {
        let fits = secret.value.reveal().len() >= SHORTEST_SECRET;
        if !fits {
            let message = format!(
                "a key of fewer than {SHORTEST_SECRET} octets can be guessed; make one with openssl rand -hex 32"
            );
            section.problem(secret.at, format!("secret_file or secret_env: {message}"));
        }
        fits
    });
    let ca = trust(&section, url.as_ref().is_some_and(|url| url.tls));
    let events = events(&section);
    section.finish();
    Some(Webhook { name: name?.value.0, url: url?, secret: secret?.value, ca: ca?, events: events? })
}

fn mail(section: Section<'_>, has_account: bool) -> Option<Mail> {
    let allow_plaintext = section.optional::<bool>("allow_plaintext").is_some_and(|found| found.value);
    let server = section.required::<MailServer>("server", MailServer::EXAMPLE);
    let from = section.required::<Address>("from", Address::EXAMPLE);
    let user = section.optional::<String>("user");
    let keys = ["password", "password_file", "password_env"];
    let password = file::secret(&section, keys);
    let has_password = keys.into_iter().any(|key| section.has(key));
    let account = match (user, password) {
        (Some(user), Some(password)) => Some(Some((user.value, password.value))),
        (None, None) if !has_password && !section.has("user") => Some(None),
        (Some(user), None) if !has_password => {
            section.problem(
                user.at,
                "user: a password is needed; write it like password_file = \"secrets/mail-password\"",
            );
            None
        }
        (None, Some(password)) => {
            section.problem(password.at, "password_file or password_env: a user is needed with it");
            None
        }
        (Some(_) | None, None) => None,
    };
    let mut server = server.map(|found| found.value);
    if let Some(server) = server.as_mut().filter(|server| server.security == MailSecurity::StartTls && allow_plaintext)
    {
        server.security = MailSecurity::Plain;
        let message = "mail, and the password with it, goes to the server in the clear, as allow_plaintext says";
        section.warning(section.at(), message);
    }
    let ca = trust(&section, server.as_ref().is_some_and(|server| server.security != MailSecurity::Plain));
    let address_attribute = section.optional::<AttributeName>("address_attribute");
    let subject_prefix = section.optional::<String>("subject_prefix");
    let events = events(&section);
    if !has_account {
        section.warning(section.at(), "[directory] bind_dn is missing: addresses are read anonymously");
    }
    section.finish();
    Some(Mail {
        server: server?,
        from: from?.value,
        account: account?,
        ca: ca?,
        address_attribute: address_attribute.map_or_else(|| "mail".to_owned(), |found| found.value.0),
        subject_prefix: subject_prefix.map_or_else(|| "[tidegate]".to_owned(), |found| found.value),
        events: events?,
    })
}

/// Whom a server's certificate may be signed by; the inner `None`: it shows none.
#[expect(clippy::option_option, reason = "the outer one is: a problem was noted")]
fn trust(section: &Section<'_>, tls: bool) -> Option<Option<Trust>> {
    if section.has("ca") {
        return file::optional_certificates(section, "ca").map(|path| path.map(Trust::File).filter(|_| tls));
    }
    // So that it is a known key.
    section.optional::<String>("ca");
    if !tls {
        return Some(None);
    }
    let system = SYSTEM_AUTHORITIES.iter().map(Path::new).find(|path| path.exists());
    if system.is_none() {
        section.missing("ca", "\"certs/receivers.pem\"");
    }
    system.map(|path| Some(Trust::System(path.to_owned())))
}

/// What is told; everything where nothing is said.
fn events(section: &Section<'_>) -> Option<BTreeSet<NoticeKind>> {
    let Some(list) = section.list::<NoticeKind>("events") else {
        return (!section.has("events")).then(|| NoticeKind::ALL.into());
    };
    if section.is_empty_list("events") {
        section.problem(list.at, "events: nothing would be told; leave it out to tell everything");
        return None;
    }
    Some(list.value.into_iter().map(|found| found.value).collect())
}

struct WarnBefore(Option<Duration>);

impl FromText for WarnBefore {
    const EXAMPLE: &'static str = "\"10m\"";

    fn from_text(text: &str) -> Result<WarnBefore, String> {
        match parse_duration(text) {
            Ok(Duration::ZERO) => Ok(WarnBefore(None)),
            Ok(duration) => Ok(WarnBefore(Some(duration))),
            Err(_) => Err(format!("{text:?} is not a duration; write it like \"10m\", or \"0s\" for no warning")),
        }
    }
}

/// A name that is asked for, without options.
struct AttributeName(String);

impl FromText for AttributeName {
    const EXAMPLE: &'static str = "\"mail\"";

    fn from_text(text: &str) -> Result<AttributeName, String> {
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) {
            Ok(AttributeName(text.to_owned()))
        } else {
            Err(format!("{text:?} is not the name of an attribute; write it like {}", Self::EXAMPLE))
        }
    }
}

impl FromText for NoticeKind {
    const EXAMPLE: &'static str = "\"break-glass\"";

    fn from_text(text: &str) -> Result<NoticeKind, String> {
        one_of(text, "event", &NoticeKind::ALL.map(|kind| (kind.word(), kind)))
    }
}

impl FromText for Address {
    const EXAMPLE: &'static str = "\"tidegate@example.com\"";

    fn from_text(text: &str) -> Result<Address, String> {
        Address::parse(text).map_err(|error| format!("{text:?} is {error}; write it like {}", Self::EXAMPLE))
    }
}

/// Scheme, host without brackets, port, and what comes after.
fn parts(text: &str) -> Option<(String, String, Option<u16>, String)> {
    // The parser drops fragments, and takes a user for a part of the host.
    if text.contains(['#', '@']) {
        return None;
    }
    let uri: hyper::Uri = text.parse().ok()?;
    let host = uri.host()?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = uri.authority()?.as_str().rsplit_once(':').filter(|(_, port)| !port.contains(']'));
    let port = match port {
        Some((_, port)) => Some(port.parse().ok().filter(|port| *port > 0)?),
        None => None,
    };
    rustls_pki_types::ServerName::try_from(host).ok()?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Some((uri.scheme_str()?.to_owned(), host.to_owned(), port, path.to_owned()))
}

impl FromText for WebhookUrl {
    const EXAMPLE: &'static str = "\"https://chat.example.com/hooks/tidegate\"";

    fn from_text(text: &str) -> Result<WebhookUrl, String> {
        // What is wrong is not repeated: such URLs often are secrets.
        let wrong = || format!("this is not a URL that can be posted to; write it like {}", Self::EXAMPLE);
        let (scheme, host, port, path) = parts(text).ok_or_else(wrong)?;
        let (tls, default_port) = match scheme.as_str() {
            "https" => (true, 443),
            "http" => (false, 80),
            _ => return Err(wrong()),
        };
        Ok(WebhookUrl { tls, host, port: port.unwrap_or(default_port), path })
    }
}

impl FromText for MailServer {
    const EXAMPLE: &'static str = "\"smtps://mail.example.com\"";

    fn from_text(text: &str) -> Result<MailServer, String> {
        let wrong = || {
            format!("{text:?} is not a mail server; write it like {} or \"smtp://mail.example.com:587\"", Self::EXAMPLE)
        };
        let (scheme, host, port, path) = parts(text).ok_or_else(wrong)?;
        let (security, default_port) = match scheme.as_str() {
            "smtps" => (MailSecurity::Tls, 465),
            "smtp" => (MailSecurity::StartTls, 587),
            _ => return Err(wrong()),
        };
        if path != "/" && !path.is_empty() {
            return Err(wrong());
        }
        Ok(MailServer { security, host, port: port.unwrap_or(default_port) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        for (text, expected) in [
            ("https://chat.example.com/hooks/a?b=c", Some((true, "chat.example.com", 443, "/hooks/a?b=c"))),
            ("https://chat.example.com", Some((true, "chat.example.com", 443, "/"))),
            ("https://[::1]:8443/x", Some((true, "::1", 8443, "/x"))),
            ("http://127.0.0.1:80/", Some((false, "127.0.0.1", 80, "/"))),
            ("ftp://example.com/", None),
            ("file:///etc/passwd", None),
            ("/hooks", None),
            ("https://", None),
            ("https:///x", None),
            ("https://user:secret@example.com/", None),
            ("https://example.com/#x", None),
            ("https://example.com:0/", None),
            ("https://example.com:99999/", None),
            ("https://example.com/a b", None),
            ("https://example.com/\r\nX: y", None),
        ] {
            let url = WebhookUrl::from_text(text).ok();
            let found = url.as_ref().map(|url| (url.tls, url.host.as_str(), url.port, url.path.as_str()));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn mail_servers_are_read() {
        use MailSecurity::{StartTls, Tls};
        for (text, expected) in [
            ("smtps://mail.example.com", Some((Tls, "mail.example.com", 465))),
            ("smtp://mail.example.com:25", Some((StartTls, "mail.example.com", 25))),
            ("smtp://[::1]/", Some((StartTls, "::1", 587))),
            ("mail.example.com", None),
            ("smtp://mail.example.com/x", None),
            ("smtp://user@mail.example.com", None),
            ("https://mail.example.com", None),
        ] {
            let server = MailServer::from_text(text).ok();
            let found = server.as_ref().map(|server| (server.security, server.host.as_str(), server.port));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn attributes_are_names_without_more() {
        for (text, expected) in
            [("mail", true), ("2.5.4.3", true), ("mail;lang-de", false), ("*", false), ("", false), ("a b", false)]
        {
            assert_eq!(AttributeName::from_text(text).is_ok(), expected, "{text}");
        }
    }
}
