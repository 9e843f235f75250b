//! Which attributes hold secrets: their values are never recorded, whatever names them.

/// Names and OIDs of attributes whose values are secrets or what secrets are derived from.
const SENSITIVE: &[&str] = &[
    "userPassword",
    "2.5.4.35",
    "authPassword",
    "1.3.6.1.4.1.4203.1.3.4",
    "userPKCS12",
    "2.16.840.1.113730.3.1.216",
    "pwdHistory",
    "1.3.6.1.4.1.42.2.27.8.1.20",
    "passwordHistory",
    "2.16.840.1.113730.3.1.96",
    // Active Directory and Samba.
    "unicodePwd",
    "1.2.840.113556.1.4.90",
    "dBCSPwd",
    "1.2.840.113556.1.4.55",
    "lmPwdHistory",
    "1.2.840.113556.1.4.160",
    "ntPwdHistory",
    "1.2.840.113556.1.4.94",
    "unixUserPassword",
    "1.2.840.113556.1.4.1910",
    "msSFU30Password",
    "msFVE-RecoveryPassword",
    "1.2.840.113556.1.4.1964",
    "supplementalCredentials",
    "1.2.840.113556.1.4.125",
    "currentValue",
    "1.2.840.113556.1.4.27",
    "priorValue",
    "1.2.840.113556.1.4.100",
    "trustAuthIncoming",
    "1.2.840.113556.1.4.129",
    "trustAuthOutgoing",
    "1.2.840.113556.1.4.135",
    "initialAuthIncoming",
    "1.2.840.113556.1.4.539",
    "initialAuthOutgoing",
    "1.2.840.113556.1.4.540",
    "msDS-ManagedPassword",
    "1.2.840.113556.1.4.2196",
    "ms-Mcs-AdmPwd",
    "msLAPS-Password",
    "msLAPS-EncryptedPassword",
    "msLAPS-EncryptedPasswordHistory",
    "sambaLMPassword",
    "1.3.6.1.4.1.7165.2.1.24",
    "sambaNTPassword",
    "1.3.6.1.4.1.7165.2.1.25",
    "sambaPasswordHistory",
    "1.3.6.1.4.1.7165.2.1.54",
    "sambaClearTextPassword",
    "1.3.6.1.4.1.7165.2.1.68",
    "sambaPreviousClearTextPassword",
    "1.3.6.1.4.1.7165.2.1.69",
    // Kerberos and FreeIPA.
    "krbPrincipalKey",
    "2.16.840.1.113719.1.301.4.39.1",
    "krbMKey",
    "ipaNTHash",
    "ipatokenOTPkey",
    "oathSecret",
    // The directories' own configuration.
    "olcRootPW",
    "1.3.6.1.4.1.4203.1.12.2.3.2.0.9",
    "olcSyncrepl",
    "1.3.6.1.4.1.4203.1.12.2.3.2.0.11",
    "nsslapd-rootpw",
    "nsDS5ReplicaCredentials",
];

/// The shortest of the above: what is shorter needs no comparing.
pub(super) const SHORTEST: usize = 7;

/// For each length the last octets of names that long, a bit for each (by their lower five bits, so in
/// any case): most names are told apart by that alone.
const ENDINGS: [u32; 64] = {
    let (mut endings, mut at) = ([0; 64], 0);
    while at < SENSITIVE.len() {
        let name = SENSITIVE[at].as_bytes();
        endings[name.len()] |= ending(name[name.len() - 1]);
        at += 1;
    }
    endings
};

const fn ending(octet: u8) -> u32 {
    1 << (octet & 31)
}

/// Whether an attribute description (RFC 4512 2.5: name or OID, in any case, with any options) names a
/// sensitive attribute. What is not of that form is taken to: nobody knows what a directory makes of it.
pub(super) fn is_sensitive(description: &[u8]) -> bool {
    let end = description.iter().position(|byte| *byte == b';').unwrap_or(description.len());
    let (name, _) = description.split_at(end);
    if !name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) || name.is_empty() {
        return true;
    }
    if name.len() < SHORTEST {
        return false;
    }
    // RFC 2253 2.4 wrote OIDs with this in front.
    let name = match name.split_at_checked(4) {
        Some((prefix, oid)) if prefix.eq_ignore_ascii_case(b"oid.") => oid,
        _ => name,
    };
    if name.last().zip(ENDINGS.get(name.len())).is_none_or(|(last, endings)| endings & ending(*last) == 0) {
        return false;
    }
    SENSITIVE.iter().any(|sensitive| sensitive.len() == name.len() && sensitive.as_bytes().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_any_name() {
        for (description, sensitive) in [
            ("userPassword", true),
            ("USERPASSWORD", true),
            ("2.5.4.35", true),
            ("oid.2.5.4.35", true),
            ("userPassword;lang-de;x-a", true),
            ("userPassword ", true),
            ("", true),
            ("user\u{0}Password", true),
            ("krbprincipalkey", true),
            ("unixUserPassword", true),
            ("msFVE-RecoveryPassword", true),
            ("cn", false),
            ("2.5.4.3", false),
            ("userPasswordHint", false),
            ("telephoneNumber;lang-de", false),
            ("dc", false),
            ("a-name-that-is-far-longer-than-any-of-those-that-are-in-the-list-of-secrets", false),
        ] {
            assert_eq!(is_sensitive(description.as_bytes()), sensitive, "{description:?}");
        }
    }

    #[test]
    fn every_one_in_the_list_in_any_case() {
        for name in SENSITIVE {
            for name in [name.to_string(), name.to_ascii_uppercase(), name.to_ascii_lowercase()] {
                assert!(is_sensitive(name.as_bytes()), "{name}");
                assert!(!is_sensitive(format!("{name}-").as_bytes()), "{name}");
            }
        }
    }

    #[test]
    fn the_shortest_is_not_longer_than_the_list_says() {
        let shortest = SENSITIVE.iter().map(|name| name.len()).min();
        assert_eq!(shortest, Some(SHORTEST));
    }
}
