//! Standard attribute types: names, aliases and OIDs that mean one thing (RFC 4519, RFC 4524,
//! RFC 2798, RFC 2307, and the naming attributes of Active Directory), and how their values compare.
//!
//! What is not in the table is not unknown to the directory: it may be an alias of anything else
//! that is not in it. [`crate::engine::ldap::dn`] says what follows. What the directory itself says is
//! [`super::Schema`]'s; a test holds the two tables together.

/// How values of an attribute type compare, as far as naming needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Case and insignificant space are ignored (RFC 4517 4.2.11; ASCII-only syntaxes included).
    CaseIgnore,
    /// Some directories tell case apart (RFC 2307, RFC 4517 4.2.3), others do not.
    CaseExact,
    /// As [`Rule::CaseIgnore`]; spaces and hyphens are ignored (RFC 4517 4.2.20 and 4.2.22).
    Compact,
    /// An integer: leading zeros are ignored.
    Integer,
    /// A DN; compared as one (RFC 4517 4.2.15).
    Dn,
    /// A time (RFC 4517 4.2.16): the same instant may be written in several ways.
    Time,
    /// A UUID (RFC 4530 2.3).
    Uuid,
    /// Bits (RFC 4517 4.2.1): zeros at the end may be ignored.
    Bits,
    /// Not known here: any two values may be equal.
    Other,
}

/// One standard attribute type.
#[derive(Debug, PartialEq, Eq)]
pub struct AttributeType {
    /// Its short name in lower case: one for all aliases and the OID.
    pub name: &'static str,
    /// Its numeric OID.
    pub oid: &'static str,
    /// How its values compare.
    pub rule: Rule,
    /// A bit for it, which it may share with others: see [`type_bit`].
    pub bit: u64,
}

/// The bit of types that are not in the table.
pub const STRANGE: u64 = 1 << 63;

/// The bit of a standard type, by its name: one of 63, so that a name's types can be compared with those that a
/// directory defines otherwise, in one step. The usual types share theirs with no other.
pub const fn type_bit(name: &str) -> u64 {
    let own = match name.as_bytes() {
        b"dc" => 0,
        b"ou" => 1,
        b"cn" => 2,
        b"uid" => 3,
        b"o" => 4,
        b"c" => 5,
        b"l" => 6,
        b"st" => 7,
        octets => {
            let (mut hash, mut at) = (0_u32, 0);
            while at < octets.len() {
                hash = hash.wrapping_mul(31).wrapping_add(octets[at] as u32);
                at += 1;
            }
            8 + hash % 55
        }
    };
    1 << own
}

macro_rules! attribute_types {
    ($( $rule:ident $name:literal $oid:literal $($alias:literal)* ; )*) => {
        /// Every standard attribute type.
        pub static ATTRIBUTE_TYPES: &[AttributeType] =
            &[$( AttributeType { name: $name, oid: $oid, rule: Rule::$rule, bit: type_bit($name) } ),*];

        /// Looks up a name (in lower case) or a numeric OID.
        pub fn attribute_type(lower_name_or_oid: &str) -> Option<&'static AttributeType> {
            match lower_name_or_oid {
                $( $name | $oid $(| $alias)* => {
                    const { Some(&AttributeType { name: $name, oid: $oid, rule: Rule::$rule, bit: type_bit($name) }) }
                } )*
                _ => None,
            }
        }

        /// The name of each, and all that it is called: its name, OID and aliases.
        pub(in crate::engine::ldap) const NAMES: &[(&str, &[&str])] = &[$( ($name, &[$name, $oid $(, $alias)*]) ),*];
    };
}

