//! Controls (RFC 4511 4.1.11) as (oid, criticality, value), and the OIDs of the well-known ones.
//!
//! Read as slapd reads them where there is only one way to understand it: an encoded FALSE (a DEFAULT that
//! DER would leave out) and a TRUE that is not 0xff are accepted and forwarded canonically. Stricter than slapd:
//! trailing elements, OIDs that are none, one control twice, more than [`MAX_CONTROLS`].
//! What stands in the values of controls is read by [`value`].

use super::attribute::numeric_oid;
use super::ber::{self, BerError, Reader, universal};

pub mod value;

/// More controls than this on one message are refused.
pub const MAX_CONTROLS: usize = 64;

/// The OIDs of the well-known controls.
#[expect(missing_docs, reason = "the names say it; the specification is named beside each")]
pub mod oid {
    pub const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319"; // RFC 2696
    pub const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2"; // RFC 3296
    pub const SORT_REQUEST: &str = "1.2.840.113556.1.4.473"; // RFC 2891
    pub const SORT_RESPONSE: &str = "1.2.840.113556.1.4.474"; // RFC 2891
    pub const VLV_REQUEST: &str = "2.16.840.1.113730.3.4.9"; // draft-ietf-ldapext-ldapv3-vlv
    pub const VLV_RESPONSE: &str = "2.16.840.1.113730.3.4.10"; // draft-ietf-ldapext-ldapv3-vlv
    pub const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1"; // draft-behera-ldap-password-policy
    pub const PASSWORD_EXPIRED: &str = "2.16.840.1.113730.3.4.4"; // draft-vchu-ldap-pwd-policy
    pub const PASSWORD_EXPIRING: &str = "2.16.840.1.113730.3.4.5"; // draft-vchu-ldap-pwd-policy
    pub const ASSERTION: &str = "1.3.6.1.1.12"; // RFC 4528
    pub const PRE_READ: &str = "1.3.6.1.1.13.1"; // RFC 4527
    pub const POST_READ: &str = "1.3.6.1.1.13.2"; // RFC 4527
    pub const MATCHED_VALUES: &str = "1.2.826.0.1.3344810.2.3"; // RFC 3876
    pub const SUBENTRIES: &str = "1.3.6.1.4.1.4203.1.10.1"; // RFC 3672
    pub const DONT_USE_COPY: &str = "1.3.6.1.1.22"; // RFC 6171
    pub const NO_OP: &str = "1.3.6.1.4.1.4203.666.5.2"; // draft-zeilenga-ldap-noop, as OpenLDAP has it
    pub const NO_OP_ELSEWHERE: &str = "1.3.6.1.4.1.4203.1.10.2"; // the same, as other directories have it
    pub const RELAX_RULES: &str = "1.3.6.1.4.1.4203.666.5.12"; // draft-zeilenga-ldap-relax
    pub const DEREFERENCE: &str = "1.3.6.1.4.1.4203.666.5.16"; // draft-masarati-ldap-deref
    pub const SESSION_TRACKING: &str = "1.3.6.1.4.1.21008.108.63.1"; // draft-wahl-ldap-session
    pub const TRANSACTION: &str = "1.3.6.1.1.21.2"; // RFC 5805
    pub const PROXIED_AUTHORIZATION_V1: &str = "2.16.840.1.113730.3.4.12"; // draft-weltman-ldapv3-proxy-04
    pub const PROXIED_AUTHORIZATION_V2: &str = "2.16.840.1.113730.3.4.18"; // RFC 4370
    pub const AUTHORIZATION_IDENTITY_REQUEST: &str = "2.16.840.1.113730.3.4.16"; // RFC 3829
    pub const AUTHORIZATION_IDENTITY_RESPONSE: &str = "2.16.840.1.113730.3.4.15"; // RFC 3829
    pub const SYNC_REQUEST: &str = "1.3.6.1.4.1.4203.1.9.1.1"; // RFC 4533
    pub const SYNC_STATE: &str = "1.3.6.1.4.1.4203.1.9.1.2"; // RFC 4533
    pub const SYNC_DONE: &str = "1.3.6.1.4.1.4203.1.9.1.3"; // RFC 4533
    pub const PERSISTENT_SEARCH: &str = "2.16.840.1.113730.3.4.3"; // draft-ietf-ldapext-psearch
    pub const ENTRY_CHANGE_NOTIFICATION: &str = "2.16.840.1.113730.3.4.7"; // draft-ietf-ldapext-psearch
    pub const TREE_DELETE: &str = "1.2.840.113556.1.4.805"; // draft-armijo-ldap-treedelete, MS-ADTS
    pub const DIR_SYNC: &str = "1.2.840.113556.1.4.841"; // MS-ADTS
    pub const ATTRIBUTE_SCOPED_QUERY: &str = "1.2.840.113556.1.4.1504"; // MS-ADTS
    pub const SHOW_RECYCLED: &str = "1.2.840.113556.1.4.2064"; // MS-ADTS
    pub const SHOW_DEACTIVATED_LINK: &str = "1.2.840.113556.1.4.2065"; // MS-ADTS
    pub const SEARCH_OPTIONS: &str = "1.2.840.113556.1.4.1340"; // MS-ADTS
    pub const RANGE_OPTION: &str = "1.2.840.113556.1.4.802"; // MS-ADTS
    pub const LAZY_COMMIT: &str = "1.2.840.113556.1.4.619"; // MS-ADTS
    pub const STATISTICS: &str = "1.2.840.113556.1.4.970"; // MS-ADTS
    pub const CROSS_DOMAIN_MOVE: &str = "1.2.840.113556.1.4.521"; // MS-ADTS
    pub const NO_OP_SEARCH: &str = "1.3.6.1.4.1.4203.666.5.18"; // OpenLDAP, slapo-noopsrch
    pub const CHAINING: &str = "1.3.6.1.4.1.4203.666.11.3"; // draft-sermersheim-ldap-chaining
    pub const SHOW_DELETED: &str = "1.2.840.113556.1.4.417"; // MS-ADTS
    pub const EXTENDED_DN: &str = "1.2.840.113556.1.4.529"; // MS-ADTS
    pub const SD_FLAGS: &str = "1.2.840.113556.1.4.801"; // MS-ADTS
    pub const SERVER_NOTIFICATION: &str = "1.2.840.113556.1.4.528"; // MS-ADTS
    pub const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339"; // MS-ADTS
    pub const PERMISSIVE_MODIFY: &str = "1.2.840.113556.1.4.1413"; // MS-ADTS
}

