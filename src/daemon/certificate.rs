//! Whom a certificate names: its subject (RFC 5280 4.1.2.6) as a DN, read from DER that rustls has
//! already verified. Reads as far as the subject, and nothing that it does not understand.

use super::gate::Gate;
use crate::config::CertificateSubject;
use crate::engine::ldap::Dn;
use crate::engine::session::{Certificate, Session};
use crate::engine::workflow::authority::subject_by;
use rustls::ServerConnection;

/// ASN.1 tags that are met on the way.
const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;

/// The subject of a certificate: last RDN first, as RFC 4514 writes names. `None`: it has none, or
/// one with values that are not text.
pub fn subject(certificate: &[u8]) -> Option<Dn> {
    let (dn, _) = subject_and_values(certificate)?;
    Some(dn)
}

/// The value of the one attribute of that name in the subject: `None` when there is none, or
/// several.
pub fn subject_value(certificate: &[u8], attribute: &str) -> Option<String> {
    let (_, values) = subject_and_values(certificate)?;
    let mut found = values.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case(attribute));
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value),
        (Some(_) | None, _) => None,
    }
}

/// Whom a certificate stands for by a pattern: its subject as it is, or a name with one attribute of it.
pub fn name_by(pattern: &str, certificate: &[u8]) -> Option<Dn> {
    if pattern == CertificateSubject::WHOLE {
        return subject(certificate);
    }
    let (_, rest) = pattern.split_once('{')?;
    let (attribute, _) = rest.split_once('}')?;
    let value = subject_value(certificate, attribute)?;
    subject_by(pattern, &format!("{{{attribute}}}"), &value)
}

/// Tells a session of its handshake: how it is protected, and what the client showed. Only a certificate
/// that was verified comes this far.
pub fn introduce(session: &mut Session, gate: &Gate, connection: &ServerConnection) {
    session.tls_established(super::tls::describe(connection));
    let Some(shown) = connection.peer_certificates().and_then(|chain| chain.first()) else { return };
    let pattern = gate.certificate_subject.load();
    let pattern = pattern.as_deref().unwrap_or(CertificateSubject::WHOLE);
    session.client_certificate(Certificate {
        subject: subject(shown).ok_or("the client certificate has no subject that is text"),
        name: name_by(pattern, shown)
            .ok_or("the client certificate does not have exactly one of what certificate_subject names"),
    });
}

/// When a certificate expires (RFC 5280 4.1.2.5), in seconds since 1970.
pub fn expires(certificate: &[u8]) -> Option<i64> {
    let mut outer = Der(certificate).take(SEQUENCE)?;
    let mut tbs = outer.take(SEQUENCE)?;
    if tbs.peek() == Some(VERSION) {
        tbs.take(VERSION)?;
    }
    tbs.take(INTEGER)?;
    // Signature algorithm, issuer.
    tbs.take(SEQUENCE)?;
    tbs.take(SEQUENCE)?;
    let mut validity = tbs.take(SEQUENCE)?;
    validity.any()?;
    let (tag, text) = validity.any()?;
    let text = std::str::from_utf8(text).ok()?;
    let text = match tag {
        GENERALIZED_TIME => text.to_owned(),
        // Of two digits, 50 and more are of the century before.
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        _ => return None,
    };
    let moment = chrono::NaiveDateTime::parse_from_str(&text, "%Y%m%d%H%M%SZ").ok()?;
    Some(moment.and_utc().timestamp())
}

type Values = Vec<(String, String)>;

