//! Schemas: the built-in table, names, supertypes, classes, and where definitions disagree.

use super::*;
use crate::engine::ldap::schema::builtin::NAMES;
use crate::engine::ldap::schema::merge::STANDARD;
use proptest::collection::vec;
use proptest::prelude::*;

#[test]
fn the_built_in_table_is_sound() {
    for line in STANDARD.lines() {
        match line.split_once(": ").expect("an LDIF line") {
            ("attributeTypes", value) => drop(parse::attribute_type(value.as_bytes()).expect(line)),
            ("objectClasses", value) => drop(parse::object_class(value.as_bytes()).expect(line)),
            _ => panic!("{line}"),
        }
    }
    let schema = Schema::standard();
    assert_eq!(schema.problems(), []);
    assert_eq!(schema.types().count(), STANDARD.lines().filter(|line| line.starts_with("attr")).count());
    // As a directory's own, it has no problem either: nothing in it is there twice.
    let lines = |prefix: &'static str| STANDARD.lines().filter_map(move |line| line.strip_prefix(prefix));
    let (types, classes): (Vec<_>, Vec<_>) = (lines("attributeTypes: ").collect(), lines("objectClasses: ").collect());
    assert_eq!(over_the_standard(&types, &classes).problems(), []);
    assert_eq!(alone(&types, &classes).problems(), []);
}

/// Names are judged by both tables: what one takes for a type the other must.
#[test]
fn the_two_built_in_tables_agree() {
    let schema = Schema::standard();
    for (name, all) in NAMES {
        let known = id(&schema, name);
        for alias in *all {
            assert_eq!(id(&schema, alias), known, "{alias}");
        }
        let by_naming = attribute_type(name).expect("it is in the table");
        let facts = schema.facts(known).expect("known");
        assert_eq!(facts.oid.as_deref(), Some(by_naming.oid), "{name}");
        for alias in &facts.names {
            assert_eq!(attribute_type(&alias.to_ascii_lowercase()), Some(by_naming), "{alias}");
        }
        let is_dn = facts.syntax.as_deref() == Some("1.3.6.1.4.1.1466.115.121.1.12");
        assert_eq!(is_dn, by_naming.rule == Rule::Dn, "{name}");
        let is_integer = facts.equality.as_deref() == Some("2.5.13.14");
        assert_eq!(is_integer, by_naming.rule == Rule::Integer, "{name}");
    }
}

#[test]
fn names_oids_case_and_options() {
    let schema = Schema::standard();
    let cn = id(&schema, "cn");
    for same in
        ["CN", "commonName", "COMMONNAME", "2.5.4.3", "oid.2.5.4.3", "OID.2.5.4.3", "cn;lang-de", "2.5.4.3;x;y", "cn;"]
    {
        assert_eq!(id(&schema, same), cn, "{same}");
    }
    for other in [
        "", ";", ";cn", "*", "+", "@person", "1.1", "cn ", " cn", "c n", "oid.cn", "2.5.4.03", "2.5.4.3.", "cn\0",
        "c\u{144}",
    ] {
        assert!(!is_known(&schema, other), "{other}");
    }
    assert!(schema.canonical(AttributeDescription(b"cn\xff")).is_none());
    assert!(!is_known(&schema, &"a".repeat(100_000)));
    assert!(is_known(&schema, "userCertificate;binary") && is_known(&schema, "member;range=0-1499"));
    let long = format!("( 1.1 NAME '{}' )", "Ab".repeat(100));
    assert!(is_known(&alone(&[&long], &[]), &"aB".repeat(100)));
}

#[test]
fn what_is_known_of_a_type() {
    let schema = Schema::standard();
    let cn = facts(&schema, "commonname");
    assert_eq!((&*cn.name, cn.oid.as_deref()), ("cn", Some("2.5.4.3")));
    assert_eq!(cn.names.iter().map(|name| &**name).collect::<Vec<_>>(), ["cn", "commonName"]);
    assert_eq!(cn.supertype, Some(id(&schema, "name")));
    // Inherited.
    assert_eq!(cn.equality.as_deref(), Some("2.5.13.2"));
    assert_eq!(cn.syntax.as_deref(), Some("1.3.6.1.4.1.1466.115.121.1.15"));
    assert!(!cn.single_value && !cn.is_operational() && !cn.collective && !cn.no_user_modification);
    // Its own before what it would inherit.
    assert_eq!(facts(&schema, "c").syntax.as_deref(), Some("1.3.6.1.4.1.1466.115.121.1.11"));
    assert!(facts(&schema, "c").single_value && facts(&schema, "c-o").collective);
    assert_eq!(facts(&schema, "jpegPhoto").equality, None);
    for (name, usage) in [
        ("entryUUID", Usage::DirectoryOperation),
        ("namingContexts", Usage::DsaOperation),
        ("ref", Usage::DistributedOperation),
    ] {
        assert!(facts(&schema, name).usage == usage && facts(&schema, name).is_operational(), "{name}");
    }
    assert!(facts(&schema, "modifyTimestamp").no_user_modification);
    // A rule that is not known stays a name.
    assert_eq!(facts(&alone(&["( 1.1 EQUALITY FooMatch )"], &[]), "1.1").equality.as_deref(), Some("foomatch"));
}

