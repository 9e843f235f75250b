//! The entries of the built-in directory, in memory: what each operation does to them.
//!
//! Knows nothing of connections. Everybody who is bound may do everything here: it is the gate in
//! front that protects.

use super::entry::{Attribute, Entry, Fault, rdn_parts};
use super::filter::matches;
use super::ldif::{self, LdifError};
use crate::engine::ldap::Dn;
use ldap3_proto::proto::{LdapFilter, LdapModify, LdapModifyDNRequest, LdapResultCode, LdapSearchScope};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Why an LDIF cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It is not LDIF.
    #[error(transparent)]
    Ldif(#[from] LdifError),
    /// An entry cannot be added.
    #[error("LDIF entry {dn}: {message}")]
    Entry {
        /// Which.
        dn: String,
        /// Why not.
        message: String,
    },
}

/// The directory's content. Keys are those of the names, so that what is below an entry stands behind it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    entries: BTreeMap<Box<[u8]>, Entry>,
    /// Entries that need no parent.
    suffixes: Vec<Dn>,
}

impl Tree {
    /// Reads an LDIF. Its first entry is the suffix.
    pub(super) fn load(text: &str) -> Result<Tree, LoadError> {
        let mut tree = Tree::default();
        for entry in ldif::parse(text)? {
            let wrong = |message: &str| LoadError::Entry { dn: entry.dn.clone(), message: message.to_owned() };
            if tree.suffixes.is_empty() {
                tree.suffixes.push(Dn::parse(entry.dn.as_bytes()).map_err(|error| wrong(&error.to_string()))?);
            }
            let mut attributes: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
            for (name, value) in &entry.attributes {
                match attributes.iter_mut().find(|(known, _)| known == name) {
                    Some((_, values)) => values.push(value.clone()),
                    None => attributes.push((name.clone(), vec![value.clone()])),
                }
            }
            tree.add(&entry.dn, &attributes).map_err(|fault| wrong(&format!("{:?} {}", fault.code, fault.message)))?;
        }
        Ok(tree)
    }

    pub(super) fn suffixes(&self) -> &[Dn] {
        &self.suffixes
    }

    /// The entry of this name, or why there is none.
    pub(super) fn find(&self, name: &str) -> Result<&Entry, Fault> {
        let dn = parse(name)?;
        self.entries.get(dn.key()).ok_or_else(|| self.no_such(&dn))
    }

    fn no_such(&self, dn: &Dn) -> Fault {
        let above = std::iter::successors(dn.parent(), Dn::parent).find_map(|dn| self.entries.get(dn.key()));
        let matched = above.map_or("", |entry| entry.dn.text()).to_owned();
        Fault { matched, ..Fault::new(LdapResultCode::NoSuchObject, "") }
    }

    /// The name that is bound, if the password is the entry's. Says nothing of why it is not.
    pub(super) fn bind(&self, name: &str, password: &str) -> Option<Dn> {
        let entry = self.find(name).ok()?;
        let right = entry.values("userPassword").iter().any(|value| value == password.as_bytes());
        right.then(|| entry.dn.clone())
    }

    /// What a search finds, parents before children.
    pub(super) fn search(
        &self,
        base: &str,
        scope: &LdapSearchScope,
        filter: &LdapFilter,
    ) -> Result<Vec<&Entry>, Fault> {
        let base = parse(base)?;
        if !base.is_root() && !self.entries.contains_key(base.key()) {
            return Err(self.no_such(&base));
        }
        let within = self.below(&base).filter(|entry| match scope {
            LdapSearchScope::Base => entry.dn.depth() == base.depth(),
            LdapSearchScope::OneLevel => entry.dn.depth() == base.depth() + 1,
            LdapSearchScope::Subtree => true,
            LdapSearchScope::Children => entry.dn.depth() > base.depth(),
        });
        Ok(within.filter(|entry| matches(filter, entry) == Some(true)).collect())
    }

