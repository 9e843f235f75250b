//! What holds for any octets whatever, one function for each parser: they panic where it does not.
//! Plain functions, so that libFuzzer and the tests on stable call the same.

use tidegate::engine::ldap::attribute::AttributeDescription;
use tidegate::engine::ldap::ber::{self, BerError, Header, Reader};
use tidegate::engine::ldap::control::value::{Syntax, Value};
use tidegate::engine::ldap::control::{decode_controls, write_controls};
use tidegate::engine::ldap::entry::Entry;
use tidegate::engine::ldap::filter::Filter;
use tidegate::engine::ldap::frame::{FrameError, frame_length, peek_frame_length};
use tidegate::engine::ldap::message::{Envelope, UpstreamMessageId, write_message, write_request};
use tidegate::engine::ldap::request::Request;
use tidegate::engine::ldap::response::{ResultView, entry_name};
use tidegate::engine::ldap::sasl::Mechanism;
use tidegate::engine::ldap::schema::{Schema, parse};
use tidegate::engine::ldap::{Dn, ResultCode, tag};
use tidegate::engine::redaction::filter::{Rewritten, rewrite as rewrite_filter};

/// Frames and elements: what was said of a part of a stream stays true of more of it; elements
/// written again are read as the same, in no more octets.
pub fn ber(data: &[u8]) {
    const BOUND: usize = 4096;
    let whole = frame_length(data, BOUND);
    match whole {
        Ok(Some(length)) => {
            assert!((2..=BOUND.min(data.len())).contains(&length));
            assert_eq!(frame_length(&data[..length], BOUND), whole);
            assert_eq!(frame_length(&data[..length - 1], BOUND), Ok(None));
            assert_eq!(peek_frame_length(data), Ok(Some(length)));
        }
        Ok(None) => assert!(data.len() < BOUND),
        Err(_) => {}
    }
    for part in 0..data.len().min(140) {
        match frame_length(&data[..part], BOUND) {
            Ok(None) => {}
            said => assert_eq!(said.map_err(|_| ()), whole.map_err(|_| ()), "{part}"),
        }
    }
    if data.first().is_some_and(|first| *first != 0x30) {
        assert_eq!(whole, Err(FrameError::NotASequence));
    }

    if let Ok(Some(Header { tag, header, .. })) = Header::read(data) {
        assert_eq!(tag, data[0]);
        assert!((2..=128).contains(&header) && header <= data.len());
    }
    let mut canonical = Vec::new();
    if rewrite(data, &mut canonical, 16).is_ok() {
        assert!(canonical.len() <= data.len());
        let mut again = Vec::new();
        assert_eq!(rewrite(&canonical, &mut again, 16), Ok(()));
        assert_eq!(again, canonical);
    }

    if let Ok(value) = ber::integer_content(data) {
        let mut out = Vec::new();
        ber::write_integer(&mut out, 0x02, value);
        assert_eq!(&out[2..], data);
    }
}

/// Writes the elements in `data` again, with lengths of the shortest form.
fn rewrite(data: &[u8], out: &mut Vec<u8>, depth: usize) -> Result<(), BerError> {
    let mut reader = Reader::new(data);
    while !reader.is_empty() {
        let (tag, content) = reader.element()?;
        if tag & 0x20 != 0 && depth > 0 {
            let mut inside = Vec::new();
            rewrite(content, &mut inside, depth - 1)?;
            ber::write_constructed(out, tag, |out| out.extend_from_slice(&inside));
        } else {
            ber::write_element(out, tag, content);
        }
    }
    reader.finish()
}