#[test]
fn supertypes_cover_their_subtypes() {
    let schema = Schema::standard();
    let name = id(&schema, "name");
    for (subtype, of, expected) in [
        ("cn", "name", true),
        ("sn", "name", true),
        ("c-l", "l", true),
        ("c-l", "name", true),
        ("name", "cn", false),
        ("cn", "sn", false),
        ("member", "distinguishedName", true),
        ("cn", "cn", true),
        ("mail", "name", false),
    ] {
        assert_eq!(schema.is_subtype(id(&schema, subtype), id(&schema, of)), expected, "{subtype} {of}");
    }
    let subtypes = schema.subtypes(name);
    assert_eq!(subtypes.first(), Some(&name));
    assert!(subtypes.len() > 15 && subtypes.contains(&id(&schema, "c-ou")), "{:?}", names(&schema, subtypes));
    assert_eq!(schema.subtypes(id(&schema, "cn")), [id(&schema, "cn")]);
    // Not of this schema.
    let foreign = TypeId(1_000_000);
    assert!(
        !schema.is_subtype(foreign, name) && !schema.is_subtype(name, foreign) && !schema.is_subtype(foreign, foreign)
    );
    assert!(schema.subtypes(foreign).is_empty() && schema.facts(foreign).is_none());
}

#[test]
fn cycles_are_cut_and_what_is_missing_is_said() {
    let schema = alone(
        &[
            "( 1.1 NAME 'a' SUP b )",
            "( 1.2 NAME 'b' SUP c )",
            "( 1.3 NAME 'c' SUP a )",
            "( 1.4 NAME 'd' SUP c )",
            "( 1.5 SUP 1.5 )",
            "( 1.6 NAME 'e' SUP f )",
        ],
        &["( 2.1 NAME 'a' SUP ( a $ b ) MAY ( a $ x ) )", "( 2.2 NAME 'b' SUP a )", "( 2.3 NAME 'c' SUP nothing )"],
    );
    let expected = [
        Problem::UnknownSuperior { of: "e".into(), superior: "f".into() },
        Problem::Cycle("c".into()),
        Problem::Cycle("1.5".into()),
        Problem::Cycle("a".into()),
        Problem::UnknownAttribute { class: "a".into(), attribute: "x".into() },
        Problem::UnknownSuperior { of: "c".into(), superior: "nothing".into() },
    ];
    assert_eq!(schema.problems(), expected);
    assert_eq!(names(&schema, schema.subtypes(id(&schema, "c"))), ["a", "b", "c", "d"].map(String::from)[..]);
    assert!(schema.is_subtype(id(&schema, "a"), id(&schema, "c")));
    assert!(!schema.is_subtype(id(&schema, "c"), id(&schema, "a")));
    // Around in a circle, and open for what it names.
    let both = class(&schema, "@b").expect("a class");
    assert!(both.open && both.may == [id(&schema, "a")]);
    assert!(class(&schema, "@c").expect("a class").open);
}

#[test]
fn where_the_directory_disagrees_with_itself() {
    let schema = alone(
        &[
            "( 1.1 NAME ( 'a' 'b' ) SINGLE-VALUE )",
            "( 1.1 NAME ( 'a' 'c' ) )",
            "( 1.2 NAME ( 'd' 'b' ) )",
            "( 1.3 NAME ( 'b' 'B' 'e' ) )",
            "( e NAME 'f' )",
            "( 1.4 SUP b )",
            "nonsense",
        ],
        &["( 2.1 NAME 'x' MUST b )"],
    );
    let expected = [
        Problem::DefinedTwice("1.1".into()),
        Problem::Ambiguous("b".into()),
        Problem::Ambiguous("b".into()),
        Problem::Ambiguous("B".into()),
        Problem::Ambiguous("e".into()),
        Problem::Unreadable { excerpt: "nonsense".into(), error: DefinitionError::Unexpected(0) },
        Problem::UnknownSuperior { of: "1.4".into(), superior: "b".into() },
        Problem::UnknownAttribute { class: "x".into(), attribute: "b".into() },
    ];
    assert_eq!(schema.problems(), expected);
    // What could be either is neither, and by no other name either: whatever is said of it would be of a part.
    for name in ["a", "b", "c", "d", "e", "f", "1.1", "1.2", "1.3", "1.4"] {
        assert!(!is_known(&schema, name), "{name}");
    }
    assert!(class(&schema, "@x").expect("a class").open);
    // The first definition, by the names of both.
    let schema = alone(&["( 1.1 NAME 'a' SINGLE-VALUE )", "( 1.1 NAME ( 'a' 'c' ) )"], &[]);
    assert!(id(&schema, "a") == id(&schema, "c") && facts(&schema, "c").single_value);
}