/// One control of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control<'a> {
    /// Which control. Checked to be a numeric OID (RFC 4512 1.4).
    pub oid: &'a str,
    /// Whether the operation must fail when the control cannot be honoured.
    pub critical: bool,
    /// `None` and `Some(b"")` are different things.
    pub value: Option<&'a [u8]>,
}

/// What is wrong with a controls element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.describe())]
pub enum ControlError {
    /// Not the encoding of controls.
    Ber(#[from] BerError),
    /// A control type that is not a numeric OID.
    Oid,
    /// The same control twice: readers differ on which one counts.
    Repeated,
    /// More than [`MAX_CONTROLS`].
    TooMany,
}

impl ControlError {
    /// What is wrong, for a diagnostic message.
    pub fn describe(self) -> &'static str {
        match self {
            ControlError::Ber(_) => "malformed control",
            ControlError::Oid => "control type is not an OID",
            ControlError::Repeated => "control given twice",
            ControlError::TooMany => "too many controls",
        }
    }
}

/// Decodes the content of a controls element.
pub fn decode_controls(content: &[u8]) -> Result<Vec<Control<'_>>, ControlError> {
    let mut reader = Reader::new(content);
    let mut controls: Vec<Control<'_>> = Vec::new();
    while !reader.is_empty() {
        let control = decode_control(reader.sequence()?)?;
        if controls.iter().any(|earlier| earlier.oid == control.oid) {
            return Err(ControlError::Repeated);
        }
        if controls.len() == MAX_CONTROLS {
            return Err(ControlError::TooMany);
        }
        controls.push(control);
    }
    Ok(controls)
}