attribute_types! {
    // The usual ones first: the match is tried in this order.
    CaseIgnore "dc" "0.9.2342.19200300.100.1.25" "domaincomponent";
    CaseIgnore "ou" "2.5.4.11" "organizationalunitname";
    CaseIgnore "cn" "2.5.4.3" "commonname";
    CaseIgnore "uid" "0.9.2342.19200300.100.1.1" "userid";
    CaseIgnore "o" "2.5.4.10" "organizationname" "organization";
    CaseIgnore "c" "2.5.4.6" "countryname";
    CaseIgnore "l" "2.5.4.7" "localityname" "locality";
    CaseIgnore "st" "2.5.4.8" "stateorprovincename" "s";
    CaseIgnore "street" "2.5.4.9" "streetaddress";
    CaseIgnore "sn" "2.5.4.4" "surname";
    CaseIgnore "mail" "0.9.2342.19200300.100.1.3" "rfc822mailbox";
    // RFC 4519.
    CaseIgnore "businesscategory" "2.5.4.15";
    CaseIgnore "description" "2.5.4.13";
    CaseIgnore "destinationindicator" "2.5.4.27";
    Dn "distinguishedname" "2.5.4.49";
    CaseIgnore "dnqualifier" "2.5.4.46";
    CaseIgnore "generationqualifier" "2.5.4.44";
    CaseIgnore "givenname" "2.5.4.42" "gn";
    CaseIgnore "houseidentifier" "2.5.4.51";
    CaseIgnore "initials" "2.5.4.43";
    Compact "internationalisdnnumber" "2.5.4.25" "internationalisdn";
    Dn "member" "2.5.4.31";
    CaseIgnore "name" "2.5.4.41";
    Dn "owner" "2.5.4.32";
    CaseIgnore "physicaldeliveryofficename" "2.5.4.19";
    CaseIgnore "postaladdress" "2.5.4.16";
    CaseIgnore "postalcode" "2.5.4.17";
    CaseIgnore "postofficebox" "2.5.4.18";
    CaseIgnore "registeredaddress" "2.5.4.26";
    Dn "roleoccupant" "2.5.4.33";
    Dn "seealso" "2.5.4.34";
    CaseIgnore "serialnumber" "2.5.4.5";
    Compact "telephonenumber" "2.5.4.20";
    Other "teletexterminalidentifier" "2.5.4.22";
    Other "telexnumber" "2.5.4.21";
    CaseIgnore "title" "2.5.4.12";
    Compact "x121address" "2.5.4.24";
    Bits "x500uniqueidentifier" "2.5.4.45";
    CaseIgnore "pseudonym" "2.5.4.65";
    CaseIgnore "knowledgeinformation" "2.5.4.2";
    // RFC 4512.
    Other "objectclass" "2.5.4.0";
    Dn "aliasedobjectname" "2.5.4.1" "aliasedentryname";
    Dn "creatorsname" "2.5.18.3";
    Dn "modifiersname" "2.5.18.4";
    Time "createtimestamp" "2.5.18.1";
    Time "modifytimestamp" "2.5.18.2";
    // RFC 4524.
    CaseIgnore "associateddomain" "0.9.2342.19200300.100.1.37";
    Dn "associatedname" "0.9.2342.19200300.100.1.38";
    CaseIgnore "buildingname" "0.9.2342.19200300.100.1.48";
    CaseIgnore "co" "0.9.2342.19200300.100.1.43" "friendlycountryname";
    Dn "documentauthor" "0.9.2342.19200300.100.1.14";
    CaseIgnore "documentidentifier" "0.9.2342.19200300.100.1.11";
    CaseIgnore "documentlocation" "0.9.2342.19200300.100.1.15";
    CaseIgnore "documentpublisher" "0.9.2342.19200300.100.1.56";
    CaseIgnore "documenttitle" "0.9.2342.19200300.100.1.12";
    CaseIgnore "documentversion" "0.9.2342.19200300.100.1.13";
    CaseIgnore "drink" "0.9.2342.19200300.100.1.5" "favouritedrink";
    Compact "homephone" "0.9.2342.19200300.100.1.20" "hometelephonenumber";
    CaseIgnore "homepostaladdress" "0.9.2342.19200300.100.1.39";
    CaseIgnore "host" "0.9.2342.19200300.100.1.9";
    CaseIgnore "info" "0.9.2342.19200300.100.1.4";
    Dn "manager" "0.9.2342.19200300.100.1.10";
    Compact "mobile" "0.9.2342.19200300.100.1.41" "mobiletelephonenumber";
    CaseIgnore "organizationalstatus" "0.9.2342.19200300.100.1.45";
    Compact "pager" "0.9.2342.19200300.100.1.42" "pagertelephonenumber";
    CaseIgnore "personaltitle" "0.9.2342.19200300.100.1.40";
    CaseIgnore "roomnumber" "0.9.2342.19200300.100.1.6";
    Dn "secretary" "0.9.2342.19200300.100.1.21";
    CaseIgnore "uniqueidentifier" "0.9.2342.19200300.100.1.44";
    CaseIgnore "userclass" "0.9.2342.19200300.100.1.8";
    Dn "ditredirect" "0.9.2342.19200300.100.1.54";
    // RFC 2798, RFC 2985.
    CaseIgnore "carlicense" "2.16.840.1.113730.3.1.1";
    CaseIgnore "departmentnumber" "2.16.840.1.113730.3.1.2";
    CaseIgnore "displayname" "2.16.840.1.113730.3.1.241";
    CaseIgnore "employeenumber" "2.16.840.1.113730.3.1.3";
    CaseIgnore "employeetype" "2.16.840.1.113730.3.1.4";
    CaseIgnore "preferredlanguage" "2.16.840.1.113730.3.1.39";
    CaseIgnore "email" "1.2.840.113549.1.9.1" "emailaddress" "pkcs9email" "e";
    CaseIgnore "unstructuredname" "1.2.840.113549.1.9.2";
    CaseIgnore "unstructuredaddress" "1.2.840.113549.1.9.8";
    // RFC 2307.
    Integer "uidnumber" "1.3.6.1.1.1.1.0";
    Integer "gidnumber" "1.3.6.1.1.1.1.1";
    CaseExact "memberuid" "1.3.6.1.1.1.1.12";
    CaseExact "membernisnetgroup" "1.3.6.1.1.1.1.13";
    Other "nisnetgrouptriple" "1.3.6.1.1.1.1.14";
    Integer "ipserviceport" "1.3.6.1.1.1.1.15";
    CaseIgnore "ipserviceprotocol" "1.3.6.1.1.1.1.16";
    Integer "ipprotocolnumber" "1.3.6.1.1.1.1.17";
    Integer "oncrpcnumber" "1.3.6.1.1.1.1.18";
    CaseIgnore "iphostnumber" "1.3.6.1.1.1.1.19";
    CaseIgnore "ipnetworknumber" "1.3.6.1.1.1.1.20";
    CaseIgnore "macaddress" "1.3.6.1.1.1.1.22";
    CaseExact "nismapname" "1.3.6.1.1.1.1.26";
    CaseExact "nismapentry" "1.3.6.1.1.1.1.27";
    CaseExact "automountmapname" "1.3.6.1.1.1.1.31";
    CaseExact "automountkey" "1.3.6.1.1.1.1.32";
    CaseExact "automountinformation" "1.3.6.1.1.1.1.33";
    // RFC 4530, RFC 5020.
    Uuid "entryuuid" "1.3.6.1.1.16.4";
    Dn "entrydn" "1.3.6.1.1.20";
    // Directories' own.
    CaseIgnore "nsuniqueid" "2.16.840.1.113730.3.1.542";
    CaseIgnore "samaccountname" "1.2.840.113556.1.4.221";
    CaseIgnore "userprincipalname" "1.2.840.113556.1.4.656";
    CaseIgnore "jurisdictionlocalityname" "1.3.6.1.4.1.311.60.2.1.1" "jurisdictionl";
    CaseIgnore "jurisdictionstateorprovincename" "1.3.6.1.4.1.311.60.2.1.2" "jurisdictionst";
    CaseIgnore "jurisdictioncountryname" "1.3.6.1.4.1.311.60.2.1.3" "jurisdictionc";
}

