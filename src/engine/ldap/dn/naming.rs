//! What a directory's schema says of the attribute types that names are made of.
//!
//! The built-in table ([`super::super::schema::builtin`]) holds for a type until the directory's schema
//! contradicts it. Only names with a type that the table lacks, or that the directory defines otherwise, are
//! read again: [`Naming::concerns`] is one comparison of bits.

use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::schema::{
    ATTRIBUTE_TYPES, AttributeType, NAMES, Rule, STRANGE, Schema, TypeFacts, TypeId, attribute_type,
};
use std::collections::HashSet;
use std::sync::Arc;

/// How names are read by one schema.
#[derive(Debug, Clone, Default)]
pub struct Naming {
    /// The bits of the types that the built-in table does not decide.
    concerned: u64,
    schema: Option<Arc<Schema>>,
    /// For each type of the schema, what it is called in keys, and how its values compare.
    types: Vec<(Box<str>, Rule)>,
}

impl Naming {
    /// Before the directory's schema was read: what is not in the built-in table stays vague.
    pub fn unread() -> Naming {
        Naming::default()
    }

    /// By the schema that was read.
    pub fn of(schema: &Arc<Schema>) -> Naming {
        let count = schema.types().count();
        let mut names: Vec<Option<&'static AttributeType>> = vec![None; count];
        let mut taken = HashSet::new();
        // What has the standard number is the standard type, whatever else has its names.
        let by_oid = |facts: &TypeFacts| facts.oid.as_deref().and_then(attribute_type);
        let by_name =
            |facts: &TypeFacts| facts.names.iter().find_map(|name| attribute_type(&name.to_ascii_lowercase()));
        let finders: [&dyn Fn(&TypeFacts) -> Option<&'static AttributeType>; 2] = [&by_oid, &by_name];
        for find in finders {
            for ((_, facts), slot) in schema.types().zip(&mut names).filter(|(_, slot)| slot.is_none()) {
                *slot = find(facts).filter(|standard| taken.insert(standard.name));
            }
        }
        let mut concerned = STRANGE;
        let described = |name: &str| schema.canonical(AttributeDescription(name.as_bytes()));
        for (standard, (_, all)) in ATTRIBUTE_TYPES.iter().zip(NAMES) {
            let is_it =
                |id: TypeId| names.get(id.index()).copied().flatten().is_some_and(|at| at.name == standard.name);
            let agrees = |id: TypeId| schema.facts(id).is_some_and(|facts| agrees(standard.rule, facts));
            if !all.iter().all(|name| described(name).is_some_and(|id| is_it(id) && agrees(id))) {
                concerned |= standard.bit;
            }
        }
        let types = schema.types().zip(&names).map(|((id, facts), standard)| match standard {
            Some(standard) if agrees(standard.rule, facts) => (standard.name.into(), standard.rule),
            Some(standard) => (standard.name.into(), rule_of(facts)),
            None => (own_name(id, facts), rule_of(facts)),
        });
        Naming { concerned, types: types.collect(), schema: Some(Arc::clone(schema)) }
    }

    /// Whether a name with these types has to be read again.
    #[inline]
    pub(super) fn concerns(&self, types: u64) -> bool {
        self.concerned & types != 0
    }

    /// What a type is called in keys, and how its values compare; `None`: it may be any type.
    pub(super) fn known(&self, written: &str) -> Option<(&str, Rule)> {
        let id = self.schema.as_ref()?.canonical(AttributeDescription(written.as_bytes()))?;
        self.types.get(id.index()).map(|(name, rule)| (&**name, *rule))
    }
}

/// For keys: the number, or where there is none what no standard type is called.
fn own_name(id: TypeId, facts: &TypeFacts) -> Box<str> {
    match &facts.oid {
        Some(oid) => oid.clone(),
        None => format!("~{}", id.index()).into(),
    }
}

/// How values of a type compare by its equality rule or, where it has none, by its syntax.
fn rule_of(facts: &TypeFacts) -> Rule {
    let syntax = facts.syntax.as_deref().unwrap_or_default();
    match facts.equality.as_deref() {
        // caseIgnoreMatch, caseIgnoreIA5Match.
        Some("2.5.13.2" | "1.3.6.1.4.1.1466.109.114.2") => Rule::CaseIgnore,
        // caseExactMatch, caseExactIA5Match, booleanMatch, octetStringMatch: the coarse form folds more.
        Some("2.5.13.5" | "1.3.6.1.4.1.1466.109.114.1" | "2.5.13.13" | "2.5.13.17") => Rule::CaseExact,
        // numericStringMatch, telephoneNumberMatch.
        Some("2.5.13.8" | "2.5.13.20") => Rule::Compact,
        Some("2.5.13.14") => Rule::Integer,
        Some("2.5.13.1") => Rule::Dn,
        Some("2.5.13.27") => Rule::Time,
        Some("1.3.6.1.1.16.2") => Rule::Uuid,
        Some("2.5.13.16") => Rule::Bits,
        Some(_) => Rule::Other,
        None => match syntax.strip_prefix("1.3.6.1.4.1.1466.115.121.1.").unwrap_or(syntax) {
            // Boolean, Country String, Directory String, IA5 String, Octet String, Printable String; Active
            // Directory's strings. Without a rule some directories compare octets.
            "7" | "11" | "15" | "26" | "40" | "44" | "1.2.840.113556.1.4.905" | "1.2.840.113556.1.4.1362" => {
                Rule::CaseExact
            }
            "36" | "50" => Rule::Compact,
            "27" | "1.2.840.113556.1.4.906" => Rule::Integer,
            "12" => Rule::Dn,
            "24" => Rule::Time,
            "1.3.6.1.1.16.1" => Rule::Uuid,
            "6" => Rule::Bits,
            _ => Rule::Other,
        },
    }
}

/// Whether names may be compared by a standard rule where the directory defines the type like this: what may be
/// equal to the directory is equal by the coarse form, and what is equal by the fine form is equal to the directory.
fn agrees(standard: Rule, facts: &TypeFacts) -> bool {
    let directory = rule_of(facts);
    // Active Directory names no rules; a string of it compares as everywhere.
    let is_string = directory == Rule::CaseIgnore || directory == Rule::CaseExact && facts.equality.is_none();
    // caseIgnoreListMatch: lines of a postal address.
    let is_list = facts.equality.as_deref() == Some("2.5.13.11") || facts.syntax.as_deref().is_some_and(is_postal);
    match standard {
        Rule::CaseIgnore => is_string || is_list,
        Rule::CaseExact => is_string || directory == Rule::CaseExact,
        Rule::Compact => is_string || directory == Rule::Compact,
        Rule::Integer => is_string || directory == Rule::Integer,
        Rule::Dn | Rule::Time | Rule::Uuid | Rule::Bits => directory == standard,
        Rule::Other => true,
    }
}

fn is_postal(syntax: &str) -> bool {
    syntax == "1.3.6.1.4.1.1466.115.121.1.41"
}

#[cfg(test)]
mod tests {
    use super::super::Dn;
    use super::*;

