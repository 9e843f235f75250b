//! Who acted, and what happened to a request or a grant: the part of both that is never changed.

use crate::engine::ldap::Dn;
use crate::engine::ldap::dn::Naming;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What `by` says when time or the configuration did it.
pub const TIDEGATE: &str = "tidegate";

/// One person, as one door knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Their DN, where the door leads to one.
    #[serde(with = "dn_text::option", default, skip_serializing_if = "Option::is_none")]
    pub dn: Option<Dn>,
    /// The user of this machine; only at the control socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_user: Option<String>,
    /// The subject of their client certificate; only at the control port over TLS.
    #[serde(with = "dn_text::boxed", default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Box<Dn>>,
}

impl Identity {
    /// Somebody of whom only the DN is known.
    pub fn of_dn(dn: Dn) -> Identity {
        Identity { dn: Some(dn), ..Identity::default() }
    }

    /// Whether this may be the person that the directory knows as `dn` (some directory would
    /// take the names for one), names read as `naming` says.
    pub fn may_be(&self, dn: &Dn, naming: &Naming) -> bool {
        self.dn.as_ref().is_some_and(|own| own.resolved(naming).may_be(&dn.resolved(naming)))
    }

    /// Whether this is that person to every directory, names read as `naming` says.
    pub fn is_surely(&self, dn: &Dn, naming: &Naming) -> bool {
        self.dn.as_ref().is_some_and(|own| own.resolved(naming).is_surely(&dn.resolved(naming)))
    }
}

/// The DN; without one, `local:` and the user's name, or `certificate:` and its subject.
impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.dn, &self.local_user, &self.certificate) {
            (Some(dn), _, _) => f.write_str(dn.text()),
            (None, Some(user), _) => write!(f, "local:{user}"),
            (None, None, Some(subject)) => write!(f, "certificate:{subject}"),
            (None, None, None) => f.write_str("nobody"),
        }
    }
}

/// Who does something, under which name, from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// In whose name it is done.
    pub acts: Identity,
    /// Who really does it, when that is somebody else (`act_as`).
    pub really: Option<Identity>,
    /// From where: `local` or an address.
    pub from: String,
    /// Whether who really does it has shown their second factor lately.
    pub second_factor: bool,
}

impl Actor {
    /// Somebody who acts under their own name.
    pub fn own(identity: Identity, from: &str) -> Actor {
        Actor { acts: identity, really: None, from: from.to_owned(), second_factor: false }
    }

    /// The name to record as who did it: the real one.
    pub fn by(&self) -> String {
        self.really.as_ref().unwrap_or(&self.acts).to_string()
    }

    /// The name that was acted as, when it is not the real one.
    pub fn acting_as(&self) -> Option<String> {
        self.really.as_ref().map(|_| self.acts.to_string())
    }
}

/// The kinds of things that happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Happened {
    /// A request was made.
    Requested,
    /// One person approved a request.
    Approved,
    /// One person denied it.
    Denied,
    /// Who asked took it back.
    Cancelled,
    /// Nobody decided in time.
    Lapsed,
    /// A stage did not decide in its time: the next one does.
    Escalated,
    /// A grant came of it.
    Granted,
    /// A grant began to open.
    Activated,
    /// Its holder was told that it is about to end.
    Warned,
    /// Its time was over.
    Expired,
    /// Its holder was done.
    Released,
    /// Somebody else, or the configuration, ended it.
    Revoked,
    /// An auditor has seen what was done with a break-glass grant.
    #[serde(rename = "signed-off")]
    SignedOff,
    /// A subject was locked.
    Locked,
    /// A lock was lifted.
    Unlocked,
}

impl Happened {
    /// The word for records.
    pub fn word(self) -> &'static str {
        match self {
            Happened::Requested => "requested",
            Happened::Approved => "approved",
            Happened::Denied => "denied",
            Happened::Cancelled => "cancelled",
            Happened::Lapsed => "lapsed",
            Happened::Escalated => "escalated",
            Happened::Granted => "granted",
            Happened::Activated => "activated",
            Happened::Warned => "warned",
            Happened::Expired => "expired",
            Happened::Released => "released",
            Happened::Revoked => "revoked",
            Happened::SignedOff => "signed-off",
            Happened::Locked => "locked",
            Happened::Unlocked => "unlocked",
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What.
    pub what: Happened,
    /// Who really did it.
    pub by: String,
    /// The subject that they acted as, if another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting_as: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// From where: `local`, an address, or `tidegate`.
    pub from: String,
    /// Why, as somebody typed it or as Tidegate says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The record's revision before; 0 when there was none.
    pub before: u64,
    /// And after.
    pub after: u64,
}

impl Entry {
    /// Something that a person did, which moved the record on from revision `before`.
    pub fn by(what: Happened, actor: &Actor, at: DateTime<Utc>, reason: Option<&str>, before: u64) -> Entry {
        Entry {
            what,
            by: actor.by(),
            acting_as: actor.acting_as(),
            at,
            from: actor.from.clone(),
            reason: reason.map(str::to_owned),
            before,
            after: before.saturating_add(1),
        }
    }

    /// Something that time or the configuration did.
    pub fn by_itself(what: Happened, at: DateTime<Utc>, reason: Option<&str>, before: u64) -> Entry {
        Entry {
            what,
            by: TIDEGATE.to_owned(),
            acting_as: None,
            at,
            from: TIDEGATE.to_owned(),
            reason: reason.map(str::to_owned),
            before,
            after: before.saturating_add(1),
        }
    }
}

/// DNs in records: as text, which must parse when it is read.
pub mod dn_text {
    use crate::engine::ldap::Dn;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// Writes the text.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(dn: &Dn, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(dn.text())
    }

    /// Reads the text.
    ///
    /// # Errors
    /// It is not a DN.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Dn, D::Error> {
        let text = String::deserialize(deserializer)?;
        Dn::parse(text.as_bytes()).map_err(D::Error::custom)
    }

    /// The same for one that is mostly missing.
    pub mod boxed {
        use super::{Deserializer, Dn, Serializer, option};

        /// Writes the text or nothing.
        ///
        /// # Errors
        /// The serializer's.
        pub fn serialize<S: Serializer>(dn: &Option<Box<Dn>>, serializer: S) -> Result<S::Ok, S::Error> {
            match dn {
                Some(dn) => serializer.serialize_some(dn.text()),
                None => serializer.serialize_none(),
            }
        }

        /// Reads the text or nothing.
        ///
        /// # Errors
        /// It is not a DN.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<Dn>>, D::Error> {
            Ok(option::deserialize(deserializer)?.map(Box::new))
        }
    }

    /// The same for one that may be missing.
    pub mod option {
        use super::{Deserializer, Dn, Serializer};
        use serde::{Deserialize as _, de::Error as _};

        /// Writes the text or nothing.
        ///
        /// # Errors
        /// The serializer's.
        pub fn serialize<S: Serializer>(dn: &Option<Dn>, serializer: S) -> Result<S::Ok, S::Error> {
            match dn {
                Some(dn) => serializer.serialize_some(dn.text()),
                None => serializer.serialize_none(),
            }
        }

        /// Reads the text or nothing.
        ///
        /// # Errors
        /// It is not a DN.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Dn>, D::Error> {
            let text: Option<String> = Option::deserialize(deserializer)?;
            text.map(|text| Dn::parse(text.as_bytes()).map_err(D::Error::custom)).transpose()
        }
    }
}
