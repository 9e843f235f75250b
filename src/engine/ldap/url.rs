//! LDAP URLs (RFC 4516) as referrals carry them (RFC 4511 4.1.10). Knows nothing of where they may lead.

use super::Dn;

/// Where a referral leads, without scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapUrl<'a> {
    /// The name; `None`: the one that the operation was for.
    pub name: Option<Dn>,
    /// Attributes, scope and filter with their question marks, as they were.
    rest: &'a str,
}

impl<'a> LdapUrl<'a> {
    /// Reads a URL. `None` for other schemes, for names that are none, and for extensions: those may say anything.
    pub fn parse(uri: &'a [u8]) -> Option<LdapUrl<'a>> {
        let text = std::str::from_utf8(uri).ok()?;
        let (scheme, text) = text.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("ldap") && !scheme.eq_ignore_ascii_case("ldaps") {
            return None;
        }
        let path = text.find(['/', '?']).and_then(|at| text.get(at..)).unwrap_or_default();
        let (name, rest) = match path.find('?').and_then(|at| path.split_at_checked(at)) {
            Some(both) => both,
            None => (path, ""),
        };
        let plain = rest.bytes().all(|octet| octet.is_ascii_graphic() && !matches!(octet, b'"' | b'<' | b'>' | b'#'));
        if !plain || rest.bytes().filter(|octet| *octet == b'?').count() > 3 {
            return None;
        }
        // RFC 4516 2: no fragments. A name writes this character as %23.
        if name.contains('#') {
            return None;
        }
        let name = decoded(name.strip_prefix('/').unwrap_or(name))?;
        let name = if name.is_empty() { None } else { Some(Dn::parse(&name).ok()?) };
        Some(LdapUrl { name, rest })
    }

    /// The same at another place: `server` is a URL of scheme, host and port. The name is written as it was read.
    pub fn at(&self, server: &str) -> String {
        let mut out = server.trim_end_matches('/').to_owned();
        out.push('/');
        for octet in self.name.iter().flat_map(|name| name.text().bytes()) {
            if octet.is_ascii_alphanumeric() || b"-._~,=+".contains(&octet) {
                out.push(char::from(octet));
            } else {
                out.push_str(&format!("%{octet:02X}"));
            }
        }
        out.push_str(self.rest);
        out
    }
}

/// RFC 3986 2.1.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        if octet != b'%' {
            out.push(octet);
            continue;
        }
        let mut digit = || char::from(octets.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_referral_leads_to_the_same_name_elsewhere() {
        for (url, name, rewritten) in [
            ("ldap://a.example.com/dc=x", "dc=x", "ldaps://gate:1636/dc=x"),
            ("LDAPS://[::1]:636/ou=a%20b,dc=x??sub", "ou=a b,dc=x", "ldaps://gate:1636/ou=a%20b,dc=x??sub"),
            ("ldap:///cn=a%3Fb,dc=x?cn?one?(cn=*)", "cn=a?b,dc=x", "ldaps://gate:1636/cn=a%3Fb,dc=x?cn?one?(cn=*)"),
        ] {
            let read = LdapUrl::parse(url.as_bytes()).unwrap();
            assert_eq!(read.name, Some(name.parse().unwrap()), "{url}");
            assert_eq!(read.at("ldaps://gate:1636"), rewritten);
            assert_eq!(LdapUrl::parse(rewritten.as_bytes()).unwrap().name, read.name, "read as it was written");
        }
        for url in ["ldap://a.example.com", "ldap://a.example.com/", "ldap://a.example.com/??base"] {
            assert_eq!(LdapUrl::parse(url.as_bytes()).unwrap().name, None, "{url}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_no_ldap_url() {
        for url in [
            "http://a/dc=x",
            "ldapi://%2frun%2fldapi/dc=x",
            "dc=x",
            "ldap://a/no name",
            "ldap://a/dc=%zz",
            "ldap://a/dc=x%4",
            "ldap://a/dc=x????!bindname=cn=y",
            "ldap://a/dc=x??sub?(cn=a b)",
            "ldap://a/dc=x#fragment",
        ] {
            assert_eq!(LdapUrl::parse(url.as_bytes()), None, "{url}");
        }
        assert_eq!(LdapUrl::parse(b"ldap://a/dc=\xff"), None);
    }
}
