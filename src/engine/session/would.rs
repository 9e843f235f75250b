//! While the mode is `monitor`: counts what enforcing would take out of a search's answer. The answer itself is passed on.
//! Knows what the decision would redact; never changes anything of the answer.

use crate::engine::access::{Permit, Snapshot};
use crate::engine::audit::record;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::ber::Reader;
use crate::engine::ldap::entry::Entry;
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::request::Request;
use crate::engine::ldap::response;
use crate::engine::ldap::schema::Schema;
use crate::engine::policy::Policy;
use crate::engine::redaction::Redaction;
use std::sync::Arc;

/// So many names of attributes are told apart; the others are only counted.
const NAMES: usize = 50;

/// What enforcing would take out of one answer.
#[derive(Debug)]
pub(super) struct Would {
    redaction: Redaction,
    policy: Arc<Policy>,
    /// What would be asked, by stage. Empty: the client's own filter.
    filters: Vec<Asked>,
    /// Entries that would not be shown.
    pub(super) withheld: u64,
    /// Attributes that would be missing from those that would be shown.
    pub(super) cut: u64,
    names: Vec<String>,
    undecided: u64,
}

/// What the directory would be asked in one stage.
#[derive(Debug)]
enum Asked {
    /// The client's own filter.
    AsItIs,
    /// This one, encoded.
    Instead(Vec<u8>),
    /// Nothing: no entry could be found.
    Nothing,
}

impl Would {
    /// Of a search that is permitted because nothing is enforced; `None` where enforcing would take nothing out.
    pub(super) fn of(permit: &Permit, request: &Request<'_>, snapshot: &Snapshot) -> Option<Box<Would>> {
        let (Some(redaction), Request::Search(search)) = (permit.would_redact(), request) else { return None };
        let asked = |filter: Option<Filter<'_>>| match filter {
            Some(filter) if filter == search.filter => Asked::AsItIs,
            Some(filter) => {
                let mut encoded = Vec::new();
                filter.encode(&mut encoded);
                Asked::Instead(encoded)
            }
            None => Asked::Nothing,
        };
        let filters = redaction.would_ask(&snapshot.policy, &search.filter).into_iter().map(asked).collect();
        let (redaction, policy) = (redaction.clone(), Arc::clone(&snapshot.policy));
        Some(Box::new(Would { redaction, policy, filters, withheld: 0, cut: 0, names: Vec::new(), undecided: 0 }))
    }

    /// Another entry that is passed on.
    pub(super) fn see(&mut self, body: &[u8]) {
        let name = response::entry_name(body);
        let shown = name.ok().and_then(|name| self.redaction.would_show(&self.policy, name));
        let (Some((view, stage)), Ok(entry)) = (shown, Entry::decode(body)) else {
            self.withheld += 1;
            return;
        };
        match self.filters.get(stage) {
            None | Some(Asked::AsItIs) => {}
            Some(Asked::Nothing) => {
                self.withheld += 1;
                return;
            }
            Some(Asked::Instead(filter)) => match matches(filter, &entry, self.policy.schema()) {
                Some(true) => {}
                Some(false) => {
                    self.withheld += 1;
                    return;
                }
                None => self.undecided += 1,
            },
        }
        if view.is_whole() {
            return;
        }
        for attribute in &entry.attributes {
            if view.shows(attribute.description, self.policy.schema()) {
                continue;
            }
            self.cut += 1;
            let name = String::from_utf8_lossy(attribute.description.0);
            if self.names.len() < NAMES && !self.names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                self.names.push(name.into_owned());
            }
        }
    }

    /// What of it is recorded besides the numbers.
    pub(super) fn told(&self) -> record::Would<'_> {
        record::Would { attributes: &self.names, undecided: self.undecided }
    }
}

/// Whether an entry matches, as far as what is in the answer tells; `None`: it does not tell.
fn matches(filter: &[u8], entry: &Entry<'_>, schema: &Schema) -> Option<bool> {
    let filter = Filter::decode(&mut Reader::new(filter)).ok()?;
    evaluate(&filter, entry, schema)
}

/// Recurses as deep as the filter: the decoder has bounded it.
fn evaluate(filter: &Filter<'_>, entry: &Entry<'_>, schema: &Schema) -> Option<bool> {
    let each = |parts: &[Filter<'_>], decides: bool| {
        let mut whole = Some(!decides);
        for part in parts {
            match evaluate(part, entry, schema) {
                Some(value) if value == decides => return Some(decides),
                Some(_) => {}
                None => whole = None,
            }
        }
        whole
    };
    match filter {
        Filter::And(parts) => each(parts, false),
        Filter::Or(parts) => each(parts, true),
        Filter::Not(part) => evaluate(part, entry, schema).map(|value| !value),
        // RFC 4512 2.4: every entry has one.
        Filter::Present(attribute) if attribute.0.eq_ignore_ascii_case(b"objectClass") => Some(true),
        Filter::Present(attribute) => values(*attribute, entry, schema).map(|_| true),
        Filter::Equality { attribute, value } => {
            let wanted = folded(value);
            values(*attribute, entry, schema).and_then(|values| values.contains(&wanted))
        }
        Filter::Substrings { attribute, initial, any, last } => {
            let parts = (initial.map(folded), any.iter().map(|part| folded(part)).collect(), last.map(folded));
            values(*attribute, entry, schema).and_then(|values| values.any(|value| has_parts(value, &parts)))
        }
        Filter::GreaterOrEqual { .. }
        | Filter::LessOrEqual { .. }
        | Filter::Approximate { .. }
        | Filter::Extensible { .. } => None,
    }
}

