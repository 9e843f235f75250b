//! Hands mail to a server (RFC 5321 as a client): TLS from the first octet or STARTTLS, AUTH PLAIN, one mail
//! a connection. Replies are bounded in length and in time. Neither account nor mail is sent before TLS
//! stands, unless the configuration says that it may.

use crate::config::Secret;
use crate::engine::workflow::telling::Outcome;
use crate::engine::workflow::telling::mail::Address;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

/// For the whole of a mail.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest line of a reply, and the most lines (RFC 5321 4.5.3.1.5 says 512 octets).
const MAX_LINE: usize = 2_048;
const MAX_LINES: usize = 100;

/// Commands whose refusal is about the mail.
const ABOUT_THE_MAIL: [&str; 4] = ["MAIL", "RCPT", "DATA", "the mail"];

/// How octets travel.
#[derive(Clone)]
pub enum Security {
    /// TLS from the first octet.
    Tls(Arc<ClientConfig>),
    /// STARTTLS (RFC 3207), or nothing is sent.
    StartTls(Arc<ClientConfig>),
    /// In the clear.
    Plain,
}

/// A mail server, and how it is spoken to.
#[derive(Clone)]
pub struct Mailer {
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// How octets travel.
    pub security: Security,
    /// User and password.
    pub account: Option<(String, Secret)>,
}

/// Without the account.
impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Why a mail was not taken.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// The connection, or something else than the mail.
    Not(String),
    /// The server's word.
    Refused(Reply),
}

/// What a server says: its code, and the text of all its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reply {
    /// To what.
    what: &'static str,
    code: u16,
    lines: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Not(why) => f.write_str(why),
            Failure::Refused(Reply { what, code, lines }) => {
                write!(f, "{what}: the server answered {code} {}", lines.join(" "))
            }
        }
    }
}

impl Mailer {
    /// Sends one mail, whose lines end in `\r\n`.
    pub async fn send(&self, from: &Address, to: &Address, mail: &str) -> Outcome {
        match tokio::time::timeout(TIMEOUT, self.try_to_send(from, to, mail)).await {
            Ok(Ok(())) => Outcome::Delivered,
            // What a server does not take of a mail it will not take tomorrow; all else may be mended.
            Ok(Err(Failure::Refused(reply))) if reply.code >= 500 && ABOUT_THE_MAIL.contains(&reply.what) => {
                Outcome::Never { why: Failure::Refused(reply).to_string() }
            }
            Ok(Err(failure)) => Outcome::Later { why: failure.to_string(), after: None },
            Err(_) => Outcome::Later { why: format!("not done within {} s", TIMEOUT.as_secs()), after: None },
        }
    }

    async fn try_to_send(&self, from: &Address, to: &Address, mail: &str) -> Result<(), Failure> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(later)?;
        let own = stream.local_addr().map_err(later)?;
        match &self.security {
            Security::Plain => self.deliver(Line::new(stream), own, true, from, to, mail).await,
            Security::Tls(tls) => {
                self.deliver(Line::new(self.secure(tls, stream).await?), own, true, from, to, mail).await
            }
            Security::StartTls(tls) => {
                let mut line = Line::new(stream);
                line.expect(220, "greeting").await?;
                let offers = line.greet(own).await?;
                if !offers.iter().any(|offer| offer.eq_ignore_ascii_case("STARTTLS")) {
                    return Err(Failure::Not("the server does not offer STARTTLS".to_owned()));
                }
                line.command("STARTTLS", 220, "STARTTLS").await?;
                let stream = self.secure(tls, line.into_inner()?).await?;
                self.deliver(Line::new(stream), own, false, from, to, mail).await
            }
        }
    }

    async fn secure(
        &self,
        tls: &Arc<ClientConfig>,
        stream: TcpStream,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Failure> {
        let name = ServerName::try_from(self.host.clone()).map_err(later)?;
        TlsConnector::from(Arc::clone(tls)).connect(name, stream).await.map_err(later)
    }

    /// One mail over a connection that may carry it.
    async fn deliver<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut line: Line<S>,
        own: SocketAddr,
        greeted: bool,
        from: &Address,
        to: &Address,
        mail: &str,
    ) -> Result<(), Failure> {
        if greeted {
            line.expect(220, "greeting").await?;
        }
        let offers = line.greet(own).await?;
        if let Some((user, password)) = &self.account {
            let offered = |offer: &String| {
                let mut words = offer.split_ascii_whitespace();
                let is_auth = words.next().is_some_and(|word| word.eq_ignore_ascii_case("AUTH"));
                is_auth && words.any(|word| word.eq_ignore_ascii_case("PLAIN"))
            };
            if !offers.iter().any(offered) {
                return Err(Failure::Not("the server does not offer AUTH PLAIN".to_owned()));
            }
            // RFC 4616; RFC 4954 4.
            let octets = Zeroizing::new([b"\0", user.as_bytes(), b"\0", password.reveal()].concat());
            let command = Zeroizing::new(format!("AUTH PLAIN {}", STANDARD.encode(&*octets)));
            line.command(&command, 235, "AUTH").await?;
        }
        line.command(&format!("MAIL FROM:<{}>", from.as_str()), 250, "MAIL").await?;
        line.command(&format!("RCPT TO:<{}>", to.as_str()), 250, "RCPT").await?;
        line.command("DATA", 354, "DATA").await?;
        line.write(&stuffed(mail)).await?;
        line.expect(250, "the mail").await?;
        // It was taken: whether the leave is, is all one.
        let _ = line.write("QUIT\r\n").await;
        Ok(())
    }
}

