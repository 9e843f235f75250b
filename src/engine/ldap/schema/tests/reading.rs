//! Single definitions: spellings that mean one thing, what is refused and why, and round trips.

use crate::engine::ldap::schema::definition::{AttributeTypeDescription, ClassKind, ObjectClassDescription, Usage};
use crate::engine::ldap::schema::parse::{DefinitionError, MAX_DEFINITION, attribute_type, object_class};
use DefinitionError::{InvalidName, Nameless, Repeated, TooDeep, TooLong, Unexpected, UnexpectedEnd, UnknownKeyword};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Spellings, and the one form of the RFC.
const TYPES: &[(&str, &str)] = &[
    ("( 2.5.4.3 )", "( 2.5.4.3 )"),
    ("(2.5.4.3)", "( 2.5.4.3 )"),
    ("( 2.5.4.3 NAME 'cn' )", "( 2.5.4.3 NAME 'cn' )"),
    ("  (\t2.5.4.3\r\n NAME   'cn'  )  \n", "( 2.5.4.3 NAME 'cn' )"),
    ("(2.5.4.3 NAME'cn')", "( 2.5.4.3 NAME 'cn' )"),
    ("( 2.5.4.3 name cn )", "( 2.5.4.3 NAME 'cn' )"),
    ("( 2.5.4.3 NAME ( 'cn' ) )", "( 2.5.4.3 NAME 'cn' )"),
    ("( 2.5.4.3 NAME ' cn ' )", "( 2.5.4.3 NAME 'cn' )"),
    ("( '2.5.4.3' NAME 'cn' )", "( 2.5.4.3 NAME 'cn' )"),
    ("( NAME 'cn' )", "( NAME 'cn' )"),
    ("( NAME ( 'cn' 'commonName' ) )", "( NAME ( 'cn' 'commonName' ) )"),
    ("( name NAME 'cn' )", "( name NAME 'cn' )"),
    ("( NAME )", "( NAME )"),
    ("( 2.5.4.3 NAME ( 'cn' 'commonName' ) )", "( 2.5.4.3 NAME ( 'cn' 'commonName' ) )"),
    ("( 2.5.4.3 NAME ('cn''commonName') )", "( 2.5.4.3 NAME ( 'cn' 'commonName' ) )"),
    ("( 2.5.4.3 NAME ( cn commonName ) )", "( 2.5.4.3 NAME ( 'cn' 'commonName' ) )"),
    ("( 2.5.4.3 NAME 'cn' 'commonName' )", "( 2.5.4.3 NAME ( 'cn' 'commonName' ) )"),
    ("( 2.5.4.3 NAME ( ) )", "( 2.5.4.3 )"),
    ("( cn-oid NAME 'cn' )", "( cn-oid NAME 'cn' )"),
    ("( 1.1 NAME 'a_b' )", "( 1.1 NAME 'a_b' )"),
    ("( 1.1 SUP name )", "( 1.1 SUP name )"),
    ("( 1.1 SUP 'name' )", "( 1.1 SUP name )"),
    ("( 1.1 SUP ( 2.5.4.41 ) )", "( 1.1 SUP 2.5.4.41 )"),
    ("( 1.1 SYNTAX 1.2.3 )", "( 1.1 SYNTAX 1.2.3 )"),
    ("( 1.1 SYNTAX '1.2.3' )", "( 1.1 SYNTAX 1.2.3 )"),
    ("( 1.1 SYNTAX 1.2.3{32} )", "( 1.1 SYNTAX 1.2.3 )"),
    ("( 1.1 SYNTAX '1.2.3{32}' )", "( 1.1 SYNTAX 1.2.3 )"),
    ("( 1.1 USAGE dSAOperation )", "( 1.1 USAGE dSAOperation )"),
    ("( 1.1 usage DSAoperation )", "( 1.1 USAGE dSAOperation )"),
    ("( 1.1 USAGE userApplications )", "( 1.1 )"),
    // The order means nothing.
    (
        "( 1.1 SINGLE-VALUE SYNTAX 1.2 EQUALITY b OBSOLETE NAME 'a' )",
        "( 1.1 NAME 'a' OBSOLETE EQUALITY b SYNTAX 1.2 SINGLE-VALUE )",
    ),
    // Free text, and what is not known.
    ("( 1.1 DESC '' SUP a )", "( 1.1 SUP a )"),
    ("( 1.1 DESC 'a ) SUP b' SUP a )", "( 1.1 SUP a )"),
    ("( 1.1 DESC 'it's \\27 \\5c' SUP a )", "( 1.1 SUP a )"),
    ("( 1.1 DESC ( 'text' ) SUP a )", "( 1.1 SUP a )"),
    ("( 1.1 X-ORIGIN 'RFC 4519' SUP a )", "( 1.1 SUP a )"),
    ("( 1.1 X-ORIGIN ( 'a' 'b' ) SUP a )", "( 1.1 SUP a )"),
    ("( 1.1 X-ORIGIN ( 'a'$ 'b' ( c ) ) SUP a )", "( 1.1 SUP a )"),
    ("( 1.1 X-ORIGIN 'a' 'b' SUP a )", "( 1.1 SUP a )"),
    ("( 1.1 X-NDS_UPPER_BOUND 64 SUP a )", "( 1.1 SUP a )"),
    ("( 1.1 X-FLAG SUP a )", "( 1.1 SUP a )"),
    ("( 1.1 X-FLAG X-OTHER 'SUP b' x-third )", "( 1.1 )"),
];

