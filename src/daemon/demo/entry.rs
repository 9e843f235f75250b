//! One entry of the built-in directory: attributes by name, values compared as their types want it.

use crate::engine::ldap::Dn;
use crate::engine::ldap::schema::{Rule, attribute_type};
use ldap3_proto::proto::{LdapModify, LdapModifyType, LdapPartialAttribute, LdapResultCode};

/// Attributes whose values are names of entries.
const NAMES: &[&str] = &["member", "uniquemember", "manager", "owner", "secretary", "seealso", "roleoccupant"];
/// Attributes whose values are octets.
const OCTETS: &[&str] = &["userpassword", "jpegphoto", "usercertificate"];

/// Why an operation is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: LdapResultCode,
    /// The nearest entry above one that is not there.
    pub(super) matched: String,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(code: LdapResultCode, message: &str) -> Fault {
        Fault { code, matched: String::new(), message: message.to_owned() }
    }
}

/// An attribute with its values; the name as it was first written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) values: Vec<Vec<u8>>,
}

/// An entry.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) dn: Dn,
    pub(super) attributes: Vec<Attribute>,
}

/// One spelling for all names of an attribute type; options stay.
pub(super) fn canonical(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let (base, options) = lower.split_once(';').unwrap_or((&lower, ""));
    let base = attribute_type(base).map_or(base, |known| known.name);
    if options.is_empty() { base.to_owned() } else { format!("{base};{options}") }
}

/// What two values of an attribute have in common exactly when they are equal.
pub(super) fn normal_value(name: &str, value: &[u8]) -> Vec<u8> {
    let canonical = canonical(name);
    if OCTETS.contains(&canonical.as_str()) {
        return value.to_vec();
    }
    let is_name = NAMES.contains(&canonical.as_str())
        || attribute_type(&canonical).is_some_and(|known| matches!(known.rule, Rule::Dn));
    if is_name && let Ok(dn) = Dn::parse(value) {
        return dn.key().to_vec();
    }
    match std::str::from_utf8(value) {
        Ok(text) => text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase().into_bytes(),
        Err(_) => value.to_vec(),
    }
}

impl Entry {
    pub(super) fn values(&self, name: &str) -> &[Vec<u8>] {
        let wanted = canonical(name);
        let found = self.attributes.iter().find(|attribute| canonical(&attribute.name) == wanted);
        found.map_or(&[], |attribute| &attribute.values)
    }

    pub(super) fn has(&self, name: &str, value: &[u8]) -> bool {
        let wanted = normal_value(name, value);
        self.values(name).iter().any(|value| normal_value(name, value) == wanted)
    }

    /// Puts values in; what is there already is a fault only where a client said so.
    pub(super) fn add(&mut self, name: &str, values: &[Vec<u8>]) -> Result<(), Fault> {
        for value in values {
            if self.has(name, value) {
                return Err(Fault::new(LdapResultCode::AttributeOrValueExists, name));
            }
            self.attribute(name).values.push(value.clone());
        }
        Ok(())
    }

    fn attribute(&mut self, name: &str) -> &mut Attribute {
        let wanted = canonical(name);
        let at = self.attributes.iter().position(|attribute| canonical(&attribute.name) == wanted);
        let at = at.unwrap_or_else(|| {
            self.attributes.push(Attribute { name: name.to_owned(), values: Vec::new() });
            self.attributes.len() - 1
        });
        &mut self.attributes[at]
    }

    /// Takes values out; all of them when none is named.
    pub(super) fn remove(&mut self, name: &str, values: &[Vec<u8>]) -> Result<(), Fault> {
        let missing = || Fault::new(LdapResultCode::NoSuchAttribute, name);
        if self.values(name).is_empty() {
            return Err(missing());
        }
        if values.is_empty() {
            self.attribute(name).values.clear();
        }
        for value in values {
            if !self.has(name, value) {
                return Err(missing());
            }
            let gone = normal_value(name, value);
            self.attribute(name).values.retain(|value| normal_value(name, value) != gone);
        }
        self.attributes.retain(|attribute| !attribute.values.is_empty());
        Ok(())
    }

