//! What makes a directory compute: attributes by which a user has the directory derive values from other entries,
//! or follow names to them.
//!
//! A value that the directory derives stands in an entry that nobody protects, whatever it was made of. So writing what it
//! is made by needs access to everything that it could be made of; and a name in a value, which the directory may look up
//! (referential integrity, uniqueness, back links), needs access to what it names. Attributes are resolved by the
//! directory's schema: every name, OID, option and subtype counts. What is needed is this module's to say, who holds it is not.

mod table;
#[cfg(test)]
mod tests;

use super::attributes::can_hold_names;
use crate::engine::ldap::Dn;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::dn::extended::{is_identifier, without_prefix};
use crate::engine::ldap::request::{Attribute, ChangeKind, Request};
use crate::engine::ldap::schema::{ClassSet, Rule, Schema, TypeFacts, attribute_type};
use std::borrow::Cow;
use table::{ATTRIBUTES, CLASSES, DIRECTORY_SCHEMES, Unless, WEB};

/// What the attributes of one [`Schema`] make a directory do; means nothing to another.
#[derive(Debug, Clone)]
pub struct Computing {
    /// For each type, by its position.
    kinds: Box<[Kind]>,
    /// Classes that count whenever they are given.
    classes: ClassSet,
    /// Classes that count where an entry that is there already gets them.
    later: ClassSet,
}

/// What values of an attribute are to the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It computes with them.
    Computes(Unless),
    /// Object classes.
    Classes,
    /// Names of entries.
    Names,
    /// Perhaps names: the syntax is not known.
    Unknown,
    /// Text, numbers, times or octets.
    Plain,
}