/// Requests: what is accepted has one canonical encoding, which is read as the same request; what
/// is not has an answer.
pub fn message(data: &[u8]) {
    let envelope = match Envelope::parse_request(data) {
        Ok(envelope) => envelope,
        Err(malformed) => {
            if let Some((id, request)) = malformed.answerable {
                assert!(id.0 > 0 && tag::response_to(request).is_some());
            }
            return;
        }
    };
    assert_eq!(frame_length(data, data.len()), Ok(Some(data.len())));
    assert!(envelope.id > 0 && tag::is_request(envelope.tag));
    let mut relayed = Vec::new();
    write_message(&mut relayed, envelope.id, envelope.tag, envelope.body, envelope.controls);
    assert_eq!(Envelope::parse_request(&relayed), Ok(envelope));

    let controls = match envelope.controls() {
        Ok(controls) => controls,
        Err(malformed) => {
            assert_eq!(malformed.answerable.is_some(), tag::response_to(envelope.tag).is_some());
            return;
        }
    };
    let mut written = Vec::new();
    write_controls(&mut written, &controls);
    assert_eq!(decode_controls(&written).as_ref(), Ok(&controls));

    let request = match Request::decode(&envelope) {
        Ok(request) => request,
        Err(error) => {
            assert!(matches!(
                error.code,
                ResultCode::PROTOCOL_ERROR | ResultCode::INVALID_DN_SYNTAX | ResultCode::ADMIN_LIMIT_EXCEEDED
            ));
            return;
        }
    };
    assert_eq!(request.tag(), envelope.tag);
    let mut canonical = Vec::new();
    write_request(&mut canonical, UpstreamMessageId(envelope.id), &request, &controls);
    let again = Envelope::parse_request(&canonical);
    let Ok(again) = again else { return assert_eq!(again, Ok(envelope)) };
    assert_eq!(again.controls().as_ref(), Ok(&controls));
    assert_eq!(Request::decode(&again).as_ref(), Ok(&request));
    let mut twice = Vec::new();
    if let Ok(request) = Request::decode(&again) {
        write_request(&mut twice, UpstreamMessageId(again.id), &request, &controls);
    }
    assert_eq!(twice, canonical);

    if let Request::Search(search) = &request {
        let mut text = String::new();
        search.filter.write_text(&mut text, &|_| false).unwrap();
        assert!(!text.chars().any(char::is_control));
        assert!(text.starts_with('(') && text.ends_with(')'));
    }
}

/// Answers of the directory: what is relayed is what came, what is written again is the same.
pub fn response(data: &[u8]) {
    let Ok(envelope) = Envelope::parse_response(data) else { return };
    assert!(tag::is_response(envelope.tag));
    let mut relayed = Vec::new();
    write_message(&mut relayed, 1, envelope.tag, envelope.body, envelope.controls);
    assert_eq!(Envelope::parse_response(&relayed), Ok(Envelope { id: 1, ..envelope }));

    let view = ResultView::peek(envelope.tag, envelope.body);
    assert!(tag::is_final_response(envelope.tag) || view.is_err());
    if envelope.tag == tag::SEARCH_RESULT_ENTRY
        && let Ok(entry) = Entry::decode(envelope.body)
    {
        assert_eq!(entry_name(envelope.body), Ok(entry.name));
        let mut body = Vec::new();
        entry.write_body(&mut body);
        assert!(body.len() <= envelope.body.len());
        assert_eq!(Entry::decode(&body), Ok(entry));
    }
}

/// Names: the text that is forwarded is read as the same name, and is its own canonical form.
pub fn dn(data: &[u8]) {
    let Ok(dn) = Dn::parse(data) else { return };
    let again = Dn::parse(dn.text().as_bytes());
    let Ok(again) = again else { return assert_eq!(again, Ok(dn)) };
    assert_eq!(again.text(), dn.text());
    assert_eq!(again.key(), dn.key());
    assert!(again.is_surely(&dn) && dn.is_surely_within(&dn));
    assert_eq!(dn.lineage().count(), dn.depth() + 1);
    assert!(dn.is_within(&Dn::root()));
    if let Some(parent) = dn.parent() {
        assert!(dn.is_child_of(&parent) && dn.is_surely_within(&parent) && !parent.is_within(&dn));
        assert_eq!(Dn::parse(parent.text().as_bytes()).as_ref(), Ok(&parent));
    } else {
        assert!(dn.is_root());
    }
}

/// The values of the attributes `a` to `d` in one entry.
type Values = [&'static [&'static [u8]]; 4];

/// The entries that rewritten filters are asked about.
const ENTRIES: [Values; 5] = [
    [&[], &[], &[], &[]],
    [&[b"x"], &[b"x"], &[b"x"], &[b"x"]],
    [&[b"y"], &[b"x", b"y"], &[], &[b"y"]],
    [&[b"x", b"xy"], &[], &[b"y"], &[b"z"]],
    [&[b""], &[b"secret"], &[b"\xff\x00"], &[]],
];