fn subject_and_values(certificate: &[u8]) -> Option<(Dn, Values)> {
    let mut outer = Der(certificate).take(SEQUENCE)?;
    let mut tbs = outer.take(SEQUENCE)?;
    if tbs.peek() == Some(VERSION) {
        tbs.take(VERSION)?;
    }
    tbs.take(INTEGER)?;
    // Signature algorithm, issuer, validity.
    for _ in 0..3 {
        tbs.take(SEQUENCE)?;
    }
    let mut names = tbs.take(SEQUENCE)?;
    let mut values = Vec::new();
    let mut rdns = Vec::new();
    while !names.0.is_empty() {
        let mut rdn = names.take(SET)?;
        let mut parts = Vec::new();
        while !rdn.0.is_empty() {
            let mut part = rdn.take(SEQUENCE)?;
            let name = attribute_name(part.take(OID)?.0)?;
            let (tag, content) = part.any()?;
            let value = match tag {
                UTF8_STRING | PRINTABLE_STRING | IA5_STRING => std::str::from_utf8(content).ok()?,
                _ => return None,
            };
            // Every octet in hexadecimal: nothing in it can end the value (RFC 4514 2.4).
            let escaped: String = value.bytes().map(|octet| format!("\\{octet:02x}")).collect();
            parts.push(format!("{name}={escaped}"));
            values.push((name, value.to_owned()));
        }
        rdns.push(parts.join("+"));
    }
    rdns.reverse();
    let dn = Dn::parse(rdns.join(",").as_bytes()).ok().filter(|dn| !dn.is_root())?;
    Some((dn, values))
}

/// The names that RFC 4514 3 gives to attributes; others by their OID.
fn attribute_name(oid: &[u8]) -> Option<String> {
    let name = match oid {
        [0x55, 0x04, 0x03] => "cn",
        [0x55, 0x04, 0x04] => "sn",
        [0x55, 0x04, 0x05] => "serialNumber",
        [0x55, 0x04, 0x06] => "c",
        [0x55, 0x04, 0x07] => "l",
        [0x55, 0x04, 0x08] => "st",
        [0x55, 0x04, 0x09] => "street",
        [0x55, 0x04, 0x0a] => "o",
        [0x55, 0x04, 0x0b] => "ou",
        [0x55, 0x04, 0x2a] => "givenName",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01] => "uid",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19] => "dc",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01] => "emailAddress",
        other => return dotted(other),
    };
    Some(name.to_owned())
}

/// X.690 8.19.
fn dotted(oid: &[u8]) -> Option<String> {
    let mut arcs: Vec<u64> = Vec::new();
    let mut arc = 0u64;
    for octet in oid {
        arc = arc.checked_mul(128)?.checked_add(u64::from(octet & 0x7f))?;
        if octet & 0x80 == 0 {
            arcs.push(std::mem::take(&mut arc));
        }
    }
    let (first, rest) = arcs.split_first()?;
    let top = (first / 40).min(2);
    let mut text = format!("{top}.{}", first - top * 40);
    text.extend(rest.iter().map(|arc| format!(".{arc}")));
    Some(text)
}

/// What is left of some DER.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn take(&mut self, tag: u8) -> Option<Der<'a>> {
        let (found, content) = self.any()?;
        (found == tag).then_some(Der(content))
    }

    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (
                    octets
                        .iter()
                        .try_fold(0usize, |length, octet| length.checked_mul(256)?.checked_add(usize::from(*octet)))?,
                    rest,
                )
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    fn certificate(names: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in names {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate").der().to_vec()
    }

    fn uid() -> DnType {
        DnType::CustomDnType(vec![0, 9, 2342, 19200300, 100, 1, 1])
    }

    #[test]
    fn the_subject_is_read_last_part_first() {
        let der = certificate(&[
            (DnType::CountryName, "DE"),
            (DnType::OrganizationName, "Beispiel, Löhne+Söhne"),
            (uid(), "alice"),
        ]);
        let expected = Dn::parse("uid=alice,o=Beispiel\\, Löhne\\+Söhne,c=DE".as_bytes()).expect("a name");
        assert!(subject(&der).expect("a subject").is_surely(&expected), "{:?}", subject(&der));
        assert_eq!(subject_value(&der, "UID").as_deref(), Some("alice"));
        assert_eq!(subject_value(&der, "cn"), None);
    }

    #[test]
    fn what_names_nobody_or_two_is_nobody() {
        assert_eq!(subject(&certificate(&[])), None);
        let der = certificate(&[(DnType::CommonName, "alice")]);
        for cut in 0..der.len().min(120) {
            // Cut short inside the subject or before it: no answer, and no panic.
            let _ = subject(&der[..cut]);
        }
        assert_eq!(subject(b"0\x84\xff\xff\xff\xff"), None);
        assert_eq!(dotted(&[0x2a, 0x86, 0x48]).as_deref(), Some("1.2.840"));
    }
}
