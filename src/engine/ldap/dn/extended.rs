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

fn behind<'a>(octets: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let identifier = octets.strip_prefix(prefix)?;
    // Hexadecimal, or a GUID with hyphens, or a SID as S-1-….
    let end = identifier.iter().position(|octet| !octet.is_ascii_hexdigit() && !matches!(octet, b'-' | b'S'))?;
    identifier.get(end..)?.strip_prefix(b">;")
}

#[cfg(test)]
mod tests {
    use super::name;

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