/// Rewritten filters. The first octet says what is hidden: `a` to `d` by the low bits, every other
/// attribute by the next. What is to be asked has one canonical encoding, which is read as the same
/// filter and is no longer; it finds an entry exactly where the original does with what is hidden
/// Undefined; entries that differ only in what is hidden are answered alike.
pub fn filter_rewrite(data: &[u8]) {
    let Some((hidden, octets)) = data.split_first() else { return };
    let Ok(original) = Filter::decode(&mut Reader::new(octets)) else { return };
    let hides = |leaf: &Filter<'_>| hides(leaf, *hidden);
    let rewritten = rewrite_filter(&original, &hides);
    let asked = rewritten.to_ask(&original);
    if let Some(asked) = asked {
        let (mut before, mut canonical, mut twice) = (Vec::new(), Vec::new(), Vec::new());
        original.encode(&mut before);
        asked.encode(&mut canonical);
        assert!(canonical.len() <= before.len());
        let again = Filter::decode(&mut Reader::new(&canonical));
        assert_eq!(again.as_ref(), Ok(asked));
        again.iter().for_each(|again| again.encode(&mut twice));
        assert_eq!(twice, canonical);
        asked
            .walk(&mut |part| assert!(matches!(part, Filter::And(_) | Filter::Or(_) | Filter::Not(_)) || !hides(part)));
        assert_eq!(rewrite_filter(asked, &hides), Rewritten::Unchanged);
    }
    let finds = |entry: &Values| asked.and_then(|asked| evaluate(asked, &|leaf| assertion(leaf, entry))) == Some(true);
    for entry in ENTRIES {
        let expected = evaluate(&original, &|leaf| if hides(leaf) { None } else { assertion(leaf, &entry) });
        assert_eq!(finds(&entry), expected == Some(true), "{entry:?}");
        for other in ENTRIES {
            let twin = std::array::from_fn(|at| if hidden & 1 << at == 0 { entry[at] } else { other[at] });
            assert_eq!(finds(&entry), finds(&twin), "{entry:?} and {twin:?}");
        }
    }
}

/// Whether an assertion could tell anything of what is hidden: an extensible match of any attribute,
/// or of the entry's name, of anything.
pub fn hides(leaf: &Filter<'_>, hidden: u8) -> bool {
    match leaf {
        Filter::Extensible { attribute: None, .. } | Filter::Extensible { dn_attributes: true, .. } => hidden != 0,
        _ => hidden & known(leaf).map_or(0x10, |at| 1 << at) != 0,
    }
}

/// Which of the attributes that entries have an assertion is about.
fn known(leaf: &Filter<'_>) -> Option<usize> {
    let name = leaf.attribute()?.attribute_type().to_ascii_lowercase();
    [b"a", b"b", b"c", b"d"].iter().position(|known| **known == *name)
}

/// RFC 4511 4.5.1.7: `None` is Undefined.
fn evaluate(filter: &Filter<'_>, leaf: &dyn Fn(&Filter<'_>) -> Option<bool>) -> Option<bool> {
    // One part that has the value decides; else it is Undefined if any part is.
    let decided_by = |value: bool, parts: &[Filter<'_>]| {
        let parts: Vec<_> = parts.iter().map(|part| evaluate(part, leaf)).collect();
        match (parts.contains(&Some(value)), parts.contains(&None)) {
            (true, _) => Some(value),
            (false, true) => None,
            (false, false) => Some(!value),
        }
    };
    match filter {
        Filter::And(parts) => decided_by(false, parts),
        Filter::Or(parts) => decided_by(true, parts),
        Filter::Not(part) => evaluate(part, leaf).map(|truth| !truth),
        assertion => leaf(assertion),
    }
}

/// What a directory says that has no schema but for `a` to `d`, and no order for `c`.
fn assertion(leaf: &Filter<'_>, entry: &Values) -> Option<bool> {
    let any = |test: &dyn Fn(&[u8]) -> bool| known(leaf).map(|at| entry[at].iter().any(|value| test(value)));
    match leaf {
        Filter::Extensible { attribute, value, dn_attributes, .. } => {
            let everywhere = attribute.is_none() || *dn_attributes;
            if everywhere { Some(entry.concat().contains(value)) } else { any(&|it| it == *value) }
        }
        Filter::GreaterOrEqual { .. } | Filter::LessOrEqual { .. } if known(leaf) == Some(2) => None,
        Filter::GreaterOrEqual { value, .. } => any(&|it| it >= *value),
        Filter::LessOrEqual { value, .. } => any(&|it| it <= *value),
        Filter::Equality { value, .. } | Filter::Approximate { value, .. } => any(&|it| it == *value),
        Filter::Present(_) => any(&|_| true),
        Filter::Substrings { initial, last, .. } => {
            any(&|it| it.starts_with(initial.unwrap_or_default()) && it.ends_with(last.unwrap_or_default()))
        }
        Filter::And(_) | Filter::Or(_) | Filter::Not(_) => panic!("not an assertion"),
    }
}

