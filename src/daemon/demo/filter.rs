//! Whether an entry of the built-in directory matches a filter (RFC 4511 4.5.1.7).

use super::entry::{Entry, canonical, normal_value, number, rdn_parts};
use ldap3_proto::proto::{LdapFilter, LdapMatchingRuleAssertion, LdapSubstringFilter};

/// Attributes that nothing can be asked about.
const SECRET: &[&str] = &["userpassword"];

/// Three-valued: `None` is Undefined.
pub(super) fn matches(filter: &LdapFilter, entry: &Entry) -> Option<bool> {
    match filter {
        LdapFilter::And(parts) => first_or_undefined(parts, entry, false),
        LdapFilter::Or(parts) => first_or_undefined(parts, entry, true),
        LdapFilter::Not(part) => matches(part, entry).map(|matched| !matched),
        LdapFilter::Present(name) if canonical(name) == "objectclass" => Some(true),
        LdapFilter::Present(name) => open(name).map(|()| !entry.values(name).is_empty()),
        LdapFilter::Equality(name, value) | LdapFilter::Approx(name, value) => {
            open(name).map(|()| entry.has(name, value.as_bytes()))
        }
        LdapFilter::GreaterOrEqual(name, value) => ordered(entry, name, value, std::cmp::Ordering::is_ge),
        LdapFilter::LessOrEqual(name, value) => ordered(entry, name, value, std::cmp::Ordering::is_le),
        LdapFilter::Substring(name, wanted) => {
            open(name)?;
            Some(entry.values(name).iter().any(|value| contains(name, value, wanted)))
        }
        LdapFilter::Extensible(assertion) => extensible(assertion, entry),
    }
}

/// `decisive` if any part is; else Undefined if any part is; else the opposite.
fn first_or_undefined(parts: &[LdapFilter], entry: &Entry, decisive: bool) -> Option<bool> {
    let mut undefined = false;
    for part in parts {
        match matches(part, entry) {
            Some(result) if result == decisive => return Some(decisive),
            Some(_) => {}
            None => undefined = true,
        }
    }
    (!undefined).then_some(!decisive)
}

fn open(name: &str) -> Option<()> {
    (!SECRET.contains(&canonical(name).split(';').next().unwrap_or_default())).then_some(())
}

fn ordered(entry: &Entry, name: &str, wanted: &str, fits: fn(std::cmp::Ordering) -> bool) -> Option<bool> {
    open(name)?;
    let compare = |value: &[u8]| match (number(value), number(wanted.as_bytes())) {
        (Some(value), Some(wanted)) => value.cmp(&wanted),
        _ => normal_value(name, value).cmp(&normal_value(name, wanted.as_bytes())),
    };
    Some(entry.values(name).iter().any(|value| fits(compare(value))))
}

fn contains(name: &str, value: &[u8], wanted: &LdapSubstringFilter) -> bool {
    let lower = |text: &str| text.to_lowercase();
    let Ok(value) = String::from_utf8(normal_value(name, value)) else { return false };
    let mut rest = value.as_str();
    if let Some(initial) = &wanted.initial {
        let Some(after) = rest.strip_prefix(&lower(initial)) else { return false };
        rest = after;
    }
    for part in &wanted.any {
        let Some((_, after)) = rest.split_once(&lower(part)) else { return false };
        rest = after;
    }
    wanted.final_.as_ref().is_none_or(|last| rest.ends_with(&lower(last)))
}

