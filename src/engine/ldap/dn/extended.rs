//! Names as the extended DN control has Active Directory write them (MS-ADTS 3.1.1.3.4.1.5): identifiers in
//! angle brackets, then the DN. No DN begins with a bracket (RFC 4514 3), so that one cannot be taken for the other.

/// What stands behind the identifiers; all of it where these are no identifiers, which then is no DN.
pub fn name(octets: &[u8]) -> &[u8] {
    let mut rest = octets;
    for prefix in [&b"<GUID="[..], b"<SID="] {
        rest = behind(rest, prefix).unwrap_or(rest);
    }
    // An entry that was asked for must have a name of its own: nothing is the rootDSE's.
    if rest.is_empty() { octets } else { rest }
}

/// Whether a value names an entry by an identifier: `<GUID=…>`, `<SID=…>` or `<WKGUID=…,…>` (MS-ADTS 3.1.1.3.1.2.4), in any
/// case, perhaps behind the octets or the text of a syntax that has these before a name.
pub fn is_identifier(value: &[u8]) -> bool {
    let Some(at) = value.iter().position(|octet| *octet == b'<') else { return false };
    let (before, named) = value.split_at(at);
    let begins = before.iter().all(u8::is_ascii_whitespace) || without_prefix(value).trim_ascii_start() == named;
    let word = |word: &[u8]| named.get(1..=word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    begins && [&b"GUID="[..], b"SID=", b"WKGUID="].into_iter().any(word)
}

/// What stands behind `B:` or `S:`, a count, so many octets or characters, and a colon (MS-ADTS 3.1.1.3.1.2.4: DN with
/// octets, DN with text); all of a value that does not begin so. No DN begins with a letter and a colon.
pub fn without_prefix(value: &[u8]) -> &[u8] {
    let inside = || {
        let rest = value.strip_prefix(b"B:").or_else(|| value.strip_prefix(b"S:"))?;
        let colon = rest.iter().position(|octet| *octet == b':')?;
        let count: usize = std::str::from_utf8(rest.get(..colon)?).ok()?.parse().ok()?;
        let text = std::str::from_utf8(rest.get(colon + 1..)?).ok()?;
        // Whichever way of counting leads to a colon.
        let by_octets = text.as_bytes().get(count..).and_then(|rest| rest.strip_prefix(b":"));
        let by_characters = || {
            let (at, _) = text.char_indices().nth(count)?;
            text.as_bytes().get(at..)?.strip_prefix(b":")
        };
        by_octets.or_else(by_characters)
    };
    inside().unwrap_or(value)
}

fn behind<'a>(octets: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let identifier = octets.strip_prefix(prefix)?;
    // Hexadecimal, or a GUID with hyphens, or a SID as S-1-….
    let end = identifier.iter().position(|octet| !octet.is_ascii_hexdigit() && !matches!(octet, b'-' | b'S'))?;
    identifier.get(end..)?.strip_prefix(b">;")
}

#[cfg(test)]
mod tests {
    use super::{is_identifier, name, without_prefix};

    #[test]
    fn identifiers_in_values_are_seen() {
        for (value, expected) in [
            ("<SID=S-1-5-21-1>", true),
            (" <guid=00ff>", true),
            ("<WKGUID=00,dc=x>", true),
            ("<GUID=00>;cn=a,dc=x", true),
            ("B:4:00ff:<SID=01>", true),
            ("S:2:äö:<SID=01>", true),
            ("S:4:äö:<SID=01>", true),
            ("cn=a,dc=x", false),
            ("cn=<SID=1>,dc=x", false),
            ("<b>SID=1</b>", false),
            ("S:9:a:<SID=01>", false),
            ("", false),
        ] {
            assert_eq!(is_identifier(value.as_bytes()), expected, "{value}");
        }
        assert_eq!(without_prefix(b"B:4:00ff:cn=a,dc=x"), b"cn=a,dc=x");
        assert_eq!(without_prefix(b"B:5:00ff:cn=a,dc=x"), b"B:5:00ff:cn=a,dc=x");
    }

    #[test]
    fn identifiers_are_taken_off() {
        for (written, plain) in [
            ("dc=x", "dc=x"),
            ("<GUID=00ff>;dc=x", "dc=x"),
            ("<GUID=00ff>;<SID=S-1-5-21>;cn=a\\2cb,dc=x", "cn=a\\2cb,dc=x"),
            ("<SID=01>;dc=x", "dc=x"),
            ("", ""),
        ] {
            assert_eq!(name(written.as_bytes()), plain.as_bytes());
        }
        for no_name in ["<GUID=00>;", "<GUID=00>", "<WKGUID=00>;dc=x", "<GUID=0;0>;dc=x", "<SID=01>;<GUID=00>;dc=x"] {
            assert!(name(no_name.as_bytes()).starts_with(b"<"), "{no_name}");
        }
    }
}