    /// RFC 4511 4.6 and RFC 4525. All or nothing: the caller works on a copy.
    pub(super) fn modify(&mut self, changes: &[LdapModify]) -> Result<(), Fault> {
        for LdapModify { operation, modification: LdapPartialAttribute { atype, vals } } in changes {
            match operation {
                LdapModifyType::Add => self.add(atype, vals)?,
                LdapModifyType::Delete => self.remove(atype, vals)?,
                LdapModifyType::Replace => {
                    // Replacing what is not there is no fault (RFC 4511 4.6).
                    let wanted = canonical(atype);
                    self.attributes.retain(|attribute| canonical(&attribute.name) != wanted);
                    self.add(atype, vals)?;
                }
                LdapModifyType::Increment => self.increment(atype, vals)?,
            }
        }
        for (name, value) in rdn_parts(self.dn.text()) {
            if !self.has(&name, &value) {
                return Err(Fault::new(LdapResultCode::NotALlowedOnRDN, &name));
            }
        }
        if self.values("objectClass").is_empty() {
            return Err(Fault::new(LdapResultCode::ObjectClassViolation, "no objectClass"));
        }
        Ok(())
    }

    fn increment(&mut self, name: &str, by: &[Vec<u8>]) -> Result<(), Fault> {
        let wrong = || Fault::new(LdapResultCode::InvalidAttributeSyntax, name);
        let [by] = by else { return Err(Fault::new(LdapResultCode::ProtocolError, name)) };
        let by = number(by).ok_or_else(wrong)?;
        if self.values(name).is_empty() {
            return Err(Fault::new(LdapResultCode::NoSuchAttribute, name));
        }
        for value in &mut self.attribute(name).values {
            let sum = number(value).and_then(|value| value.checked_add(by)).ok_or_else(wrong)?;
            *value = sum.to_string().into_bytes();
        }
        Ok(())
    }
}

/// A value read as an integer.
pub(super) fn number(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// The attribute values that the first RDN of a name holds (RFC 4514 2.3 and 2.4, unescaped).
pub(super) fn rdn_parts(dn: &str) -> Vec<(String, Vec<u8>)> {
    let mut parts = Vec::new();
    let (mut name, mut value, mut in_value) = (Vec::new(), Vec::new(), false);
    let mut octets = dn.bytes();
    loop {
        let octet = octets.next();
        match octet {
            None | Some(b',' | b'+') => {
                let name = String::from_utf8_lossy(&std::mem::take(&mut name)).trim().to_owned();
                if in_value {
                    parts.push((name, std::mem::take(&mut value)));
                }
                in_value = false;
                if octet != Some(b'+') {
                    return parts;
                }
            }
            Some(b'=') if !in_value => in_value = true,
            Some(b'\\') => {
                let mut hex = octets.clone();
                let digit = |octet: Option<u8>| octet.and_then(|octet| char::from(octet).to_digit(16));
                match (digit(hex.next()), digit(hex.next())) {
                    (Some(high), Some(low)) => {
                        value.push((high << 4 | low) as u8);
                        octets = hex;
                    }
                    _ => value.extend(octets.next()),
                }
            }
            Some(octet) if in_value => value.push(octet),
            Some(octet) => name.push(octet),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_rdn() {
        for (dn, parts) in [
            ("uid=alice,dc=example", &[("uid", "alice")][..]),
            ("cn=a\\,b\\2bc+ou=d=e,dc=example", &[("cn", "a,b+c"), ("ou", "d=e")]),
            ("", &[]),
        ] {
            let expected: Vec<_> =
                parts.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
            assert_eq!(rdn_parts(dn), expected, "{dn}");
        }
    }

    #[test]
    fn names_and_values_have_many_spellings() {
        assert_eq!(canonical("2.5.4.3"), canonical("commonName"));
        assert_eq!(canonical("CN;lang-DE"), "cn;lang-de");
        assert_eq!(normal_value("cn", b"  Alice   B "), normal_value("cn", b"alice b"));
        assert_eq!(normal_value("member", b"UID=Alice, dc=x"), normal_value("member", b"uid=alice,dc=x"));
        assert_ne!(normal_value("userPassword", b"a"), normal_value("userPassword", b"A"));
    }
}