#[test]
fn what_may_be_part_of_anything_is_not_known() {
    let schema = over_the_standard(
        &[
            // What it is a part of could not be read, and so cannot be recognised.
            "( 9.1 NAME 'secret",
            "( 9.2 NAME 'badge' SUP secret )",
            "( 9.3 NAME 'pass' SUP badge )",
            "( 9.4 NAME 'plain' SUP name )",
            // Made by the directory of the values of others.
            "( 1.2.840.113556.1.4.1208 NAME 'aNR' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' )",
            "( 1.2.840.113556.1.4.2235 NAME 'msDS-ReplValueMetaDataExt' )",
        ],
        &[],
    );
    for name in ["secret", "badge", "9.2", "pass", "PASS;x-a", "9.3", "anr", "1.2.840.113556.1.4.1208"] {
        assert!(!is_known(&schema, name), "{name}");
    }
    assert!(!is_known(&schema, "msDS-ReplValueMetaDataExt"));
    assert!(is_known(&schema, "plain") && is_known(&schema, "9.4"));
}

#[test]
fn the_directory_wins_over_the_built_in_table() {
    let schema = over_the_standard(
        &[
            // Another supertype and syntax, and a name less.
            "( 2.5.4.3 NAME 'cn' SYNTAX '1.2.3' SINGLE-VALUE )",
            // A standard name for something else.
            "( 9.9.1 NAME ( 'mail' 'email' ) )",
            // No number, or a word for one: there is only the standard one.
            "( NAME 'sn' USAGE directoryOperation )",
            "( uid-oid NAME 'uid' SINGLE-VALUE )",
            "( 9.9.2 NAME 'ours' SUP title )",
        ],
        &["( 2.5.6.6 NAME 'person' SUP top MUST cn )", "( 9.9.3 NAME 'device' AUXILIARY )"],
    );
    let contradiction =
        |name: &str, standard: &str| Problem::Contradiction { name: name.into(), standard: standard.into() };
    let expected = [
        contradiction("mail", "0.9.2342.19200300.100.1.3"),
        contradiction("email", "1.2.840.113549.1.9.1"),
        contradiction("device", "2.5.6.14"),
    ];
    assert_eq!(schema.problems(), expected);

    let cn = facts(&schema, "cn");
    assert!(cn.supertype.is_none() && cn.equality.is_none() && cn.single_value);
    assert_eq!(cn.syntax.as_deref(), Some("1.2.3"));
    assert_eq!(id(&schema, "commonName"), id(&schema, "cn"));
    assert_eq!(facts(&schema, "MAIL").oid.as_deref(), Some("9.9.1"));
    assert_eq!(facts(&schema, "rfc822Mailbox").oid.as_deref(), Some("0.9.2342.19200300.100.1.3"));
    assert_eq!(&*facts(&schema, "emailAddress").name, "emailAddress");
    assert_eq!(id(&schema, "2.5.4.4"), id(&schema, "sn"));
    assert_eq!(id(&schema, "surname"), id(&schema, "sn"));
    assert!(facts(&schema, "sn").is_operational() && facts(&schema, "sn").oid.as_deref() == Some("2.5.4.4"));
    let uid = id(&schema, "uid");
    assert!(["userid", "uid-oid", "0.9.2342.19200300.100.1.1"].iter().all(|name| id(&schema, name) == uid));
    // A standard supertype of the directory's own type.
    assert!(schema.is_subtype(id(&schema, "ours"), id(&schema, "name")));

    let person = class(&schema, "@person").expect("a class");
    assert_eq!(names(&schema, &person.must), ["cn", "objectClass"]);
    assert!(person.may.is_empty());
    // Below the directory's own class.
    let organizational = class(&schema, "@organizationalPerson").expect("a class");
    assert!(!organizational.must.contains(&id(&schema, "sn")) && organizational.may.contains(&id(&schema, "title")));
    assert_eq!(class(&schema, "@device").expect("a class").kind, ClassKind::Auxiliary);
    assert_eq!(class(&schema, "@2.5.6.14").expect("a class").kind, ClassKind::Structural);
}

