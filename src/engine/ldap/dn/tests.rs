//! Tables and properties of names.

use super::*;
use proptest::prelude::*;

fn dn(text: &str) -> Dn {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is a name"))
}

/// Spellings that every directory may take for one name.
const ONE: &[&[&str]] = &[
    &[
        "ou=payroll,dc=x",
        "OU = Payroll , dc=x",
        " ou=payroll,dc=x ",
        "2.5.4.11=payroll,dc=x",
        "organizationalUnitName=PAYROLL,DC=X",
        r"ou=pay\72oll,dc=x",
        r"ou=\20payroll\ ,dc=x",
        "ou=#0407706179726f6c6c,dc=x",
        "ou=#048107706179726F6C6C , dc=x",
        "ou=#0c07706179726f6c6c,dc=#160178",
        "ou=#1307706179726f6c6c,dc=x",
        "ou=#1e0e0070006100790072006f006c006c,dc=x",
        "ou=#1c1c000000700000006100000079000000720000006f0000006c0000006c,dc=x",
        "ou=payroll\n,dc=x",
        "ou=payroll+ou=PAYROLL,dc=x",
    ],
    &["ou=a b,dc=x", "ou=a  b,dc=x", r"ou=a\20\20b,dc=x", "ou=a\tb,dc=x", r"ou=a\09b,dc=x", "ou=a\u{a0}b,dc=x"],
    &["cn=b+ou=a,dc=x", "ou=a+cn=b,dc=x", "OU=A + CN=B,dc=x"],
    // Their fine forms sort the other way round.
    &["cn=a+cn=b,dc=x", "cn=ä+cn=b,dc=x", "cn=b+cn=ä,dc=x"],
    &["ou=ad", "ou=a\u{ad}d", r"ou=a\c2\add", "ou=a\u{200b}d", "ou=a\u{e000}d", "ou=a\u{fffd}d", r"ou=a\01d"],
    &["ou=strasse", "ou=STRASSE", "ou=straße", "ou=STRAẞE"],
    &["ou=lohne", "ou=löhne", "ou=lo\u{308}hne", "ou=LÖHNE", "ou=LØHNE", "ou=ｌｏｈｎｅ"],
    &["ou=fi", "ou=ﬁ", "ou=Fi"],
    &["ou=k", "ou=\u{212a}"],
    &["ou=i", "ou=I", "ou=İ", "ou=ı"],
    &["ou=", "ou= ", r"ou=\20", r"ou=\09"],
    &[r"telephoneNumber=\+49 123-4", r"2.5.4.20=\+491234"],
    &["telephoneNumber=0 12-3", "telephoneNumber=0123"],
    &["uidNumber=7", "uidNumber=007", "1.3.6.1.1.1.1.0=7"],
    &["member=cn=a\\,dc=x,dc=x", "member=CN\\=A\\, dc\\=x,dc=x", "2.5.4.31=2.5.4.3=a\\2cdc=x,dc=x"],
    &["site1=a,dc=x", "1.2.3.4=A,dc=x", "siteOne=a,dc=x", "site1=-a,dc=x"],
    &["email=a@x", "emailAddress=a@x", "1.2.840.113549.1.9.1=a@x"],
];

/// Names of which no directory takes one for another, and none is an ancestor of the next.
const DIFFERENT: &[(&str, &str)] = &[
    ("ou=payroll,dc=x", "ou=payroll,dc=y"),
    ("ou=payroll", "cn=payroll"),
    ("ou=payroll", "ou=payroll2"),
    ("ou=payroll2", "ou=payroll"),
    ("ou=a,ou=b", "ou=b,ou=a"),
    (r"ou=a\,ou\=b", "ou=a,ou=b"),
    (r"ou=a\,ou=b", "ou=a,ou=b"),
    (r"ou=a\+cn=b", "ou=a+cn=b"),
    ("ou=a+cn=b", "ou=a"),
    ("ou=a+cn=b", "ou=b+cn=a"),
    ("ou=a b", "ou=ab"),
    ("ou=日本", "ou=日"),
    ("uidNumber=7", "uidNumber=70"),
    ("uidNumber=0", "uidNumber=00001"),
];