/// Equality whatever the rule, but for the two bit rules of Active Directory.
fn extensible(assertion: &LdapMatchingRuleAssertion, entry: &Entry) -> Option<bool> {
    let wanted = assertion.match_value.as_bytes();
    let bits = |test: fn(i64, i64) -> bool| {
        let name = assertion.type_.as_deref()?;
        open(name)?;
        let mask = number(wanted)?;
        Some(entry.values(name).iter().filter_map(|value| number(value)).any(|value| test(value, mask)))
    };
    match assertion.matching_rule.as_deref() {
        Some("1.2.840.113556.1.4.803") => return bits(|value, mask| value & mask == mask),
        Some("1.2.840.113556.1.4.804") => return bits(|value, mask| value & mask != 0),
        _ => {}
    }
    let equal = |name: &str| open(name).is_some() && entry.has(name, wanted);
    let in_attributes = match &assertion.type_ {
        Some(name) => {
            open(name)?;
            equal(name)
        }
        None => entry.attributes.iter().any(|attribute| equal(&attribute.name)),
    };
    let in_name = assertion.dn_attributes
        && names_of(entry).any(|(name, value)| {
            let right_type = assertion.type_.as_ref().is_none_or(|wanted| canonical(wanted) == canonical(&name));
            right_type && normal_value(&name, &value) == normal_value(&name, wanted)
        });
    Some(in_attributes || in_name)
}

/// Every attribute value in the entry's name and in those above it.
fn names_of(entry: &Entry) -> impl Iterator<Item = (String, Vec<u8>)> {
    std::iter::successors(Some(entry.dn.clone()), |dn| dn.parent()).flat_map(|dn| rdn_parts(dn.text()))
}

#[cfg(test)]
mod tests {
    use super::super::entry::Attribute;
    use super::*;
    use crate::engine::ldap::Dn;
    use ldap3_proto::parse_ldap_filter_str;

    #[test]
    fn filters() {
        let attribute = |name: &str, values: &[&str]| Attribute {
            name: name.to_owned(),
            values: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
        };
        let entry = Entry {
            dn: Dn::parse(b"uid=alice,ou=people,dc=example").unwrap(),
            attributes: vec![
                attribute("objectClass", &["person"]),
                attribute("uid", &["alice"]),
                attribute("cn", &["Alice  Archer", "Ali"]),
                attribute("uidNumber", &["1000"]),
                attribute("manager", &["uid=Bob,ou=people,dc=example"]),
                attribute("userPassword", &["secret"]),
            ],
        };
        for (filter, result) in [
            ("(objectClass=*)", Some(true)),
            ("(mail=*)", Some(false)),
            ("(uid=ALICE)", Some(true)),
            ("(commonName=ALI)", Some(true)),
            ("(manager=*)", Some(true)),
            ("(!(mail=x))", Some(true)),
            ("(&(uid=alice)(cn=ali))", Some(true)),
            ("(&(uid=alice)(cn=bob))", Some(false)),
            ("(|(uid=bob)(cn=ali))", Some(true)),
            ("(cn=al*arch*r)", Some(true)),
            ("(cn=*lic*)", Some(true)),
            ("(cn=*x*)", Some(false)),
            ("(uidNumber>=999)", Some(true)),
            ("(uidNumber<=999)", Some(false)),
            ("(userPassword=secret)", None),
            ("(!(userPassword=secret))", None),
            ("(userPassword=*)", None),
            ("(|(uid=alice)(userPassword=x))", Some(true)),
            ("(&(uid=alice)(userPassword=x))", None),
        ] {
            let parsed = parse_ldap_filter_str(filter).unwrap();
            assert_eq!(matches(&parsed, &entry), result, "{filter}");
        }
        for (name, dn, rule, value, result) in [
            (Some("ou"), true, None, "People", Some(true)),
            (Some("ou"), false, None, "people", Some(false)),
            (None, false, Some("2.5.13.2"), "alice", Some(true)),
            (None, false, Some("2.5.13.18"), "secret", Some(false)),
            (Some("uidNumber"), false, Some("1.2.840.113556.1.4.803"), "8", Some(true)),
            (Some("uidNumber"), false, Some("1.2.840.113556.1.4.803"), "3", Some(false)),
            (Some("userPassword"), false, None, "secret", None),
        ] {
            let assertion = LdapMatchingRuleAssertion {
                matching_rule: rule.map(str::to_owned),
                type_: name.map(str::to_owned),
                match_value: value.to_owned(),
                dn_attributes: dn,
            };
            assert_eq!(matches(&LdapFilter::Extensible(assertion.clone()), &entry), result, "{assertion:?}");
        }
    }
}
