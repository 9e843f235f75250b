//! Whom the directory means by the names that people bind with: what it said lately, for each spelling.
//!
//! A directory may rewrite names, or take two spellings for one entry. So it is asked after a bind whom the
//! connection is bound as (see `identify`), and the answer is kept here, so that the next bind with the same spelling
//! asks nothing. Knows neither passwords nor who may bind.

use crate::engine::Now;
use crate::engine::ldap::Dn;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// An answer is believed for so long.
pub const CONFIRMED_FOR: Duration = Duration::from_secs(5 * 60);

/// What is known of a name that somebody binds with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmed {
    /// The directory has to be asked.
    Unknown,
    /// It is the name of the entry.
    Same,
    /// The entry is called this.
    Other(Dn),
}

/// Where sessions keep what the directory said, shared by all of them.
pub trait Confirmations: std::fmt::Debug + Send + Sync {
    /// What this server said lately of a name in this spelling.
    fn look_up(&self, spelling: &Dn, server: &str, now: Now) -> Confirmed;

    /// Keeps that this server takes the spelling for the entry `name`.
    fn keep(&self, spelling: &Dn, name: &Dn, server: &Arc<str>, now: Now);
}

/// What the directory said of names; bounded.
#[derive(Debug)]
pub struct ConfirmedNames {
    names: HashMap<Box<str>, Entry>,
    most: usize,
}

#[derive(Debug)]
struct Entry {
    /// `None`: the spelling is the name.
    name: Option<Dn>,
    server: Arc<str>,
    until: Duration,
}

impl ConfirmedNames {
    /// Nothing, with room for `most` spellings.
    pub fn new(most: usize) -> ConfirmedNames {
        ConfirmedNames { names: HashMap::new(), most }
    }

    /// See [`Confirmations::look_up`].
    pub fn look_up(&self, spelling: &Dn, server: &str, now: Now) -> Confirmed {
        match self.names.get(spelling.text()) {
            Some(entry) if *entry.server == *server && now.monotonic < entry.until => {
                entry.name.clone().map_or(Confirmed::Same, Confirmed::Other)
            }
            Some(_) | None => Confirmed::Unknown,
        }
    }

    /// See [`Confirmations::keep`]. Where there is no room, what is old is forgotten, or everything.
    pub fn keep(&mut self, spelling: &Dn, name: &Dn, server: &Arc<str>, now: Now) {
        if self.names.len() >= self.most {
            self.names.retain(|_, entry| now.monotonic < entry.until);
            if self.names.len() >= self.most {
                self.names.clear();
            }
        }
        let name = Some(name).filter(|name| !name.is_surely(spelling)).cloned();
        let until = now.monotonic.saturating_add(CONFIRMED_FOR);
        self.names.insert(spelling.text().into(), Entry { name, server: Arc::clone(server), until });
    }

    /// Forgets everything: the directory, or what it calls its attributes, may be another now.
    pub fn clear(&mut self) {
        self.names.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn at(seconds: u64) -> Now {
        Now { wall: DateTime::UNIX_EPOCH, monotonic: Duration::from_secs(seconds) }
    }

    fn dn(text: &str) -> Dn {
        text.parse().unwrap()
    }

    #[test]
    fn a_spelling_is_known_for_a_while_at_the_server_that_was_asked() {
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let mut names = ConfirmedNames::new(4);
        let (alice, virtual_alice) = (dn("uid=alice,dc=x"), dn("uid=alice,dc=virtual"));
        names.keep(&alice, &dn("UID=Alice,DC=X"), &one, at(100));
        names.keep(&virtual_alice, &alice, &one, at(100));
        assert_eq!(names.look_up(&alice, &one, at(399)), Confirmed::Same);
        assert_eq!(names.look_up(&virtual_alice, &one, at(399)), Confirmed::Other(alice.clone()));
        for (spelling, server, when) in
            [("uid=alice,dc=x", &one, 400), ("uid=alice,dc=x", &other, 101), ("uid=Alice,dc=x", &one, 101)]
        {
            assert_eq!(names.look_up(&dn(spelling), server, at(when)), Confirmed::Unknown, "{spelling} {when}");
        }
        names.clear();
        assert_eq!(names.look_up(&alice, &one, at(101)), Confirmed::Unknown);
    }

    #[test]
    fn only_so_many_spellings_are_kept() {
        let server: Arc<str> = "one".into();
        let mut names = ConfirmedNames::new(8);
        for n in 0..1_000 {
            let name = dn(&format!("uid=u{n},dc=x"));
            names.keep(&name, &name, &server, at(n));
            assert!(names.names.len() <= 8);
            assert_eq!(names.look_up(&name, &server, at(n)), Confirmed::Same);
        }
    }
}