    /// Further names of standard types, types of its own, and standard types that it defines otherwise.
    const OWN: &[&str] = &[
        "( 2.5.4.11 NAME ( 'ou' 'organizationalUnitName' 'abteilung' ) SUP name )",
        "( 1.3.9.1 NAME 'validFrom' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 )",
        "( 1.3.9.2 NAME 'heldBy' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )",
        "( 1.3.9.3 NAME ( 'site' 'standort' ) EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
        "( 1.3.9.4 NAME 'badge' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 )",
        "( 1.3.9.5 NAME 'desk' EQUALITY telephoneNumberMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.50 )",
        "( 1.3.9.6 NAME 'cell' EQUALITY numericStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.36 )",
        "( 1.3.9.7 NAME 'flag' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 )",
        "( 1.3.9.8 NAME 'thing' EQUALITY uuidMatch SYNTAX 1.3.6.1.1.16.1 )",
        "( 1.3.9.9 NAME 'mask' EQUALITY bitStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.6 )",
        "( 1.3.9.10 NAME 'login' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
        "( 1.3.9.11 NAME 'seal' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )",
        "( 1.3.9.12 NAME 'odd' EQUALITY oddMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
        "( strange-oid NAME 'unnumbered' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
        "( 2.16.840.1.113730.3.1.3 NAME 'employeeNumber' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 )",
        "( 0.9.2342.19200300.100.1.1 NAME ( 'uid' 'userid' ) EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
        // It calls something else what the standard calls `title`.
        "( 1.3.9.13 NAME 'title' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
        "( 2.5.4.12 NAME 'jobTitle' SUP name )",
    ];