#[test]
fn classes_with_what_they_inherit() {
    let schema = Schema::standard();
    let person = class(&schema, "@inetOrgPerson").expect("a class");
    assert_eq!(names(&schema, &person.must), ["cn", "objectClass", "sn"]);
    assert!(person.kind == ClassKind::Structural && !person.open);
    for allowed in ["mail", "title", "userPassword", "jpegPhoto", "telephoneNumber"] {
        assert!(person.may.contains(&id(&schema, allowed)), "{allowed}");
    }
    assert!(!person.may.contains(&id(&schema, "sn")) && !person.may.contains(&id(&schema, "uidNumber")));
    for same in ["@INETORGPERSON", "@2.16.840.1.113730.3.2.2", "@inetOrgPerson;lang-de", "@oid.2.16.840.1.113730.3.2.2"]
    {
        assert_eq!(class(&schema, same).as_ref(), Some(&person), "{same}");
    }
    for none in ["inetOrgPerson", "@", "@nothing", "", "@@person", "@cn", "!person"] {
        assert_eq!(class(&schema, none), None, "{none}");
    }
    assert!(class(&schema, "@extensibleObject").expect("a class").open);
    assert!(!class(&schema, "@subschema").expect("a class").open);
    // A class named as a type: these are different names.
    let below = over_the_standard(&[], &["( 9.1 NAME 'cn' SUP extensibleObject )"]);
    assert_eq!(below.problems(), []);
    assert!(class(&below, "@cn").expect("a class").open);
    // Required somewhere is not merely allowed.
    let both = over_the_standard(&[], &["( 9.1 NAME 'a' SUP person MAY cn MUST seeAlso )"]);
    let both = class(&both, "@a").map(|class| (names(&both, &class.must), names(&both, &class.may)));
    let (must, may) = both.expect("a class");
    assert_eq!(must, ["cn", "objectClass", "seeAlso", "sn"]);
    assert_eq!(may, ["description", "telephoneNumber", "userPassword"]);
}

#[test]
fn problems_do_not_pile_up() {
    let nonsense = vec!["x"; 3000];
    let schema = alone(&nonsense, &nonsense);
    assert_eq!((schema.problems().len(), schema.problems_left_out()), (1000, 5000));
    let long = "é".repeat(10_000);
    let schema = alone(&[&long], &[]);
    assert!(schema.problems()[0].to_string().len() < 1000);
    let many: Vec<_> = (0..100_001_u32)
        .map(|i| match i {
            99_999 => format!("( 1.{i} NAME 'a{i}' )"),
            _ => format!("( 1.{i} NAME 'a{i}' SUP 1.{} )", i + 1),
        })
        .collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let schema = alone(&many, &[]);
    assert_eq!(schema.problems()[0], Problem::TooMany);
    // A chain as long as may be is no slower to look at than a short one.
    assert!(schema.is_subtype(id(&schema, "a0"), id(&schema, "a99999")));
    assert!(!schema.is_subtype(id(&schema, "a99999"), id(&schema, "a0")));
    assert_eq!(schema.subtypes(id(&schema, "a99999")).len(), 100_000);
}

proptest! {
    /// The order in which types stand says the same as a walk up from each.
    #[test]
    fn subtypes_are_those_that_a_walk_finds(sups in vec(0..14_usize, 1..12)) {
        let definitions: Vec<_> = sups.iter().enumerate().map(|(i, sup)| format!("( 1.{i} SUP 1.{sup} )")).collect();
        let definitions: Vec<_> = definitions.iter().map(String::as_str).collect();
        let schema = alone(&definitions, &[]);
        for (subtype, _) in schema.types() {
            let mut above = Vec::new();
            let mut at = Some(subtype);
            while let Some(id) = at {
                prop_assert!(!above.contains(&id), "a cycle");
                above.push(id);
                at = schema.facts(id).expect("known").supertype;
            }
            for (of, _) in schema.types() {
                prop_assert_eq!(schema.is_subtype(subtype, of), above.contains(&of));
                prop_assert_eq!(schema.subtypes(of).contains(&subtype), above.contains(&of));
            }
        }
        // Only what closes a cycle is cut, or what leads nowhere.
        let lost = schema.types().filter(|(_, facts)| facts.supertype.is_none()).count();
        prop_assert_eq!(lost, schema.problems().len());
        let unknown = sups.iter().filter(|sup| **sup >= sups.len()).count();
        let cycles = schema.problems().iter().filter(|problem| matches!(problem, Problem::Cycle(_))).count();
        prop_assert_eq!(unknown + cycles, lost);
    }

    #[test]
    fn any_values_make_a_schema(values in vec(vec(any::<u8>(), 0..30), 0..6), pieces in vec("\\( [ab1.]{1,3} NAME '[ab]' (SUP [ab] )?\\)", 0..8)) {
        let values = values.iter().map(Vec::as_slice).chain(pieces.iter().map(String::as_bytes));
        let schema = Schema::from_subschema_alone(values.clone(), values);
        for (of, _) in schema.types() {
            prop_assert_eq!(schema.subtypes(of).first(), Some(&of));
        }
    }
}