    /// An entry and everything below it.
    fn below<'a>(&'a self, base: &Dn) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let base = base.clone();
        let from_here = self.entries.range::<[u8], _>((Bound::Included(base.key()), Bound::Unbounded));
        from_here.map(|(_, entry)| entry).take_while(move |entry| entry.dn.is_within(&base))
    }

    pub(super) fn has_children(&self, dn: &Dn) -> bool {
        self.below(dn).nth(1).is_some()
    }

    pub(super) fn compare(&self, name: &str, attribute: &str, value: &[u8]) -> Result<bool, Fault> {
        let entry = self.find(name)?;
        if entry.values(attribute).is_empty() {
            return Err(Fault::new(LdapResultCode::NoSuchAttribute, attribute));
        }
        Ok(entry.has(attribute, value))
    }

    pub(super) fn add(&mut self, name: &str, attributes: &[(String, Vec<Vec<u8>>)]) -> Result<(), Fault> {
        let dn = parse(name)?;
        if self.entries.contains_key(dn.key()) {
            return Err(Fault::new(LdapResultCode::EntryAlreadyExists, ""));
        }
        let parent = dn.parent().is_some_and(|parent| self.entries.contains_key(parent.key()));
        if !parent && !self.suffixes.contains(&dn) {
            return Err(self.no_such(&dn));
        }
        let mut entry = Entry { dn, attributes: Vec::new() };
        for (name, values) in attributes {
            entry.add(name, values)?;
        }
        // Naming values may be left out (RFC 4511 4.7).
        for (name, value) in rdn_parts(entry.dn.text()) {
            if !entry.has(&name, &value) {
                entry.add(&name, &[value])?;
            }
        }
        entry.modify(&[])?;
        self.entries.insert(entry.dn.key().into(), entry);
        Ok(())
    }

    /// All changes or none (RFC 4511 4.6).
    pub(super) fn modify(&mut self, name: &str, changes: &[LdapModify]) -> Result<(), Fault> {
        let mut changed = self.find(name)?.clone();
        changed.modify(changes)?;
        self.entries.insert(changed.dn.key().into(), changed);
        Ok(())
    }

    /// `with_children`: the tree-delete control.
    pub(super) fn delete(&mut self, name: &str, with_children: bool) -> Result<(), Fault> {
        let dn = self.find(name)?.dn.clone();
        if !with_children && self.has_children(&dn) {
            return Err(Fault::new(LdapResultCode::NotAllowedOnNonLeaf, "the entry has children"));
        }
        self.entries.retain(|_, entry| !entry.dn.is_within(&dn));
        Ok(())
    }

    pub(super) fn rename(&mut self, request: &LdapModifyDNRequest) -> Result<(), Fault> {
        let mut entry = self.find(&request.dn)?.clone();
        let old = entry.dn.clone();
        let parent = match &request.new_superior {
            Some(parent) => self.find(parent)?.dn.clone(),
            None => old.parent().unwrap_or_else(Dn::root),
        };
        if parent.is_within(&old) {
            return Err(Fault::new(LdapResultCode::UnwillingToPerform, "an entry cannot move below itself"));
        }
        let rdn = parse(&request.newrdn)?;
        if rdn.depth() != 1 {
            return Err(Fault::new(LdapResultCode::InvalidDNSyntax, "the new RDN is not one"));
        }
        let new = Dn::join(&rdn, &parent);
        if new != old && self.entries.contains_key(new.key()) {
            return Err(Fault::new(LdapResultCode::EntryAlreadyExists, ""));
        }
        let named: Vec<_> = rdn_parts(new.text());
        if request.deleteoldrdn {
            for (name, value) in rdn_parts(old.text()) {
                entry.remove(&name, &[value])?;
            }
        }
        for (name, value) in named {
            if !entry.has(&name, &value) {
                entry.add(&name, &[value])?;
            }
        }
        let moved: Vec<Entry> = self.below(&old).skip(1).cloned().collect();
        self.entries.retain(|_, entry| !entry.dn.is_within(&old));
        entry.dn = new.clone();
        for mut entry in std::iter::once(entry).chain(moved.into_iter().map(|entry| below(entry, &old, &new))) {
            entry.attributes.retain(|attribute| !attribute.values.is_empty());
            self.entries.insert(entry.dn.key().into(), entry);
        }
        Ok(())
    }

    pub(super) fn set_password(&mut self, name: &str, old: Option<&str>, new: &str) -> Result<(), Fault> {
        let mut entry = self.find(name)?.clone();
        if old.is_some_and(|old| self.bind(name, old).is_none()) {
            return Err(Fault::new(LdapResultCode::UnwillingToPerform, "the old password is not the right one"));
        }
        entry.attributes.retain(|attribute| super::entry::canonical(&attribute.name) != "userpassword");
        entry.attributes.push(Attribute { name: "userPassword".to_owned(), values: vec![new.as_bytes().to_vec()] });
        self.entries.insert(entry.dn.key().into(), entry);
        Ok(())
    }
}

/// An entry below `old`, now below `new`.
fn below(mut entry: Entry, old: &Dn, new: &Dn) -> Entry {
    let mut rdns: Vec<Dn> = std::iter::successors(Some(entry.dn.clone()), Dn::parent)
        .take(entry.dn.depth() - old.depth())
        .filter_map(|dn| {
            let above = dn.parent()?.text().len();
            let own = dn.text().get(..dn.text().len() - above)?.trim_end_matches(',');
            Dn::parse(own.as_bytes()).ok()
        })
        .collect();
    rdns.reverse();
    entry.dn = rdns.iter().fold(new.clone(), |parent, rdn| Dn::join(rdn, &parent));
    entry
}

fn parse(name: &str) -> Result<Dn, Fault> {
    Dn::parse(name.as_bytes()).map_err(|error| Fault::new(LdapResultCode::InvalidDNSyntax, &error.to_string()))
}