/// What is no name.
const REFUSED: &[&[u8]] = &[
    b" ",
    b"ou",
    b"=a",
    b"ou=a,",
    b",ou=a",
    b"ou=a,,dc=x",
    b"ou=a+",
    b"ou=a+,dc=x",
    b"ou=a;dc=x",
    b"ou=\"a\",dc=x",
    b"ou=a\"b",
    b"ou=a<b",
    b"ou=a>b",
    b"OID.2.5.4.11=a",
    b"oid.2.5.4.11=a",
    b"ou;lang-de=a",
    b"ou;binary=a",
    b"<GUID=0123>",
    b"<SID=S-1-5>",
    b"<WKGUID=0123,dc=x>",
    b"02.5.4.11=a",
    b"2.05.4.11=a",
    b"2..5=a",
    b"2.5.=a",
    b"2=a",
    b"o_u=a",
    b"-ou=a",
    b"\xc3\xb6u=a",
    b"ou=\\zz",
    b"ou=\\4",
    b"ou=a\\",
    b"ou=\\ff",
    b"ou=\\c3,dc=x",
    b"ou=\xff",
    b"ou=a\0b",
    b"ou=a\\00b",
    b"ou=#",
    b"ou=#0",
    b"ou=#04",
    b"ou=#0407706179726f6c",
    b"ou=#0407706179726f6c6c00",
    b"ou=#0407706179726f6c6cx",
    b"ou=#020101",
    b"ou=#1402c3a9",
    b"ou=#0402c328",
    b"ou=#040100",
    b"ou=#1e0300700061",
    b"ou=#1e02d800",
    b"ou=#04806100",
    b"member=notaname",
    b"ou=\na,\ndc=x",
];

#[test]
fn spellings_of_one_name_are_equal_and_protected_alike() {
    for line in ONE {
        for a in *line {
            for b in *line {
                assert_eq!(dn(a), dn(b), "{a:?} is {b:?}");
                assert!(dn(&format!("cn=z,{a}")).is_child_of(&dn(b)), "below {a:?} is below {b:?}");
            }
        }
    }
}

#[test]
fn different_names_stay_apart() {
    for (a, b) in DIFFERENT {
        assert_ne!(dn(a), dn(b), "{a:?} is not {b:?}");
        assert!(!dn(a).is_within(&dn(b)), "{a:?} is not below {b:?}");
    }
}

#[test]
fn what_is_no_name_is_refused() {
    for octets in REFUSED {
        assert_eq!(Dn::parse(octets), Err(DnError), "{}", octets.escape_ascii());
    }
}