    fn naming(types: &[&str]) -> Naming {
        Naming::of(&Arc::new(Schema::from_subschema(types.iter().map(|line| line.as_bytes()), [])))
    }

    fn read(text: &str, naming: &Naming) -> Dn {
        let name: Dn = text.parse().unwrap_or_else(|_| panic!("{text:?} is a name"));
        let resolved = name.resolved(naming).into_owned();
        assert_eq!((resolved.text(), resolved.depth()), (name.text(), name.depth()));
        assert_eq!(resolved.resolved(naming).key(), resolved.key(), "once is enough");
        resolved
    }

    #[test]
    fn names_of_one_entry_by_the_schema_are_one() {
        let naming = naming(OWN);
        let one: &[&[&str]] = &[
            &["abteilung=payroll,dc=x", "ou=Payroll,dc=x", "2.5.4.11=payroll,dc=x", "ABTEILUNG = pay\\72oll , dc=x"],
            &["uid=p1,abteilung=payroll,dc=x", "uid=p1,ou=payroll,dc=x"],
            &[
                "validFrom=20200101000000.0Z",
                "validFrom=20200101000000Z",
                "1.3.9.1=202001010000Z",
                "validFrom=2020010100Z",
            ],
            &["heldBy=uid=bo\\5C62\\,dc=x", "heldBy=uid\\=bob\\, dc\\=x", "heldBy=userid=bob\\,dc=x"],
            &["heldBy=abteilung=a\\,dc=x", "heldBy=ou=A\\,dc=x"],
            &["site=Here", "standort=here", "1.3.9.3=HERE", "site=h\\65re"],
            &["badge=7", "badge=007"],
            &["desk=\\+49 1-2", "desk=\\+4912"],
            &["cell=1 2 3", "cell=123"],
            &["flag=TRUE", "flag=true"],
            &["thing=0F0F0F0F-0000-0000-0000-000000000000", "thing=0f0f0f0f-0000-0000-0000-000000000000"],
            &["mask='0110'B", "mask='011'B"],
            &["unnumbered=a", "strange-oid=A"],
            &["employeeNumber=7", "employeeNumber=007"],
            &["title=a", "1.3.9.13=A"],
            &["jobTitle=a", "2.5.4.12=A"],
            &["abteilung=a+standort=b", "site=B+ou=A"],
        ];
        for line in one {
            for (a, b) in line.iter().flat_map(|a| line.iter().map(move |b| (a, b))) {
                assert!(read(a, &naming).may_be(&read(b, &naming)), "{a:?} is {b:?}");
                assert!(!read(a, &naming).is_vague(), "{a:?} is understood");
            }
        }
    }