/// Looks up a name in any case, or a numeric OID.
pub(in crate::engine::ldap) fn known_type(name: &[u8]) -> Option<&'static AttributeType> {
    // Nearly all names there are. Setting the bit makes lower case of upper case, and a letter of nothing else.
    let usual = match *name {
        [a, b] => match [a | 0x20, b | 0x20] {
            [b'd', b'c'] => "dc",
            [b'o', b'u'] => "ou",
            [b'c', b'n'] => "cn",
            _ => "",
        },
        [a, b, c] if [a | 0x20, b | 0x20, c | 0x20] == *b"uid" => "uid",
        _ => "",
    };
    if !usual.is_empty() {
        return attribute_type(usual);
    }
    // No known name is longer.
    let mut lower = [0; 32];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    attribute_type(std::str::from_utf8(lower).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_name_alias_and_oid_leads_to_its_type_and_to_no_other() {
        let mut seen = HashSet::new();
        for (canonical, names) in NAMES {
            for name in *names {
                assert_eq!(attribute_type(name).map(|t| t.name), Some(*canonical), "{name}");
                assert_eq!(known_type(name.to_ascii_uppercase().as_bytes()), attribute_type(name), "{name}");
                assert_eq!(*name, name.to_ascii_lowercase(), "names are looked up in lower case");
                assert!(seen.insert(*name), "{name} is listed twice");
            }
        }
        assert_eq!(ATTRIBUTE_TYPES.len(), NAMES.len());
        assert!(attribute_type("payrollunit").is_none());
    }
}
