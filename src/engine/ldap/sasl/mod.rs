//! SASL mechanisms (RFC 4422) as far as a gate must know them: their names, and what the client's
//! messages say of security layers, channel binding and other identities. Checks no password.

mod digest;
mod gssapi;

/// A mechanism that can be passed, step by step, or served here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it; the RFC is named beside each")]
pub enum Mechanism {
    External,    // RFC 4422 A: served here
    Plain,       // RFC 4616
    Login,       // draft-murchison-sasl-login
    CramMd5,     // RFC 2195
    DigestMd5,   // RFC 2831
    ScramSha1,   // RFC 5802
    ScramSha224, // as RFC 7677
    ScramSha256, // RFC 7677
    ScramSha384, // as RFC 7677
    ScramSha512, // as RFC 7677
    Gssapi,      // RFC 4752
    GssSpnego,   // MS-ADTS 5.1.1.1
}

/// A set of mechanisms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mechanisms(u16);

/// What one message of the client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Said {
    /// It chooses: no security layer.
    pub no_layer: bool,
    /// It asks to act as somebody else than the one who authenticates.
    pub authorization: bool,
}

/// Why a message of the client must not be passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// What comes after the bind would be signed or encrypted, and could not be decided upon.
    #[error("SASL security layers are not available here, TLS is there already: ask for none (OpenLDAP: -O maxssf=0)")]
    Layer,
    /// What it chooses cannot be seen.
    #[error("this SASL message cannot be read")]
    Unreadable,
    /// The TLS connection that it would be bound to ends here.
    #[error("SASL channel binding is not possible through here")]
    ChannelBinding,
}

impl Mechanism {
    /// Every one.
    pub const ALL: [Mechanism; 12] = [
        Mechanism::External,
        Mechanism::Plain,
        Mechanism::Login,
        Mechanism::CramMd5,
        Mechanism::DigestMd5,
        Mechanism::ScramSha1,
        Mechanism::ScramSha224,
        Mechanism::ScramSha256,
        Mechanism::ScramSha384,
        Mechanism::ScramSha512,
        Mechanism::Gssapi,
        Mechanism::GssSpnego,
    ];

    /// By its name, in any case: some clients do not write it as RFC 4422 does.
    pub fn named(name: &[u8]) -> Option<Mechanism> {
        Mechanism::ALL.into_iter().find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// As RFC 4422 writes it.
    pub fn name(self) -> &'static str {
        let log = self.authentication();
        log.split_once(':').map_or(log, |(_, name)| name)
    }

    /// What the log calls it.
    pub fn authentication(self) -> &'static str {
        match self {
            Mechanism::External => "sasl:EXTERNAL",
            Mechanism::Plain => "sasl:PLAIN",
            Mechanism::Login => "sasl:LOGIN",
            Mechanism::CramMd5 => "sasl:CRAM-MD5",
            Mechanism::DigestMd5 => "sasl:DIGEST-MD5",
            Mechanism::ScramSha1 => "sasl:SCRAM-SHA-1",
            Mechanism::ScramSha224 => "sasl:SCRAM-SHA-224",
            Mechanism::ScramSha256 => "sasl:SCRAM-SHA-256",
            Mechanism::ScramSha384 => "sasl:SCRAM-SHA-384",
            Mechanism::ScramSha512 => "sasl:SCRAM-SHA-512",
            Mechanism::Gssapi => "sasl:GSSAPI",
            Mechanism::GssSpnego => "sasl:GSS-SPNEGO",
        }
    }

    /// Whether the client chooses a security layer in a message that can be read: it must have
    /// chosen none before the directory says success.
    pub fn chooses_layer(self) -> bool {
        match self {
            Mechanism::DigestMd5 | Mechanism::Gssapi => true,
            // What GSS-SPNEGO agrees on is encrypted: what follows tells, for it is no LDAP.
            Mechanism::GssSpnego
            | Mechanism::External
            | Mechanism::Plain
            | Mechanism::Login
            | Mechanism::CramMd5
            | Mechanism::ScramSha1
            | Mechanism::ScramSha224
            | Mechanism::ScramSha256
            | Mechanism::ScramSha384
            | Mechanism::ScramSha512 => false,
        }
    }

    /// Reads a message of the client.
    ///
    /// # Errors
    /// It must not be passed: it chooses what cannot be enforced, or cannot be read.
    pub fn read(self, credentials: &[u8]) -> Result<Said, StepError> {
        match self {
            Mechanism::DigestMd5 => digest::read(credentials),
            Mechanism::Gssapi => gssapi::read(credentials),
            // RFC 4616 2: [authzid] NUL authcid NUL passwd.
            Mechanism::Plain => {
                Ok(Said { authorization: credentials.first().is_some_and(|first| *first != 0), ..Said::default() })
            }
            Mechanism::ScramSha1
            | Mechanism::ScramSha224
            | Mechanism::ScramSha256
            | Mechanism::ScramSha384
            | Mechanism::ScramSha512 => scram(credentials),
            Mechanism::External | Mechanism::Login | Mechanism::CramMd5 | Mechanism::GssSpnego => Ok(Said::default()),
        }
    }

    /// A challenge of the directory without the security layers in it, where it offers any in a way
    /// that can be changed: clients take the strongest that they are offered. `None`: nothing to change.
    pub fn without_layers(self, challenge: &[u8]) -> Option<Vec<u8>> {
        (self == Mechanism::DigestMd5).then(|| digest::without_layers(challenge)).flatten()
    }

    /// Whether a challenge proves that the directory found the password right, before the bind's end.
    pub fn proves_password(self, challenge: &[u8]) -> bool {
        match self {
            Mechanism::DigestMd5 => digest::proves_password(challenge),
            // RFC 5802 7: server-final-message.
            Mechanism::ScramSha1
            | Mechanism::ScramSha224
            | Mechanism::ScramSha256
            | Mechanism::ScramSha384
            | Mechanism::ScramSha512 => challenge.starts_with(b"v="),
            // The ticket was had from elsewhere, with the password or without.
            Mechanism::Gssapi | Mechanism::GssSpnego => false,
            Mechanism::External | Mechanism::Plain | Mechanism::Login | Mechanism::CramMd5 => false,
        }
    }
}

