//! Takes out of a dereference control's answer (draft-masarati-ldap-deref) what it tells of entries that are
//! hidden. The name by which it came to an entry stands in the visible one, and stays: by the draft it says
//! neither that the entry exists nor that it may be read.

use super::Redaction;
use crate::engine::ldap::ber::{self, BerError, Reader, universal};
use crate::engine::ldap::control::{self, Control, oid};
use crate::engine::ldap::entry::Entry;
use crate::engine::ldap::request::Attribute;
use crate::engine::policy::Policy;

const VALUES: u8 = 0xa0;

impl Redaction {
    /// The content of an answer's controls element without what is hidden; `None`: nothing was. What cannot be read
    /// could be anything, and is left out.
    pub fn rewrite_dereferenced(&self, policy: &Policy, controls: &[u8]) -> Option<Vec<u8>> {
        let Ok(mut all) = control::decode_controls(controls) else { return Some(Vec::new()) };
        let position = all.iter().position(|control| control.oid == oid::DEREFERENCE)?;
        let answer = all.get(position).and_then(|control| control.value).unwrap_or_default();
        match rewrite_answer(self, policy, answer) {
            Ok(None) => return None,
            Ok(Some(value)) => {
                let mut out = Vec::new();
                let rewritten = all.iter().map(|control| match control.oid {
                    oid::DEREFERENCE => Control { value: Some(&value), ..*control },
                    _ => *control,
                });
                control::write_controls(&mut out, &rewritten.collect::<Vec<_>>());
                return Some(out);
            }
            Err(_) => {
                all.remove(position);
            }
        }
        let mut out = Vec::new();
        control::write_controls(&mut out, &all);
        Some(out)
    }
}

/// What is told of one entry.
struct Told<'a> {
    source: &'a [u8],
    name: &'a [u8],
    attributes: Vec<Attribute<'a>>,
}

fn rewrite_answer(redaction: &Redaction, policy: &Policy, value: &[u8]) -> Result<Option<Vec<u8>>, BerError> {
    let mut outside = Reader::new(value);
    let mut inside = outside.sequence()?;
    outside.finish()?;
    let (mut all, mut changed) = (Vec::new(), false);
    while !inside.is_empty() {
        let mut told = told(inside.sequence()?)?;
        let before = told.attributes.len();
        match redaction.view_of(policy, told.name) {
            Some(view) => told.attributes.retain(|found| view.shows(found.description, policy.schema())),
            None => told.attributes.clear(),
        }
        changed |= told.attributes.len() != before;
        all.push(told);
    }
    Ok(changed.then(|| {
        let mut out = Vec::new();
        ber::write_constructed(&mut out, universal::SEQUENCE, |out| all.iter().for_each(|told| told.write(out)));
        out
    }))
}

fn told(mut one: Reader<'_>) -> Result<Told<'_>, BerError> {
    let (source, name) = (one.octets()?, one.octets()?);
    let values = one.optional(VALUES)?;
    one.finish()?;
    let attributes = values.map_or(Ok(Vec::new()), Entry::decode_attributes)?;
    Ok(Told { source, name, attributes })
}

impl Told<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        ber::write_constructed(out, universal::SEQUENCE, |out| {
            ber::write_octets(out, self.source);
            ber::write_octets(out, self.name);
            // Without attributes the element is left out.
            if !self.attributes.is_empty() {
                ber::write_constructed(out, VALUES, |out| Entry::write_attributes(&self.attributes, out));
            }
        });
    }
}