/// Parts of names of which it is not known what they mean.
#[test]
fn a_vague_part_may_be_any_part_and_is_surely_only_itself() {
    let alike = [
        ("site1=a,dc=x", "ou=payroll,dc=x"),
        ("site1=a,dc=x", "uid=b+cn=a,dc=x"),
        ("cn=a+site1=a,dc=x", "ou=payroll,dc=x"),
        ("site1=a,dc=x", "site2=b,dc=x"),
        ("cn=z,site1=a,dc=x", "ou=payroll,dc=x"),
        ("objectClass=person", "objectClass=2.5.6.6"),
        ("createTimestamp=20200101000000\\+0000", "createTimestamp=20200101000000Z"),
        ("entryUUID=0123456789abcdef", "entryUUID=30313233-3435-3637-3839-616263646566"),
        ("x500UniqueIdentifier=5", "x500UniqueIdentifier='0101'B"),
        ("uidNumber=\\+7", "uidNumber=7"),
        ("member=site1\\=a,dc=x", "member=ou\\=b,dc=x"),
    ];
    for (vague, name) in alike {
        assert!(dn(vague).is_vague() && dn(vague).is_within(&dn(name)), "{vague} may be within {name}");
        let (vague, name) = (dn(vague), dn(name));
        assert_eq!(vague.may_be(&name), vague.depth() == name.depth());
        assert_eq!(name.is_within(&vague), vague.depth() == name.depth());
        assert!(!vague.is_surely_within(&name) && vague.is_surely(&vague));
    }
    for (vague, name) in [
        ("site1=a,dc=x", "ou=payroll,dc=y"),
        ("site1=a", "ou=payroll,dc=x"),
        ("cn=z,site1=a,dc=x", "cn=y,ou=payroll,dc=x"),
    ] {
        assert!(!dn(vague).is_within(&dn(name)), "{vague} is not within {name}");
    }
    assert!(!dn("ou=a,dc=x").is_vague() && !dn("createTimestamp=20200101000000.0Z").is_vague());
    assert_eq!(dn("createTimestamp=202001010000Z"), dn("createTimestamp=20200101000000\\,00Z"));
    assert_ne!(dn("createTimestamp=20200101000001Z"), dn("createTimestamp=20200101000000Z"));
    let below = dn("cn=z,site1=a,dc=x");
    assert!(below.is_vague() && below.parent().is_some_and(|parent| parent.is_vague()));
    assert!(!below.parent().and_then(|parent| parent.parent()).is_some_and(|top| top.is_vague()));
    assert!(Dn::join(&dn("site1=a"), &dn("ou=b,dc=x")).may_be(&dn("ou=c,ou=b,dc=x")));
    assert!(!Dn::join(&dn("site1=a"), &dn("ou=b,dc=x")).may_be(&dn("ou=c,ou=a,dc=x")));
}

#[test]
fn only_what_every_directory_takes_for_one_name_opens() {
    let same = [
        ("uid=anna,dc=x", "UID = Anna,DC=X"),
        ("uid=anna,dc=x", r"0.9.2342.19200300.100.1.1=\61nna,dc=x"),
        ("cn=a+uid=b,dc=x", "uid=B+cn=A,dc=x"),
        ("ou=löhne,dc=x", "OU=LÖHNE,DC=X"),
        ("cn=иван", "cn=ИВАН"),
        ("site1=a,dc=x", "SITE1=a,dc=x"),
        ("automountKey=Home,dc=x", "1.3.6.1.1.1.1.32 = Home,DC=X"),
    ];
    for (a, b) in same {
        assert!(dn(a).is_surely(&dn(b)), "{a:?} {b:?}");
        assert!(dn(&format!("cn=z,{a}")).is_surely_within(&dn(b)), "{a:?} {b:?}");
    }
    let doubtful = [
        ("uid=anna", "uid=ännä"),
        ("uid=anna", "uid=an\u{ad}na"),
        ("uid=anna b", "uid=anna  b"),
        ("uid=anna", r"uid=anna\20"),
        ("uid=anna", r"uid=anna\01"),
        ("uid=anna", "uid=anna+uid=ANNA"),
        ("uid=strasse", "uid=straße"),
        ("uid=é", "uid=e\u{301}"),
        ("uid=i", "uid=ı"),
        ("uid=i", "uid=İ"),
        ("site1=a", "site2=a"),
        ("site1=a", "site1=A"),
        ("uidNumber=7", "uidNumber=07"),
        ("automountKey=home", "automountKey=Home"),
        ("memberUid=anna", "MEMBERUID=Anna"),
    ];
    for (a, b) in doubtful {
        assert_eq!(dn(a), dn(b), "{a:?} is protected as {b:?}");
        assert!(!dn(a).is_surely(&dn(b)), "{a:?} does not open what is {b:?}'s");
        assert!(!dn(b).is_surely(&dn(a)), "{b:?} does not open what is {a:?}'s");
        for (inner, outer) in [(a, b), (b, a)] {
            assert!(!dn(&format!("cn=z,{inner},dc=x")).is_surely_within(&dn(&format!("{outer},dc=x"))), "{a:?} {b:?}");
        }
    }
}

