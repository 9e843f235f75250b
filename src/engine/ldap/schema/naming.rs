//! Which names a directory of a schema surely takes for names. In a filter, one that it does not take is Undefined
//! (RFC 4511 4.5.1.7), and so is its negation: nothing would be found.

use super::Schema;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::dn::Dn;

/// RFC 4517 3.3: syntaxes whose values can be checked here.
const DIRECTORY_STRING: &str = "1.3.6.1.4.1.1466.115.121.1.15";
const IA5_STRING: &str = "1.3.6.1.4.1.1466.115.121.1.26";
const PRINTABLE_STRING: &str = "1.3.6.1.4.1.1466.115.121.1.44";
const COUNTRY_STRING: &str = "1.3.6.1.4.1.1466.115.121.1.11";

impl Schema {
    /// Whether all types in a name are known, and of syntaxes that surely allow their values. A name for which this is
    /// `false` may be one all the same.
    pub fn takes(&self, name: &Dn) -> bool {
        let parts = split(name.text(), b',').flat_map(|rdn| split(rdn, b'+'));
        name.is_root() || parts.into_iter().all(|part| self.takes_part(part))
    }

    /// One type and value, as it is written.
    fn takes_part(&self, part: &str) -> bool {
        let Some((name, value)) = part.split_once('=') else { return false };
        let known = self.canonical(AttributeDescription(name.as_bytes())).and_then(|id| self.facts(id));
        match known.and_then(|facts| facts.syntax.as_deref()) {
            Some(DIRECTORY_STRING) => !value.is_empty(),
            Some(IA5_STRING) => !value.is_empty() && value.is_ascii(),
            Some(PRINTABLE_STRING) => !value.is_empty() && value.bytes().all(|octet| octet.is_ascii_alphanumeric()),
            Some(COUNTRY_STRING) => value.len() == 2 && value.bytes().all(|octet| octet.is_ascii_alphabetic()),
            _ => false,
        }
    }
}

/// The parts of a text between separators that are not escaped.
fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut escaped = false;
        let end = text.bytes().position(|octet| {
            let ends = octet == separator && !escaped;
            escaped = octet == b'\\' && !escaped;
            ends
        });
        rest = end.and_then(|end| text.get(end + 1..));
        end.map_or(Some(text), |end| text.get(..end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_known_strings_are_taken() {
        let schema = Schema::standard();
        for (name, taken) in [
            ("", true),
            ("ou=payroll,dc=example,dc=com", true),
            ("OU=Löhne,DC=Example", true),
            (r"cn=Schmidt\, Jörg+uid=a\+b,ou=a,c=DE", true),
            ("2.5.4.11=payroll,dc=x", true),
            ("dc=löhne", false),
            ("c=germany", false),
            ("unheardOf=a,dc=x", false),
            ("ou=a,unheardOf=a,dc=x", false),
            ("cn=a+unheardOf=a,dc=x", false),
            ("uidNumber=a,dc=x", false),
            ("uidNumber=1,dc=x", false),
            ("member=cn\\=a,dc=x", false),
        ] {
            assert_eq!(schema.takes(&name.parse().unwrap()), taken, "{name}");
        }
    }
}