/// With the dots of RFC 5321 4.5.2, and the one at the end.
fn stuffed(mail: &str) -> String {
    let mut out = String::with_capacity(mail.len() + 8);
    for line in mail.split_inclusive("\r\n") {
        if line.starts_with('.') {
            out.push('.');
        }
        out.push_str(line);
    }
    out.push_str(".\r\n");
    out
}

fn later(error: impl std::fmt::Display) -> Failure {
    Failure::Not(error.to_string())
}

/// A conversation in lines.
struct Line<S> {
    stream: S,
    /// What was read and not yet taken.
    read: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    fn new(stream: S) -> Line<S> {
        Line { stream, read: Vec::new() }
    }

    /// The stream below, for TLS: nothing may have come yet that would be taken for a part of it (RFC 3207 4.2).
    fn into_inner(self) -> Result<S, Failure> {
        match self.read.is_empty() {
            true => Ok(self.stream),
            false => Err(Failure::Not("the server said more than it should before TLS".to_owned())),
        }
    }

    /// EHLO; what the server offers.
    async fn greet(&mut self, own: SocketAddr) -> Result<Vec<String>, Failure> {
        let name = match own.ip() {
            IpAddr::V4(address) => format!("[{address}]"),
            IpAddr::V6(address) => format!("[IPv6:{address}]"),
        };
        let reply = self.command(&format!("EHLO {name}"), 250, "EHLO").await?;
        Ok(reply.lines.into_iter().skip(1).collect())
    }

    async fn command(&mut self, command: &str, wanted: u16, what: &'static str) -> Result<Reply, Failure> {
        self.write(&format!("{command}\r\n")).await?;
        self.expect(wanted, what).await
    }

    async fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.stream.write_all(text.as_bytes()).await.map_err(later)?;
        self.stream.flush().await.map_err(later)
    }

    /// The next reply, if it has this code.
    async fn expect(&mut self, wanted: u16, what: &'static str) -> Result<Reply, Failure> {
        let mut reply = Reply { what, code: 0, lines: Vec::new() };
        loop {
            let line = self.line().await?;
            let strange = || Failure::Not(format!("{what}: the server's answer is not one: {line}"));
            let code = line.get(..3).and_then(|digits| digits.parse().ok()).ok_or_else(strange)?;
            reply.code = code;
            reply.lines.push(line.get(4..).unwrap_or_default().to_owned());
            if reply.lines.len() > MAX_LINES {
                return Err(Failure::Not(format!("{what}: the server's answer does not end")));
            }
            match line.as_bytes().get(3) {
                Some(b'-') => {}
                Some(b' ') | None => break,
                Some(_) => return Err(strange()),
            }
        }
        if reply.code == wanted { Ok(reply) } else { Err(Failure::Refused(reply)) }
    }

    async fn line(&mut self) -> Result<String, Failure> {
        loop {
            if let Some(end) = self.read.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.read.len() > MAX_LINE {
                return Err(Failure::Not("a line of the server's is too long".to_owned()));
            }
            let mut octets = [0; 1_024];
            let count = self.stream.read(&mut octets).await.map_err(later)?;
            if count == 0 {
                return Err(Failure::Not("the server closed the connection".to_owned()));
            }
            self.read.extend(octets.iter().take(count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn said(text: &str, wanted: u16) -> Result<Vec<String>, String> {
        let (near, mut far) = tokio::io::duplex(1 << 16);
        far.write_all(text.as_bytes()).await.unwrap();
        drop(far);
        let reply = Line::new(near).expect(wanted, "EHLO").await;
        reply.map(|reply| reply.lines).map_err(|failure| failure.to_string())
    }

    #[tokio::test]
    async fn replies_are_read_and_bounded() {
        let long = format!("250 {}\r\n", "x".repeat(5_000));
        let endless = "250-x\r\n".repeat(200);
        for (text, expected) in [
            ("250 ok\r\n", Ok(vec!["ok"])),
            ("250\r\n", Ok(vec![""])),
            ("250-a\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n", Ok(vec!["a", "STARTTLS", "AUTH PLAIN"])),
            ("550 5.1.1 no\r\n", Err("EHLO: the server answered 550 5.1.1 no")),
            ("hello\r\n", Err("is not one")),
            ("250x\r\n", Err("is not one")),
            ("", Err("closed the connection")),
            ("250 ok", Err("closed the connection")),
            (&long, Err("too long")),
            (&endless, Err("does not end")),
        ] {
            match (said(text, 250).await, expected) {
                (Ok(lines), Ok(expected)) => assert_eq!(lines, expected, "{text}"),
                (Err(why), Err(part)) => assert!(why.contains(part), "{text}: {why}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }

    #[tokio::test]
    async fn what_was_said_before_tls_is_not_taken_for_said_within_it() {
        let (near, mut far) = tokio::io::duplex(1_024);
        far.write_all(b"220 go on\r\n250 injected\r\n").await.unwrap();
        let mut line = Line::new(near);
        line.command("STARTTLS", 220, "STARTTLS").await.unwrap();
        assert!(line.into_inner().is_err());
    }

    #[test]
    fn dots_are_doubled() {
        assert_eq!(stuffed("a\r\n.\r\n..b\r\n"), "a\r\n..\r\n...b\r\n.\r\n");
    }
}