#[test]
fn spellings_of_attribute_types() {
    for (written, canonical) in TYPES {
        let read = attribute_type(written.as_bytes()).unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(read.to_string(), *canonical, "{written}");
        assert_eq!(attribute_type(canonical.as_bytes()), Ok(read), "{written}");
    }
}

#[test]
fn spellings_of_object_classes() {
    for (written, canonical) in [
        ("( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )", "( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )"),
        ("( 1.1 )", "( 1.1 STRUCTURAL )"),
        (
            "(1.1 NAME 'a' SUP top MUST (cn )MAY(sn$l $ 'st' ))",
            "( 1.1 NAME 'a' SUP top STRUCTURAL MUST cn MAY ( sn $ l $ st ) )",
        ),
        ("( 1.1 SUP ( a $ b ) AUXILIARY MAY ( ) )", "( 1.1 SUP ( a $ b ) AUXILIARY )"),
        ("( 1.1 MAY ( a b $ c $ ) )", "( 1.1 STRUCTURAL MAY ( a $ b $ c ) )"),
        ("( 1.1 SUP 'top' auxiliary DESC 'd' X-ORIGIN 'x' )", "( 1.1 SUP top AUXILIARY )"),
    ] {
        let read = object_class(written.as_bytes()).unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(read.to_string(), canonical, "{written}");
        assert_eq!(object_class(canonical.as_bytes()), Ok(read), "{written}");
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    for (written, error) in [
        ("", UnexpectedEnd),
        ("2.5.4.3", Unexpected(0)),
        ("(", UnexpectedEnd),
        ("( )", Unexpected(2)),
        ("( 1.1", UnexpectedEnd),
        ("( 1.1 ) x", Unexpected(8)),
        ("( 1.1 ) ( 1.2 )", Unexpected(8)),
        ("( NAME ( ) )", Nameless),
        ("( NAME '' )", InvalidName(7)),
        ("( 1.1 NAME '' )", InvalidName(11)),
        ("( 1.1 NAME 'a b' )", InvalidName(11)),
        ("( 1.1 NAME 'a;b' )", InvalidName(11)),
        ("( 1.1 NAME '@a' )", InvalidName(11)),
        ("( 1.1 NAME '*' )", InvalidName(11)),
        ("( 1.1 NAME 'ä' )", InvalidName(11)),
        ("( 1.1 NAME 'a\0' )", InvalidName(11)),
        ("( 1.1 NAME 'a", UnexpectedEnd),
        ("( 1.1 NAME ( 'a' $ 'b' ) )", Unexpected(17)),
        ("( 1.1 NAME ( 'a'", UnexpectedEnd),
        ("( 1.1 NAME ( ( 'a' ) ) )", Unexpected(13)),
        ("( 1.1 NAME 'a' NAME 'b' )", Repeated(15)),
        ("( 1.1 SUP a SUP a )", Repeated(12)),
        ("( 1.1 SUP )", Unexpected(10)),
        ("( 1.1 SUP ( a $ b ) )", Unexpected(14)),
        ("( 1.1 SYNTAX 1.2{} )", InvalidName(13)),
        ("( 1.1 SYNTAX 1.2{a} )", InvalidName(13)),
        ("( 1.1 SYNTAX {3} )", InvalidName(13)),
        ("( 1.1 USAGE none )", Unexpected(12)),
        ("( 1.1 DESC 'a )", UnexpectedEnd),
        ("( 1.1 DESC SUP a )", Unexpected(11)),
        ("( 1.1 FROBNICATE 'a' )", UnknownKeyword(6)),
        ("( 1.1 X-ORIGIN 'a' FROBNICATE )", UnknownKeyword(19)),
        ("( 1.1 X-ORIGIN ( 'a' )", UnexpectedEnd),
        ("( 1.1 X-ORIGIN ( ( ( ( ( 'a' ) ) ) ) ) )", TooDeep(23)),
        ("( 1.1 X-ORIGIN a b )", UnknownKeyword(17)),
        ("( 1.1 MUST a )", UnknownKeyword(6)),
        ("( 1.1 $ )", Unexpected(6)),
    ] {
        assert_eq!(attribute_type(written.as_bytes()), Err(error), "{written}");
    }
    for (written, error) in [
        ("( 1.1 SYNTAX 1.2 )", UnknownKeyword(6)),
        ("( 1.1 ABSTRACT AUXILIARY )", Repeated(24)),
        ("( 1.1 MUST ( ( a ) ) )", Unexpected(13)),
        ("( 1.1 MUST ( a $", UnexpectedEnd),
    ] {
        assert_eq!(object_class(written.as_bytes()), Err(error), "{written}");
    }
    let long = format!("( 1.1 NAME '{}' )", "a".repeat(257));
    assert_eq!(attribute_type(long.as_bytes()), Err(InvalidName(11)));
}

/// As long as may be, and the worst of it: whoever looked at an octet more than a few times would be
/// at it for minutes.
#[test]
fn long_definitions_are_read_once() {
    let fill = |begin: &str, piece: &str, end: &str| {
        let count = (MAX_DEFINITION - begin.len() - end.len()) / piece.len();
        let text = format!("{begin}{}{end}", piece.repeat(count));
        assert!(text.len() > MAX_DEFINITION - piece.len().max(2) && text.len() <= MAX_DEFINITION);
        text
    };
    for (begin, piece, end, readable) in [
        ("( 1.1 X-A ", "'a'", " )", true),
        ("( 1.1 DESC '", "a'b", "' )", true),
        ("( 1.1 ", "X-A ", ")", true),
        ("( 1.1 X-A (", "a ", ") )", true),
        ("( 1.1 NAME ( ", "'a'", " ) )", true),
        ("( 1.1 ", " ", " )", true),
        ("( 1.1 X-A ", "(", "", false),
        ("( 1.1 X-A '", "a", "", false),
        ("", "(", "", false),
        ("", " ", "", false),
    ] {
        assert_eq!(attribute_type(fill(begin, piece, end).as_bytes()).is_ok(), readable, "{begin}{piece}…{end}");
    }
    assert_eq!(object_class(fill("( 1.1 MAY ( ", "a $ ", "b ) )").as_bytes()).map(|class| class.may.len()), Ok(65532));
    assert_eq!(attribute_type(&vec![b' '; MAX_DEFINITION + 1]), Err(TooLong));
}

fn word() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        "[a-zA-Z][a-zA-Z0-9-]{0,8}",
        "[0-2](\\.[0-9]{1,4}){1,5}",
        // Words that are keywords elsewhere.
        select(vec!["NAME", "SUP", "x-oid", "X-A", "may", "foo-oid", "a_b"]).prop_map(str::to_owned),
    ]
    .prop_map(|word| &*word.leak())
}