/// What the directory would do with something that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written<'a> {
    /// Compute with this attribute or class, over any entry.
    Computes(Cow<'a, str>),
    /// Look up the entry of this name.
    Names(Cow<'a, str>, Dn),
    /// Look up an entry by an identifier, which only the directory can tell.
    Identifies(Cow<'a, str>),
    /// Look up an entry by what is no name of RFC 4514, but perhaps one to the directory.
    Unreadable(Cow<'a, str>),
}

/// Syntaxes of names (RFC 4517 3.3.9 and 3.3.21, MS-ADTS 3.1.1.2.2.2): DN, name and optional UID, DN with octets, DN with text.
const NAMES: &[&str] = &[
    "1.3.6.1.4.1.1466.115.121.1.12",
    "1.3.6.1.4.1.1466.115.121.1.34",
    "1.2.840.113556.1.4.903",
    "1.2.840.113556.1.4.904",
];
/// Equality rules of names, for types without a syntax: distinguishedNameMatch, uniqueMemberMatch.
const NAME_RULES: &[&str] = &["2.5.13.1", "2.5.13.23"];
/// Longer values are no names.
const MAX_NAME: usize = 64 * 1024;

impl Computing {
    /// What the attributes and classes of a schema make its directory do.
    pub fn of(schema: &Schema) -> Computing {
        let mut kinds: Vec<Kind> = schema.types().map(|(_, facts)| by_facts(facts)).collect();
        for (name, oid, unless) in ATTRIBUTES {
            for written in [name, oid].into_iter().filter(|written| !written.is_empty()) {
                let Some(id) = schema.canonical(AttributeDescription(written.as_bytes())) else { continue };
                for id in schema.subtypes(id) {
                    let Some(kind) = kinds.get_mut(id.index()) else { continue };
                    // A subtype may have a row of its own, which is stricter.
                    if *kind != Kind::Computes(Unless::Never) {
                        *kind = Kind::Computes(*unless);
                    }
                }
            }
        }
        if let Some(kind) =
            schema.canonical(AttributeDescription(b"objectClass")).and_then(|id| kinds.get_mut(id.index()))
        {
            *kind = Kind::Classes;
        }
        let named = |later: bool| -> Vec<&str> {
            let rows = CLASSES.iter().filter(|(_, _, at_later)| *at_later == later);
            rows.flat_map(|(name, oid, _)| [*name, *oid]).filter(|written| !written.is_empty()).collect()
        };
        Computing {
            kinds: kinds.into(),
            classes: schema.classes_below(&named(false)),
            later: schema.classes_below(&named(true)),
        }
    }

    fn kind(&self, description: AttributeDescription<'_>, schema: &Schema) -> Kind {
        match schema.canonical(description) {
            Some(id) => self.kinds.get(id.index()).copied().unwrap_or(Kind::Unknown),
            None => by_name(description),
        }
    }

    /// Calls `visit` for everything in `request` that the directory would compute with, or look up.
    pub fn written<'r>(&self, request: &'r Request<'_>, schema: &Schema, visit: &mut impl FnMut(Written<'r>)) {
        match request {
            Request::Add(add) => {
                self.naming(&add.entry, schema, visit);
                for attribute in &add.attributes {
                    self.values(attribute, ChangeKind::Add, true, schema, visit);
                }
            }
            Request::Modify(modify) => {
                for change in &modify.changes {
                    self.values(&change.attribute, change.kind, false, schema, visit);
                }
            }
            Request::Rename(rename) => self.naming(&rename.new_rdn, schema, visit),
            // A name that is compared is not looked up; an identifier is.
            Request::Compare(compare) => {
                let kind = self.kind(compare.attribute, schema);
                if matches!(kind, Kind::Names | Kind::Unknown) && is_identifier(compare.value) {
                    visit(Written::Identifies(shown(compare.attribute)));
                }
            }
            Request::Bind(_)
            | Request::Unbind
            | Request::Search(_)
            | Request::Delete(_)
            | Request::Abandon(_)
            | Request::Extended(_) => {}
        }
    }

    /// The attributes of an entry's first RDN: the directory adds these by itself.
    fn naming<'r>(&self, name: &'r Dn, schema: &Schema, visit: &mut impl FnMut(Written<'r>)) {
        for naming in name.naming_types() {
            let description = AttributeDescription(naming.as_bytes());
            match self.kind(description, schema) {
                Kind::Computes(_) => visit(Written::Computes(shown(description))),
                // Its value is written with escapes of its own: nobody names entries so.
                Kind::Names | Kind::Classes => visit(Written::Unreadable(shown(description))),
                Kind::Unknown | Kind::Plain => {}
            }
        }
    }

    fn values<'r>(
        &self,
        attribute: &'r Attribute<'_>,
        change: ChangeKind,
        is_new: bool,
        schema: &Schema,
        visit: &mut impl FnMut(Written<'r>),
    ) {
        let description = attribute.description;
        let removes = change == ChangeKind::Delete;
        let name = || shown(description);
        let kind = self.kind(description, schema);
        match kind {
            Kind::Computes(Unless::Never) => return visit(Written::Computes(name())),
            Kind::Computes(Unless::WebAddress) => {
                if !removes && !attribute.values.iter().all(|value| begins_with(value, WEB)) {
                    visit(Written::Computes(name()));
                }
                return;
            }
            Kind::Classes if !removes => {
                for class in &attribute.values {
                    if self.counts(class, is_new, schema) {
                        visit(Written::Computes(Cow::Owned(String::from_utf8_lossy(class).into_owned())));
                    }
                }
            }
            Kind::Classes | Kind::Names | Kind::Unknown | Kind::Plain => {}
        }
        for value in &attribute.values {
            if !removes && is_directory_search(value) {
                visit(Written::Computes(name()));
            }
            match kind {
                Kind::Names | Kind::Unknown if is_identifier(value) => visit(Written::Identifies(name())),
                // What is removed is looked for in the entry, and nowhere else.
                Kind::Names | Kind::Unknown if removes => {}
                Kind::Names => match parse(value) {
                    Some(dn) => visit(Written::Names(name(), dn)),
                    // Older forms, which directories read as names.
                    None => visit(Written::Unreadable(name())),
                },
                Kind::Unknown => {
                    if let Some(dn) = parse(value).filter(|dn| !dn.is_root()) {
                        visit(Written::Names(name(), dn));
                    }
                }
                Kind::Computes(_) | Kind::Classes | Kind::Plain => {}
            }
        }
    }

    fn counts(&self, class: &[u8], is_new: bool, schema: &Schema) -> bool {
        let sets = [Some(&self.classes), (!is_new).then_some(&self.later)];
        let found = sets.into_iter().flatten().map(|set| schema.is_class_in(class, set));
        let by_name = || {
            let is_it = |written: &str| !written.is_empty() && written.as_bytes().eq_ignore_ascii_case(class);
            CLASSES.iter().any(|(name, oid, later)| (is_it(name) || is_it(oid)) && !(is_new && *later))
        };
        let found: Option<Vec<bool>> = found.collect();
        found.map_or_else(by_name, |found| found.contains(&true))
    }
}

/// Something that a directory can be made to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// For people.
    pub name: &'static str,
    /// Whether what a user writes keeps computing, for whoever reads it.
    pub lasts: bool,
}