fn decode_control(mut reader: Reader<'_>) -> Result<Control<'_>, ControlError> {
    let oid = numeric_oid(reader.octets()?).ok_or(ControlError::Oid)?;
    let critical = match reader.optional(universal::BOOLEAN)? {
        Some(content) => ber::boolean_content(content)?,
        None => false,
    };
    let value = reader.optional(universal::OCTET_STRING)?;
    reader.finish()?;
    Ok(Control { oid, critical, value })
}

/// Appends the content of a controls element; criticality FALSE is left out (RFC 4511 5.1 (4)).
pub fn write_controls(out: &mut Vec<u8>, controls: &[Control<'_>]) {
    for control in controls {
        ber::write_constructed(out, universal::SEQUENCE, |out| {
            ber::write_octets(out, control.oid.as_bytes());
            if control.critical {
                ber::write_boolean(out, universal::BOOLEAN, true);
            }
            if let Some(value) = control.value {
                ber::write_octets(out, value);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_read_as_slapd_reads_them_and_written_canonically() {
        let control = |critical, value| Control { oid: "1.2", critical, value };
        for (encoded, expected, canonical) in [
            (&b"\x30\x05\x04\x031.2"[..], control(false, None), &b"\x30\x05\x04\x031.2"[..]),
            (b"\x30\x08\x04\x031.2\x01\x01\xff", control(true, None), b"\x30\x08\x04\x031.2\x01\x01\xff"),
            (b"\x30\x08\x04\x031.2\x01\x01\x01", control(true, None), b"\x30\x08\x04\x031.2\x01\x01\xff"),
            (b"\x30\x08\x04\x031.2\x01\x01\x00", control(false, None), b"\x30\x05\x04\x031.2"),
            (b"\x30\x07\x04\x031.2\x04\x00", control(false, Some(b"")), b"\x30\x07\x04\x031.2\x04\x00"),
            (
                b"\x30\x81\x0b\x04\x031.2\x01\x01\xff\x04\x01x",
                control(true, Some(b"x")),
                b"\x30\x0b\x04\x031.2\x01\x01\xff\x04\x01x",
            ),
        ] {
            assert_eq!(decode_controls(encoded), Ok(vec![expected]), "{encoded:x?}");
            let mut out = Vec::new();
            write_controls(&mut out, &[expected]);
            assert_eq!(out, canonical);
        }
        assert_eq!(decode_controls(b""), Ok(Vec::new()));
    }

    #[test]
    fn one_control_twice_and_too_many_are_refused() {
        let oids: Vec<String> = (0..=MAX_CONTROLS).map(|number| format!("1.{number}")).collect();
        let all: Vec<_> = oids.iter().map(|oid| Control { oid, critical: false, value: None }).collect();
        let encode = |controls: &[Control<'_>]| {
            let mut out = Vec::new();
            write_controls(&mut out, controls);
            out
        };
        assert_eq!(decode_controls(&encode(&all[1..])).as_deref(), Ok(&all[1..]));
        assert_eq!(decode_controls(&encode(&all)), Err(ControlError::TooMany));
        let twice = [all[0], Control { critical: true, ..all[0] }];
        assert_eq!(decode_controls(&encode(&twice)), Err(ControlError::Repeated));
        assert_eq!(decode_controls(b"\x30\x03\x04\x01x"), Err(ControlError::Oid));
    }

    /// A typing error in one of these would open a hole, or close a door, without a sound.
    #[test]
    fn the_oids_are_oids_and_all_different() {
        use oid::*;
        let mut all = [
            PAGED_RESULTS,
            MANAGE_DSA_IT,
            SORT_REQUEST,
            SORT_RESPONSE,
            VLV_REQUEST,
            VLV_RESPONSE,
            PASSWORD_POLICY,
            PASSWORD_EXPIRED,
            PASSWORD_EXPIRING,
            ASSERTION,
            PRE_READ,
            POST_READ,
            MATCHED_VALUES,
            SUBENTRIES,
            DONT_USE_COPY,
            NO_OP,
            NO_OP_ELSEWHERE,
            RELAX_RULES,
            DEREFERENCE,
            SESSION_TRACKING,
            TRANSACTION,
            PROXIED_AUTHORIZATION_V1,
            PROXIED_AUTHORIZATION_V2,
            AUTHORIZATION_IDENTITY_REQUEST,
            AUTHORIZATION_IDENTITY_RESPONSE,
            SYNC_REQUEST,
            SYNC_STATE,
            SYNC_DONE,
            PERSISTENT_SEARCH,
            ENTRY_CHANGE_NOTIFICATION,
            TREE_DELETE,
            DIR_SYNC,
            ATTRIBUTE_SCOPED_QUERY,
            SHOW_DELETED,
            EXTENDED_DN,
            SD_FLAGS,
            SERVER_NOTIFICATION,
            DOMAIN_SCOPE,
            PERMISSIVE_MODIFY,
            SHOW_RECYCLED,
            SHOW_DEACTIVATED_LINK,
            SEARCH_OPTIONS,
            RANGE_OPTION,
            LAZY_COMMIT,
            STATISTICS,
            CROSS_DOMAIN_MOVE,
            NO_OP_SEARCH,
            CHAINING,
        ];
        assert!(all.iter().all(|oid| numeric_oid(oid.as_bytes()).is_some()));
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