    #[test]
    fn other_names_stay_apart_by_the_schema() {
        let naming = naming(OWN);
        for (a, b) in [
            ("abteilung=payroll", "ou=people"),
            ("abteilung=payroll", "cn=payroll"),
            ("validFrom=20200101000000Z", "validFrom=20200101000001Z"),
            ("validFrom=20200101000000.1Z", "validFrom=20200101000000Z"),
            ("heldBy=uid=bob\\,dc=x", "heldBy=uid=eve\\,dc=x"),
            ("badge=7", "badge=70"),
            ("site=here", "standort=there"),
            ("mask='01'B", "mask='011'B"),
            ("title=a", "jobTitle=a"),
        ] {
            assert!(!read(a, &naming).may_be(&read(b, &naming)), "{a:?} is not {b:?}");
        }
        // Whether these are one only the directory knows.
        for (a, b) in [
            ("nobody=a", "ou=payroll"),
            ("odd=a", "odd=b"),
            ("validFrom=20200101010000\\+0100", "validFrom=20200101000000Z"),
            ("validFrom=2020010100.5Z", "validFrom=20200101003000Z"),
            ("badge=seven", "badge=7"),
            ("heldBy=who knows", "heldBy=uid=bob\\,dc=x"),
            ("heldBy=nobody=a", "heldBy=uid=bob"),
            ("mask=0", "mask='0'B"),
        ] {
            assert!(read(a, &naming).is_vague() && read(a, &naming).may_be(&read(b, &naming)), "{a:?} may be {b:?}");
        }
    }

    #[test]
    fn only_what_the_schema_takes_for_one_name_opens() {
        let naming = naming(OWN);
        for (a, b) in [
            ("abteilung=payroll", "OU=Payroll"),
            ("standort=here", "SITE=Here"),
            ("nobody=a", "NOBODY=a"),
            ("login=Anna", "1.3.9.10=Anna"),
        ] {
            assert!(read(a, &naming).is_surely(&read(b, &naming)), "{a:?} {b:?}");
        }
        for (a, b) in [
            ("nobody=a", "ou=a"),
            ("nobody=a", "nobody=A"),
            ("login=Anna", "login=anna"),
            // The standard ignores case; this directory does not.
            ("uid=Anna,dc=x", "uid=anna,dc=x"),
            ("badge=7", "badge=007"),
            ("seal=A", "seal=a"),
            ("validFrom=20200101000000.0Z", "validFrom=20200101000000Z"),
        ] {
            assert!(!read(a, &naming).is_surely(&read(b, &naming)), "{a:?} {b:?}");
            assert!(read(a, &naming).may_be(&read(b, &naming)), "{a:?} {b:?}");
        }
    }

    #[test]
    fn what_is_not_concerned_is_not_read_again() {
        let naming = naming(OWN);
        for (name, again) in [
            ("cn=a,ou=b,dc=x", false),
            ("OU=löhne,dc=x", false),
            ("l=here,dc=x", false),
            ("uid=a,dc=x", true),
            ("abteilung=a,dc=x", true),
            ("employeeNumber=7,dc=x", true),
            ("title=a", true),
            ("member=abteilung\\=a", true),
        ] {
            let name: Dn = name.parse().unwrap();
            let resolved = name.resolved(&naming);
            assert_eq!(matches!(resolved, std::borrow::Cow::Owned(_)), again, "{name}");
        }
        let plain: Dn = "site=a,dc=x".parse().unwrap();
        assert!(matches!(plain.resolved(&Naming::unread()), std::borrow::Cow::Borrowed(_)) && plain.is_vague());
    }

    /// Before and after resolving, a name of standard types has the same forms beside others.
    #[test]
    fn standard_types_keep_their_forms_beside_others() {
        let naming = naming(OWN);
        for standard in
            ["telephoneNumber=1 2", "gidNumber=007", "cn=ä  b", "memberUid=A", "entryUUID=x", "member=cn\\=a"]
        {
            let alone: Dn = format!("{standard},dc=x").parse().unwrap();
            let beside = read(&format!("site=a,{standard},dc=x"), &naming).parent().unwrap();
            assert_eq!((beside.key(), beside.is_vague()), (alone.key(), alone.is_vague()), "{standard}");
            assert!(beside.is_surely(&alone), "{standard}");
        }
    }

    #[test]
    fn of_the_standard_schema_nothing_is_read_otherwise() {
        let naming = Naming::of(&Schema::standard());
        for standard in ATTRIBUTE_TYPES {
            assert!(!naming.concerns(standard.bit), "{}", standard.name);
        }
    }
}
