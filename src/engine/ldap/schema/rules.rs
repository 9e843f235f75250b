//! OIDs of matching rules (RFC 4517, RFC 4523, RFC 4530), by name.

/// The equality rules that definitions name, in lower case.
const EQUALITY_RULES: &[(&str, &str)] = &[
    ("objectidentifiermatch", "2.5.13.0"),
    ("distinguishednamematch", "2.5.13.1"),
    ("caseignorematch", "2.5.13.2"),
    ("caseexactmatch", "2.5.13.5"),
    ("numericstringmatch", "2.5.13.8"),
    ("caseignorelistmatch", "2.5.13.11"),
    ("booleanmatch", "2.5.13.13"),
    ("integermatch", "2.5.13.14"),
    ("bitstringmatch", "2.5.13.16"),
    ("octetstringmatch", "2.5.13.17"),
    ("telephonenumbermatch", "2.5.13.20"),
    ("presentationaddressmatch", "2.5.13.22"),
    ("uniquemembermatch", "2.5.13.23"),
    ("protocolinformationmatch", "2.5.13.24"),
    ("generalizedtimematch", "2.5.13.27"),
    ("integerfirstcomponentmatch", "2.5.13.29"),
    ("objectidentifierfirstcomponentmatch", "2.5.13.30"),
    ("directorystringfirstcomponentmatch", "2.5.13.31"),
    ("wordmatch", "2.5.13.32"),
    ("keywordmatch", "2.5.13.33"),
    ("certificateexactmatch", "2.5.13.34"),
    ("certificatematch", "2.5.13.35"),
    ("caseexactia5match", "1.3.6.1.4.1.1466.109.114.1"),
    ("caseignoreia5match", "1.3.6.1.4.1.1466.109.114.2"),
    ("uuidmatch", "1.3.6.1.1.16.2"),
    ("authpasswordexactmatch", "1.3.6.1.4.1.4203.1.2.2"),
];

/// The OID of an equality rule, or the rule as it was written, in lower case.
pub(super) fn equality_rule(written: &str) -> Box<str> {
    let lower = written.to_ascii_lowercase();
    let known = EQUALITY_RULES.iter().find(|(name, _)| *name == lower);
    known.map_or(lower.as_str(), |(_, oid)| oid).into()
}