#[test]
fn text_is_canonical() {
    let rows = [
        ("", ""),
        ("OU = Payroll , dc=x", "OU=Payroll,dc=x"),
        ("ou=a + cn = b,dc=x", "ou=a+cn=b,dc=x"),
        (r"ou=pay\72oll", "ou=payroll"),
        ("ou=#0407706179726f6c6c", "ou=payroll"),
        (r"ou=a\2cb\2Bc\22\5c\3c\3e\3b\3d", r#"ou=a\,b\+c\"\\\<\>\;="#),
        (r"ou=\20a\20", r"ou=\ a\ "),
        (r"ou=\20", r"ou=\ "),
        (r"ou=\23a\23", r"ou=\#a#"),
        ("ou=a\nb", r"ou=a\0ab"),
        ("ou=a\u{1b}[2Jb", r"ou=a\1b[2Jb"),
        ("ou=a\u{202e}b\u{9b}", r"ou=a\e2\80\aeb\c2\9b"),
        ("ou=Löhne", "ou=Löhne"),
    ];
    for (written, text) in rows {
        assert_eq!(dn(written).text(), text, "{written:?}");
        assert_eq!(dn(text).text(), text, "{written:?}");
        assert!(dn(text).is_surely(&dn(written)), "{written:?}");
    }
}

#[test]
fn names_have_parents_and_children() {
    let name = dn(r"cn=a\,b+uid=ä,ou=c,dc=x");
    let parent = name.parent().unwrap();
    assert_eq!((parent.text(), parent.depth()), ("ou=c,dc=x", 2));
    assert!(parent.is_surely(&dn("ou=c,dc=x")) && name.is_child_of(&parent) && name.is_surely_within(&parent));
    assert!(!name.is_child_of(&dn("dc=x")) && !parent.is_within(&name));
    assert_eq!(dn("dc=x").parent().unwrap(), Dn::root());
    assert!(Dn::root().parent().is_none());
    let joined = Dn::join(&dn(r"cn=a\,b+uid=ä"), &parent);
    assert!(joined.is_surely(&name) && joined.text() == name.text());
    assert_eq!(Dn::join(&dn("dc=x"), &Dn::root()).text(), "dc=x");
    let lineage: Vec<Vec<u8>> = name.lineage().map(<[u8]>::to_vec).collect();
    assert_eq!(lineage, [&b""[..], dn("dc=x").key(), parent.key(), name.key()]);
}

#[test]
fn names_have_bounds() {
    let of = |n: usize| vec!["dc=x"; n].join(",");
    assert_eq!(dn(&of(MAX_RDNS)).depth(), MAX_RDNS);
    assert!(Dn::parse(of(MAX_RDNS + 1).as_bytes()).is_err());
    assert!(Dn::parse(format!("ou={}", "a".repeat(MAX_LENGTH - 3)).as_bytes()).is_ok());
    assert!(Dn::parse(format!("ou={}", "a".repeat(MAX_LENGTH)).as_bytes()).is_err());
    assert!(Dn::parse(vec!["cn=a"; 17].join("+").as_bytes()).is_err());
    assert!(Dn::parse(b"member=member\\=member\\\\\\=member\\\\\\\\\\\\\\=cn\\\\\\\\\\\\\\=a").is_err());
}

/// A value of any characters, written in one of the ways that RFC 4514 allows.
/// What is kept or sent is read again: by a store, by the directory.
#[test]
fn a_name_that_grows_by_being_written_out_has_the_same_bounds() {
    for (count, fits) in [(MAX_LENGTH / 3 - 3, true), (MAX_LENGTH / 3 + 1, false), (MAX_LENGTH - 3, false)] {
        let written = format!("cn={}", "\u{1}".repeat(count));
        let read = Dn::parse(written.as_bytes());
        assert_eq!(read.is_ok(), fits, "{count}");
        if let Ok(name) = read {
            assert!(Dn::parse(name.text().as_bytes()).is_ok_and(|again| again.is_surely(&name)), "{count}");
        }
    }
}

fn written_value() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => proptest::char::range(' ', '~'),
        1 => proptest::char::range('\u{1}', '\u{1f}'),
        1 => prop::sample::select(vec!['ß', 'İ', 'ö', '\u{ad}', '\u{301}', '日', '😀', '\u{2028}', ',', '+', '\\', '#']),
    ];
    proptest::collection::vec((character, 0..3u8), 0..8).prop_map(|characters| {
        let mut out = String::new();
        for (c, how) in characters {
            let must = matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '#' | ' ');
            if how == 0 || (must && how == 1 && c.is_ascii_control()) {
                out.extend(c.to_string().bytes().map(|octet| format!("\\{octet:02x}")));
            } else {
                out.extend(must.then_some('\\').into_iter().chain([c]));
            }
        }
        out
    })
}