/// What a directory with this schema can be made to compute.
pub fn features(schema: &Schema) -> Vec<Feature> {
    let is_there = |name: &str| schema.canonical(AttributeDescription(name.as_bytes())).is_some();
    let there = FEATURES.iter().filter(|(_, _, attributes)| attributes.iter().any(|name| is_there(name)));
    there.map(|(name, lasts, _)| Feature { name, lasts: *lasts }).collect()
}

/// What directories compute, whether it lasts, and attributes that show that one may. Only such as no built-in table of standard
/// types has.
const FEATURES: &[(&str, bool, &[&str])] = &[
    ("dynamic lists (labeledURI, memberURL)", true, &["olcDynListAttrSet", "olcDlAttrSet", "dgIdentity"]),
    ("views (nsViewFilter)", true, &["nsViewFilter"]),
    ("class of service (cosTemplateDn and others)", true, &["cosTemplateDn", "cosIndirectSpecifier"]),
    ("roles (nsRoleFilter, nsRoleDN)", true, &["nsRoleFilter", "nsRoleDN"]),
    ("managed entries (mepMappedAttr)", true, &["mepMappedAttr"]),
    ("automatic membership (autoMemberFilter)", true, &["autoMemberFilter"]),
    ("back links (slapo-memberof)", false, &["olcMemberOfGroupOC"]),
    ("uniqueness (slapo-unique)", false, &["olcUniqueURI", "olcUniqueAttribute"]),
    ("referential integrity (slapo-refint)", false, &["olcRefintAttribute"]),
    ("relayed trees (slapd-relay)", false, &["olcRelay"]),
    ("query based groups (msDS-AzLDAPQuery)", true, &["msDS-AzLDAPQuery"]),
];

fn by_facts(facts: &TypeFacts) -> Kind {
    let listed = |list: &[&str], found: &Option<Box<str>>| found.as_deref().is_some_and(|found| list.contains(&found));
    if listed(NAMES, &facts.syntax) || listed(NAME_RULES, &facts.equality) {
        Kind::Names
    } else if can_hold_names(facts) {
        Kind::Unknown
    } else {
        Kind::Plain
    }
}

/// What the schema does not know, or knows by two meanings: the table counts, then the standard.
fn by_name(description: AttributeDescription<'_>) -> Kind {
    let bare = bare(description.attribute_type());
    let is_it = |written: &str| !written.is_empty() && written.as_bytes().eq_ignore_ascii_case(bare);
    if let Some((_, _, unless)) = ATTRIBUTES.iter().find(|(name, oid, _)| is_it(name) || is_it(oid)) {
        return Kind::Computes(*unless);
    }
    let standard = std::str::from_utf8(bare).ok().and_then(|name| attribute_type(&name.to_ascii_lowercase()));
    match standard {
        Some(standard) if standard.name == "objectclass" => Kind::Classes,
        Some(standard) if standard.rule == Rule::Dn => Kind::Names,
        Some(_) | None => Kind::Unknown,
    }
}

/// Without the prefix that Active Directory takes before an OID.
fn bare(name: &[u8]) -> &[u8] {
    match name.split_at_checked(4) {
        Some((prefix, oid)) if prefix.eq_ignore_ascii_case(b"oid.") => oid,
        _ => name,
    }
}

fn shown<'a>(description: AttributeDescription<'a>) -> Cow<'a, str> {
    String::from_utf8_lossy(description.attribute_type())
}

/// The name in a value: behind the octets or the text of Active Directory's syntaxes, before a UID (RFC 4517 3.3.21).
fn parse(value: &[u8]) -> Option<Dn> {
    let named = without_prefix(value);
    if named.len() > MAX_NAME {
        return None;
    }
    let uid = named.iter().rposition(|octet| *octet == b'#').filter(|at| {
        let uid = named.get(at + 1..).unwrap_or_default();
        uid.len() >= 3 && uid.starts_with(b"'") && uid.ends_with(b"'B")
    });
    Dn::parse(uid.and_then(|at| named.get(..at)).unwrap_or(named)).ok()
}

fn begins_with(value: &[u8], prefixes: &[&str]) -> bool {
    prefixes
        .iter()
        .any(|prefix| value.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix.as_bytes())))
}

/// A URL that says what to search for, whatever it stands in (RFC 4516; `URL:` and brackets as in its appendix A).
fn is_directory_search(value: &[u8]) -> bool {
    let mut rest = value.trim_ascii_start();
    for prefix in ["<", "URL:", "<"] {
        if begins_with(rest, &[prefix]) {
            rest = rest.get(prefix.len()..).unwrap_or_default();
        }
    }
    begins_with(rest, DIRECTORY_SCHEMES) && rest.contains(&b'?')
}