prop_compose! {
    fn attribute_type_description()(
        (oid, names, sup) in (option::weighted(0.9, word()), vec(word(), 0..4), option::of(word()))
            .prop_filter("called something", |(oid, names, _)| oid.is_some() || !names.is_empty()),
        (equality, ordering, substr, syntax) in (option::of(word()), option::of(word()), option::of(word()), option::of(word())),
        (obsolete, single_value, collective, no_user_modification) in any::<(bool, bool, bool, bool)>(),
        usage in select(Usage::ALL.map(|(usage, _)| usage).to_vec()),
    ) -> AttributeTypeDescription<'static> {
        AttributeTypeDescription {
            oid, names, obsolete, sup, equality, ordering, substr, syntax, single_value, collective, no_user_modification, usage,
        }
    }
}

prop_compose! {
    fn object_class_description()(
        (oid, names) in (option::weighted(0.9, word()), vec(word(), 0..4))
            .prop_filter("called something", |(oid, names)| oid.is_some() || !names.is_empty()),
        obsolete in any::<bool>(),
        sup in vec(word(), 0..3),
        kind in select(vec![ClassKind::Abstract, ClassKind::Structural, ClassKind::Auxiliary]),
        must in vec(word(), 0..5),
        may in vec(word(), 0..5),
    ) -> ObjectClassDescription<'static> {
        ObjectClassDescription { oid, names, obsolete, sup, kind, must, may }
    }
}