/// Schema definitions, one a line: what is read is written so that it is read as the same; names lead
/// to their types, with the built-in table as without it; subtypes are what supertypes say.
pub fn schema(data: &[u8]) {
    let lines = || data.split(|octet| *octet == b'\n');
    let mut classes = Vec::new();
    for line in lines() {
        if let Ok(read) = parse::attribute_type(line) {
            let text = read.to_string();
            assert_eq!(parse::attribute_type(text.as_bytes()), Ok(read));
        }
        if let Ok(read) = parse::object_class(line) {
            let text = read.to_string();
            assert_eq!(parse::object_class(text.as_bytes()), Ok(read.clone()));
            classes.extend(read.names.iter().chain(&read.oid).map(|name| format!("@{name}")));
        }
    }
    let alone = Schema::from_subschema_alone(lines(), lines());
    check_schema(&alone, &classes);
    // Costs a hundred times as much.
    if data.len().is_multiple_of(128) {
        let filled = Schema::from_subschema(lines(), lines());
        check_schema(&filled, &classes);
        for (_, facts) in alone.types() {
            for name in facts.names.iter().chain(&facts.oid).map(|name| AttributeDescription(name.as_bytes())) {
                let (known, with_table) = (alone.canonical(name), filled.canonical(name));
                // One that has an unknown superior is not known, unless the table knows the superior.
                assert!(known.is_none() || known == with_table, "{name:?}: {known:?} {with_table:?}");
            }
        }
    }
}

fn check_schema(schema: &Schema, classes: &[String]) {
    for (id, facts) in schema.types() {
        for name in facts.names.iter().chain(&facts.oid) {
            let found = schema.canonical(AttributeDescription(name.as_bytes()));
            assert!(found == Some(id) || found.is_none() && !schema.problems().is_empty(), "{name}");
        }
        let subtypes = schema.subtypes(id);
        assert_eq!(subtypes.first(), Some(&id));
        assert!(subtypes.iter().all(|subtype| schema.is_subtype(*subtype, id)));
        if let Some(supertype) = facts.supertype {
            assert!(schema.is_subtype(id, supertype) && !schema.is_subtype(supertype, id));
            assert!(schema.subtypes(supertype).len() > subtypes.len());
        }
    }
    for class in classes {
        let Some(class) = schema.class_attributes(AttributeDescription(class.as_bytes())) else {
            assert!(!schema.problems().is_empty(), "{class}");
            continue;
        };
        assert!(class.must.is_sorted() && class.may.is_sorted());
        assert!(class.may.iter().all(|id| schema.facts(*id).is_some() && !class.must.contains(id)));
    }
}

/// By which specification a control's value is read: the first octet says.
const SYNTAXES: [Syntax; 18] = [
    Syntax::Absent,
    Syntax::Pages,
    Syntax::SortKeys,
    Syntax::VirtualList,
    Syntax::Boolean,
    Syntax::Filter,
    Syntax::Attributes,
    Syntax::ValueFilters,
    Syntax::Dereferences,
    Syntax::AuthorizationId,
    Syntax::AuthorizationDn,
    Syntax::Sync,
    Syntax::Changes,
    Syntax::DirSync,
    Syntax::Number,
    Syntax::OptionalNumber,
    Syntax::SourceAttribute,
    Syntax::Tracking,
];

/// What is read of a control's value is written so that it is read as the same.
pub fn control_value(data: &[u8]) {
    let Some((first, octets)) = data.split_first() else { return };
    let syntax = SYNTAXES[usize::from(*first) % SYNTAXES.len()];
    let Ok(value) = Value::decode(syntax, Some(octets)) else { return };
    let written = value.encode();
    assert_eq!(Value::decode(syntax, written.as_deref()), Ok(value), "{syntax:?}");
}

/// A step of a SASL bind, the first octet says of which mechanism: a challenge that offers no layer is
/// offered as it is.
pub fn sasl(data: &[u8]) {
    let Some((first, octets)) = data.split_first() else { return };
    let mechanism = Mechanism::ALL[usize::from(*first) % Mechanism::ALL.len()];
    _ = mechanism.read(octets);
    _ = mechanism.proves_password(octets);
    if let Some(challenge) = mechanism.without_layers(octets) {
        assert_eq!(mechanism.without_layers(&challenge), None, "{mechanism:?}");
    }
}