/// RFC 5802 7: the client's first message begins with the GS2 header, `n,` or `y,` or `p=…,` and an
/// authorization identity `a=…`.
fn scram(credentials: &[u8]) -> Result<Said, StepError> {
    let mut parts = credentials.split(|octet| *octet == b',');
    match parts.next() {
        Some(b"n" | b"y") => {
            let authorization = parts.next().is_some_and(|part| !part.is_empty());
            Ok(Said { authorization, ..Said::default() })
        }
        Some(first) if first.starts_with(b"p=") => Err(StepError::ChannelBinding),
        // The second message, or none yet.
        Some(_) | None => Ok(Said::default()),
    }
}

impl Mechanisms {
    /// All of them.
    pub fn all() -> Mechanisms {
        Mechanism::ALL.into_iter().collect()
    }

    /// Whether one is in the set.
    pub fn contains(self, mechanism: Mechanism) -> bool {
        self.0 & bit(mechanism) != 0
    }

    /// The set without this one.
    #[must_use]
    pub fn without(self, mechanism: Mechanism) -> Mechanisms {
        Mechanisms(self.0 & !bit(mechanism))
    }
}

fn bit(mechanism: Mechanism) -> u16 {
    1 << mechanism as u16
}

impl FromIterator<Mechanism> for Mechanisms {
    fn from_iter<I: IntoIterator<Item = Mechanism>>(mechanisms: I) -> Mechanisms {
        Mechanisms(mechanisms.into_iter().fold(0, |set, mechanism| set | bit(mechanism)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mechanisms_are_known_by_name() {
        for mechanism in Mechanism::ALL {
            assert_eq!(Mechanism::named(mechanism.name().as_bytes()), Some(mechanism));
            assert!(Mechanisms::all().contains(mechanism));
            assert!(!Mechanisms::all().without(mechanism).contains(mechanism));
        }
        assert_eq!(Mechanism::named(b"scram-sha-256"), Some(Mechanism::ScramSha256));
        // Channel binding, several things that are not passed, and nothing.
        for name in [&b"SCRAM-SHA-256-PLUS"[..], b"GS2-KRB5-PLUS", b"ANONYMOUS", b"NTLM", b"OTP", b"", b"PLAIN "] {
            assert_eq!(Mechanism::named(name), None);
        }
    }

    #[test]
    fn what_clients_say_is_read() {
        let said = |authorization| Ok(Said { authorization, no_layer: false });
        for (mechanism, message, expected) in [
            (Mechanism::Plain, &b"\0alice\0secret"[..], said(false)),
            (Mechanism::Plain, b"dn:uid=bob\0alice\0secret", said(true)),
            (Mechanism::Plain, b"", said(false)),
            (Mechanism::ScramSha256, b"n,,n=alice,r=x", said(false)),
            (Mechanism::ScramSha256, b"y,,n=alice,r=x", said(false)),
            (Mechanism::ScramSha256, b"n,a=bob,n=alice,r=x", said(true)),
            (Mechanism::ScramSha256, b"p=tls-unique,,n=alice,r=x", Err(StepError::ChannelBinding)),
            (Mechanism::ScramSha256, b"c=biws,r=x,p=y", said(false)),
            (Mechanism::ScramSha256, b"", said(false)),
            (Mechanism::GssSpnego, b"\x60", said(false)),
        ] {
            assert_eq!(mechanism.read(message), expected, "{mechanism:?} {}", message.escape_ascii());
        }
    }
}