/// Writes a definition as somebody else would: other quotes and spaces, fields in another order, text
/// and extensions between them.
fn restyle(description: &AttributeTypeDescription<'_>, choices: &[u8]) -> String {
    let mut choices = choices.iter().cycle();
    let mut choose = |options: &[&str]| {
        let choice = usize::from(*choices.next().expect("choices"));
        options[choice % options.len()].to_owned()
    };
    let mut fields = Vec::new();
    if !description.names.is_empty() {
        let quoted: Vec<_> =
            description.names.iter().map(|name| choose(&[&format!("'{name}'"), &format!("' {name} '")])).collect();
        let list = quoted.join(&choose(&[" ", "", "\n"]));
        fields.push(choose(&[&format!("NAME ( {list} )"), &format!("name({list})"), &format!("NAME {list}")]));
    }
    for (keyword, value) in [
        ("SUP", description.sup),
        ("EQUALITY", description.equality),
        ("ORDERING", description.ordering),
        ("SUBSTR", description.substr),
    ] {
        fields
            .extend(value.map(|value| {
                format!("{keyword} {}", choose(&[value, &format!("'{value}'"), &format!("( {value} )")]))
            }));
    }
    fields.extend(description.syntax.map(|oid| choose(&[&format!("SYNTAX '{oid}'"), &format!("SYNTAX {oid}{{64}}")])));
    for (keyword, set) in [
        ("OBSOLETE", description.obsolete),
        ("SINGLE-VALUE", description.single_value),
        ("COLLECTIVE", description.collective),
        ("NO-USER-MODIFICATION", description.no_user_modification),
    ] {
        fields.extend(set.then(|| choose(&[keyword, &keyword.to_lowercase()])));
    }
    let usage = Usage::ALL.iter().find(|(usage, _)| *usage == description.usage).expect("one of all").1;
    fields.push(format!("USAGE {usage}"));
    fields.push(choose(&["DESC 'it's ) ( SUP x'", "DESC ''"]));
    let mut out = "(".to_owned();
    match description.oid {
        Some(oid) => out += &choose(&[&format!(" {oid} "), &format!("'{oid}' ")]),
        // Only a name may stand first where there is no OID.
        None => out += &fields.remove(0),
    }
    while !fields.is_empty() {
        let count = fields.len();
        let at = choose(&["", "a", "aa", "aaa", "aaaa"]).len() % count;
        let gap = choose(&[" ", " X-A 'b' ", " X-A ( 'b' 'c' ) ", " X-A ", "\t", "\r\n "]);
        // A bare extension takes one bare word behind it that is no keyword; there is none.
        out += &format!("{gap}{}", fields.remove(at));
    }
    out + &choose(&[" )", ")", " ) "])
}

proptest! {
    #[test]
    fn a_written_attribute_type_is_read_as_the_same(description in attribute_type_description()) {
        let text = description.to_string();
        prop_assert_eq!(attribute_type(text.as_bytes()), Ok(description), "{}", text);
    }

    #[test]
    fn a_written_object_class_is_read_as_the_same(description in object_class_description()) {
        let text = description.to_string();
        prop_assert_eq!(object_class(text.as_bytes()), Ok(description), "{}", text);
    }

    #[test]
    fn style_means_nothing(description in attribute_type_description(), choices in vec(any::<u8>(), 1..40)) {
        let text = restyle(&description, &choices);
        prop_assert_eq!(attribute_type(text.as_bytes()), Ok(description), "{}", text);
    }

    #[test]
    fn whatever_comes_is_read_or_refused(pieces in vec(select(vec![
        "(", ")", " ", "'", "$", "NAME", "SUP", "DESC", "X-A", "SYNTAX", "USAGE", "MUST", "1.2", "a", "{3}", "\\", "é",
    ]), 0..40), octets in vec(any::<u8>(), 0..60)) {
        for octets in [pieces.concat().as_bytes(), &octets] {
            if let Ok(read) = attribute_type(octets) {
                let text = read.to_string();
                prop_assert_eq!(attribute_type(text.as_bytes()), Ok(read));
            }
            if let Ok(read) = object_class(octets) {
                let text = read.to_string();
                prop_assert_eq!(object_class(text.as_bytes()), Ok(read));
            }
        }
    }
}