/// Values of an attribute that are in the answer.
struct Values {
    known: Vec<String>,
    /// Whether these are all.
    all: bool,
}

impl Values {
    fn any(&self, wanted: impl Fn(&str) -> bool) -> Option<bool> {
        match self.known.iter().any(|value| wanted(value)) {
            true => Some(true),
            false => self.all.then_some(false),
        }
    }

    fn contains(&self, wanted: &str) -> Option<bool> {
        self.any(|value| value == wanted)
    }
}

/// `None`: there is none in the answer, which says nothing of whether the entry has one.
fn values(wanted: AttributeDescription<'_>, entry: &Entry<'_>, schema: &Schema) -> Option<Values> {
    let type_of = |description: AttributeDescription<'_>| schema.canonical(description);
    let is_one = |description: AttributeDescription<'_>| match (type_of(wanted), type_of(description)) {
        (Some(wanted), Some(found)) => schema.is_subtype(found, wanted),
        (_, _) => description.0.eq_ignore_ascii_case(wanted.0),
    };
    let found = entry.attributes.iter().filter(|attribute| is_one(attribute.description));
    let mut known: Vec<String> = found.flat_map(|attribute| &attribute.values).map(|value| folded(value)).collect();
    let all = !known.is_empty();
    // What names the entry is in it. A name that holds an escape is not taken apart here.
    let name = String::from_utf8_lossy(entry.name);
    let rdn = name.split(',').next().filter(|rdn| !rdn.contains('\\')).unwrap_or_default();
    for (attribute, value) in rdn.split('+').filter_map(|one| one.split_once('=')) {
        if is_one(AttributeDescription(attribute.trim().as_bytes())) {
            known.push(folded(value.as_bytes()));
        }
    }
    (!known.is_empty()).then_some(Values { known, all })
}

/// As most matching rules compare: without case, and with single blanks.
fn folded(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value).to_lowercase();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn has_parts(value: &str, (initial, any, last): &(Option<String>, Vec<String>, Option<String>)) -> bool {
    let mut rest = match initial {
        Some(initial) => match value.strip_prefix(initial.as_str()) {
            Some(rest) => rest,
            None => return false,
        },
        None => value,
    };
    for part in any {
        let Some((_, after)) = rest.split_once(part.as_str()) else { return false };
        rest = after;
    }
    last.as_ref().is_none_or(|last| rest.ends_with(last.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ldap::request::Attribute;

    fn entry<'a>(name: &'a str, attributes: &[(&'a str, &[&'a str])]) -> Entry<'a> {
        let attribute = |(name, values): &(&'a str, &[&'a str])| Attribute {
            description: AttributeDescription(name.as_bytes()),
            values: values.iter().map(|value| value.as_bytes()).collect(),
        };
        Entry { name: name.as_bytes(), attributes: attributes.iter().map(attribute).collect() }
    }

    #[test]
    fn a_filter_is_evaluated_as_far_as_the_answer_tells() {
        let schema = Schema::standard();
        let is = |name: &'static str, value: &'static str| Filter::Equality {
            attribute: AttributeDescription(name.as_bytes()),
            value: value.as_bytes(),
        };
        let found = entry("uid=alice,dc=x", &[("cn", &["Alice  Smith"]), ("mail", &["a@x"])]);
        for (filter, expected) in [
            (is("cn", "alice smith"), Some(true)),
            (is("commonName", "bob"), Some(false)),
            (is("name", "alice smith"), Some(true)),
            (is("uid", "ALICE"), Some(true)),
            // There may be another uid besides the one in the name.
            (is("uid", "bob"), None),
            (is("sn", "smith"), None),
            (Filter::Not(Box::new(is("cn", "bob"))), Some(true)),
            (Filter::And(vec![is("sn", "smith"), is("cn", "bob")]), Some(false)),
            (Filter::And(vec![is("sn", "smith"), is("uid", "alice")]), None),
            (Filter::Or(vec![is("sn", "smith"), is("uid", "alice")]), Some(true)),
            (Filter::Present(AttributeDescription(b"objectClass")), Some(true)),
            (Filter::Present(AttributeDescription(b"mail")), Some(true)),
            (Filter::Present(AttributeDescription(b"sn")), None),
            (
                Filter::Substrings {
                    attribute: AttributeDescription(b"cn"),
                    initial: Some(b"AL"),
                    any: vec![b"ce"],
                    last: Some(b"th"),
                },
                Some(true),
            ),
        ] {
            assert_eq!(evaluate(&filter, &found, &schema), expected, "{filter:?}");
        }
    }
}
