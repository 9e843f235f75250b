//! `extended_operations` of `[directory]`: what is passed although the gate does not know what it touches.

use super::raw::Section;
use crate::engine::access::EXTENSIONS;
use crate::engine::ldap::attribute::numeric_oid;

/// Operations that no configuration passes: by OID, and why.
const NEVER: &[(&str, &str)] = &[
    ("1.3.6.1.1.21.1", "begins a transaction: writes would be done after they were decided upon"),
    ("1.3.6.1.1.21.3", "ends a transaction: writes would be done after they were decided upon"),
    ("1.3.6.1.1.19", "turns the connection around: the directory would be the client"),
    ("1.3.6.1.1.17.1", "begins a bulk update: writes would come where nobody looks"),
    ("1.3.6.1.1.17.3", "ends a bulk update: writes would come where nobody looks"),
    ("1.3.6.1.1.17.5", "is a bulk update: writes would come where nobody looks"),
    ("1.3.6.1.4.1.1466.20036", "is what a server says when it takes its leave"),
    ("1.3.6.1.4.1.4203.666.6.5", "checks a password: a bind that is none"),
    ("1.2.840.113556.1.4.1781", "makes binds of this connection mean something else"),
    ("2.16.840.1.113730.3.5.3", "begins a replication"),
    ("2.16.840.1.113730.3.5.5", "ends a replication"),
    ("2.16.840.1.113730.3.5.6", "hands on an entry of a replication"),
    ("2.16.840.1.113730.3.5.7", "begins an import of everything"),
    ("2.16.840.1.113730.3.5.8", "ends an import of everything"),
    ("2.16.840.1.113730.3.5.12", "begins a replication"),
    ("1.3.6.1.4.1.30221.2.6.1", "begins a transaction: writes would be done after they were decided upon"),
    ("1.3.6.1.4.1.30221.2.6.2", "ends a transaction: writes would be done after they were decided upon"),
    ("1.3.6.1.4.1.30221.2.6.3", "begins a transaction: writes would be done after they were decided upon"),
    ("1.3.6.1.4.1.30221.2.6.4", "ends a transaction: writes would be done after they were decided upon"),
    ("1.3.6.1.4.1.30221.2.6.6", "reads the values of entries, whoever may see them"),
    ("1.3.6.1.4.1.30221.2.6.8", "reads the values of entries, whoever may see them"),
    ("1.3.6.1.4.1.30221.2.6.10", "reads the record of changes"),
    ("1.3.6.1.4.1.30221.2.6.17", "holds other operations: nobody would look at them"),
];

pub(super) fn extended_operations(section: &Section<'_>) -> Vec<String> {
    let Some(list) = section.list::<String>("extended_operations") else { return Vec::new() };
    for found in &list.value {
        let oid = found.value.as_str();
        let never = NEVER.iter().find(|(other, _)| *other == oid).map(|(_, why)| *why);
        let problem = match never {
            _ if numeric_oid(oid.as_bytes()).is_none() => "is not an OID; write it like \"1.3.6.1.4.1.1466.101.119.1\"",
            _ if EXTENSIONS.contains(&oid) => "is let through as it is, and looked at; leave it out",
            Some(why) => why,
            None => continue,
        };
        section.problem(found.at, format!("extended_operations: {oid:?} {problem}"));
    }
    list.value.into_iter().map(|found| found.value).collect()
}