fn written_name() -> impl Strategy<Value = String> {
    let ava = (prop::sample::select(vec!["cn", "OU", "2.5.4.11", "foo", "dc", "telephoneNumber"]), written_value())
        .prop_map(|(name, value)| format!("{name}={value}"));
    let rdn = proptest::collection::vec(ava, 1..3).prop_map(|avas| avas.join("+"));
    proptest::collection::vec(rdn, 1..5).prop_map(|rdns| rdns.join(","))
}

proptest! {
    #[test]
    fn parsing_the_text_again_changes_nothing(written in written_name()) {
        let name = dn(&written);
        let again = dn(name.text());
        prop_assert_eq!(again.text(), name.text());
        prop_assert_eq!(again.key(), name.key());
        prop_assert!(again.is_surely(&name));
    }

    #[test]
    fn the_key_begins_with_exactly_the_keys_of_ancestors(a in written_name(), b in written_name()) {
        let (a, b) = (dn(&a), dn(&b));
        let rdns = |name: &Dn| {
            let mut above: Vec<Dn> = std::iter::successors(Some(name.clone()), Dn::parent).collect();
            above.reverse();
            above
        };
        let by_rdn = rdns(&a).get(b.depth()) == Some(&b);
        prop_assert_eq!(a.key().starts_with(b.key()), by_rdn);
        prop_assert!(a.is_within(&b) == by_rdn || a.is_vague() || b.is_vague());
        prop_assert!(Dn::join(&a, &b).is_within(&b) && Dn::join(&a, &b).is_surely_within(&b));
        prop_assert_eq!(a.key().iter().filter(|octet| **octet == 0).count(), a.depth());
    }

    #[test]
    fn what_is_surely_one_is_one(a in written_name(), b in written_name()) {
        let (a, b) = (dn(&a), dn(&b));
        prop_assert!(!a.is_surely(&b) || a == b);
        prop_assert!(!a.is_surely_within(&b) || a.is_within(&b));
    }

    #[test]
    fn the_short_way_and_the_long_way_agree(a in "[cC][nN]=[a-zA-Z0-9=. #-]{1,6}(,(ou|dc|2\\.5\\.4\\.3|UID)=[a-z ]{1,5}){0,4}") {
        // An escaped first letter takes the long way.
        let long = format!("{}\\{:02x}{}", &a[..3], a.as_bytes()[3], &a[4..]);
        if a.as_bytes()[3] == b' ' || a.as_bytes()[3] == b'#' { return Ok(()); }
        let (a, long) = (dn(&a), dn(&long));
        prop_assert_eq!(a.text(), long.text());
        prop_assert_eq!(a.key(), long.key());
        prop_assert!(a.is_surely(&long) && a.depth() == long.depth());
    }

    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(name) = Dn::parse(&octets) {
            let again = dn(name.text());
            prop_assert_eq!(again.text(), name.text());
        }
    }
}
