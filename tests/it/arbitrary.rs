//! Random LDAP requests for property tests, and other spellings of the same octets. Requests
//! borrow; what they borrow from is leaked, which a test may.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::string::string_regex;
use tidegate::engine::ldap::Dn;
use tidegate::engine::ldap::attribute::AttributeDescription;
use tidegate::engine::ldap::ber::{self, Header};
use tidegate::engine::ldap::control::Control;
use tidegate::engine::ldap::filter::Filter;
use tidegate::engine::ldap::message::ClientMessageId;
use tidegate::engine::ldap::request::{
    AddRequest, Attribute, Authentication, BindName, BindRequest, Change, ChangeKind, CompareRequest, DerefAliases,
    ExtendedRequest, ModifyRequest, RenameRequest, Request, SearchRequest, SearchScope,
};

/// Which octets values may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// Any.
    Octets,
    /// UTF-8 only: what a second reader that keeps values in `String` can hold.
    Text,
    /// Any, of attributes that the differential test's slapd has: their values are octets to it.
    Known,
}

impl Values {
    fn strategy(self) -> BoxedStrategy<&'static [u8]> {
        let octets = match self {
            // Now and then one that needs a long length.
            Values::Octets | Values::Known => {
                prop_oneof![8 => vec(any::<u8>(), 0..12), 1 => vec(any::<u8>(), 120..300)].boxed()
            }
            Values::Text => prop_oneof![8 => "\\PC{0,8}", 1 => "[a-zé]{100,260}"].prop_map(String::into_bytes).boxed(),
        };
        octets.prop_map(leak).boxed()
    }
}

fn leak(octets: Vec<u8>) -> &'static [u8] {
    Vec::leak(octets)
}

fn text(regex: &str) -> BoxedStrategy<&'static [u8]> {
    let strategy = string_regex(regex).expect("a regular expression");
    strategy.prop_map(|text| leak(text.into_bytes())).boxed()
}

fn description(values: Values) -> BoxedStrategy<AttributeDescription<'static>> {
    if values == Values::Known {
        let known =
            ["blob", "BLOB", "2.25.7.1", "blob;lang-de", "other", "2.25.7.2", "third", "userPassword", "*", "+", ""];
        return prop::sample::select(known.to_vec()).prop_map(|name| AttributeDescription(name.as_bytes())).boxed();
    }
    text(r"[a-zA-Z][a-zA-Z0-9-]{0,10}(;[a-z-]{1,6})?|2\.5\.4\.[1-9]|\*|\+|").prop_map(AttributeDescription).boxed()
}

/// Names in many spellings.
pub(crate) fn dn() -> impl Strategy<Value = Dn> {
    let rdn = (
        prop::sample::select(vec!["cn", "OU", "dc", "uid", "2.5.4.11", "description"]),
        prop::sample::select(vec!["=", " = "]),
        string_regex(r"[a-zA-Z0-9äß]{1,6}( [a-z]{1,4})?(\\2c|\\,|\\\+|\\c3\\a4)?").expect("a regular expression"),
    )
        .prop_map(|(name, equals, value)| format!("{name}{equals}{value}"));
    vec(rdn, 0..5).prop_map(|rdns| Dn::parse(rdns.join(",").as_bytes()).expect("a DN"))
}

fn rdn() -> impl Strategy<Value = Dn> {
    string_regex("(cn|uid)=[a-z]{1,8}").expect("a regular expression").prop_map(|rdn| {
        let rdn = Dn::parse(rdn.as_bytes()).expect("a DN");
        assert_eq!(rdn.depth(), 1);
        rdn
    })
}

fn id() -> impl Strategy<Value = ClientMessageId> {
    prop_oneof![0..300_i32, 0..=i32::MAX].prop_map(ClientMessageId)
}

fn limit() -> impl Strategy<Value = i32> {
    prop_oneof![Just(0), 0..70_000_i32, Just(i32::MAX)]
}

fn oid() -> impl Strategy<Value = &'static str> {
    // None of those that have a meaning of their own.
    string_regex(r"2\.25(\.[1-9][0-9]{0,5}){1,6}").expect("a regular expression").prop_map(|oid| &*oid.leak())
}

pub(crate) fn filter(values: Values) -> impl Strategy<Value = Filter<'static>> {
    let value = move || values.strategy();
    let description = move || description(values);
    let rule = match values {
        Values::Known => prop::sample::select(vec![&b"octetStringMatch"[..], b"2.5.13.17"]).boxed(),
        Values::Octets | Values::Text => text("[a-z]{1,8}"),
    };
    let part = move || value().prop_filter("not empty", |part| !part.is_empty());
    let substrings = (description(), option::of(part()), vec(part(), 0..3), option::of(part()))
        .prop_filter("at least one part", |(_, initial, any, last)| {
            initial.is_some() || !any.is_empty() || last.is_some()
        })
        .prop_map(|(attribute, initial, any, last)| Filter::Substrings { attribute, initial, any, last });
    let extensible = (option::of(rule), option::of(description()), value(), any::<bool>())
        .prop_filter("rule or attribute", |(rule, attribute, ..)| rule.is_some() || attribute.is_some())
        .prop_map(|(rule, attribute, value, dn_attributes)| Filter::Extensible {
            rule,
            attribute,
            value,
            dn_attributes,
        });
    let leaf = prop_oneof![
        (description(), value()).prop_map(|(attribute, value)| Filter::Equality { attribute, value }),
        (description(), value()).prop_map(|(attribute, value)| Filter::GreaterOrEqual { attribute, value }),
        (description(), value()).prop_map(|(attribute, value)| Filter::LessOrEqual { attribute, value }),
        (description(), value()).prop_map(|(attribute, value)| Filter::Approximate { attribute, value }),
        description().prop_map(Filter::Present),
        substrings,
        extensible,
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Filter::And),
            vec(inner.clone(), 0..4).prop_map(Filter::Or),
            inner.prop_map(|part| Filter::Not(Box::new(part))),
        ]
    })
}

fn attribute(
    values: Values,
    count: impl Into<prop::collection::SizeRange>,
) -> impl Strategy<Value = Attribute<'static>> {
    (description(values), vec(Values::Octets.strategy(), count))
        .prop_map(|(description, values)| Attribute { description, values })
}

fn bind(values: Values) -> impl Strategy<Value = Request<'static>> {
    let name = prop_oneof![
        3 => dn().prop_map(BindName::Dn),
        1 => text(r"[a-z]{1,8}@example\.com|EXAMPLE\\[a-z]{1,8}").prop_map(BindName::Other),
    ];
    let authentication = prop_oneof![
        values.strategy().prop_map(Authentication::Simple),
        (text("[A-Z-]{0,10}"), option::of(Values::Octets.strategy()))
            .prop_map(|(mechanism, credentials)| Authentication::Sasl { mechanism, credentials }),
    ];
    (prop_oneof![9 => Just(3), 1 => 0..128], name, authentication)
        .prop_map(|(version, name, authentication)| Request::Bind(BindRequest { version, name, authentication }))
}

fn search(values: Values) -> impl Strategy<Value = Request<'static>> {
    use DerefAliases::{Always, FindingBase, InSearching, Never};
    use SearchScope::{Base, One, Subordinate, Subtree};
    let scope = prop::sample::select(vec![Base, One, Subtree, Subordinate]);
    let deref = prop::sample::select(vec![Never, InSearching, FindingBase, Always]);
    let attributes = vec(description(values), 0..6);
    (dn(), scope, deref, limit(), limit(), any::<bool>(), filter(values), attributes).prop_map(
        |(base, scope, deref, size_limit, time_limit, types_only, filter, attributes)| {
            let search = SearchRequest { base, scope, deref, size_limit, time_limit, types_only, filter, attributes };
            Request::Search(search)
        },
    )
}

fn modify(values: Values) -> impl Strategy<Value = Request<'static>> {
    use ChangeKind::{Add, Delete, Increment, Replace};
    let kind = prop::sample::select(vec![Add, Delete, Replace, Increment]);
    let change = (kind, attribute(values, 0..4)).prop_map(|(kind, attribute)| Change { kind, attribute });
    (dn(), vec(change, 0..4)).prop_map(|(entry, changes)| Request::Modify(ModifyRequest { entry, changes }))
}

/// Add requests, whose body is that of an entry too.
pub(crate) fn add(values: Values) -> impl Strategy<Value = Request<'static>> {
    (dn(), vec(attribute(values, 1..4), 0..4))
        .prop_map(|(entry, attributes)| Request::Add(AddRequest { entry, attributes }))
}

fn extended() -> impl Strategy<Value = Request<'static>> {
    let field = || option::of(Values::Octets.strategy());
    prop_oneof![
        Just(ExtendedRequest::StartTls),
        Just(ExtendedRequest::WhoAmI),
        (field(), field(), field()).prop_map(|(identity, old, new)| ExtendedRequest::Password { identity, old, new }),
        id().prop_map(ExtendedRequest::Cancel),
        (oid(), field()).prop_map(|(oid, value)| ExtendedRequest::Other { oid, value }),
    ]
    .prop_map(Request::Extended)
}

/// Requests of every kind.
pub(crate) fn request(values: Values) -> impl Strategy<Value = Request<'static>> {
    prop_oneof![
        2 => bind(values),
        1 => Just(Request::Unbind),
        4 => search(values),
        2 => modify(values),
        2 => add(values),
        1 => dn().prop_map(Request::Delete),
        1 => (dn(), rdn(), any::<bool>(), option::of(dn())).prop_map(|(entry, new_rdn, delete_old_rdn, new_superior)| {
            Request::Rename(RenameRequest { entry, new_rdn, delete_old_rdn, new_superior })
        }),
        1 => (dn(), description(values), Values::Octets.strategy())
            .prop_map(|(entry, attribute, value)| Request::Compare(CompareRequest { entry, attribute, value })),
        1 => id().prop_map(Request::Abandon),
        2 => extended(),
    ]
}

/// A few controls, none twice.
pub(crate) fn controls() -> impl Strategy<Value = Vec<Control<'static>>> {
    let control = (oid(), any::<bool>(), option::of(Values::Octets.strategy()))
        .prop_map(|(oid, critical, value)| Control { oid, critical, value });
    vec(control, 0..4).prop_map(|mut controls| {
        controls.sort_by_key(|control| control.oid);
        controls.dedup_by_key(|control| control.oid);
        controls
    })
}

/// The same elements with lengths that are longer than they need be: `extra` says, element by
/// element, by how many octets (0 leaves it as it is).
pub(crate) fn stretch(elements: &[u8], extra: &mut impl Iterator<Item = usize>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = elements;
    while !rest.is_empty() {
        let header = Header::read(rest).expect("strict BER").expect("a whole header");
        let (element, after) = rest.split_at(header.header + header.content);
        rest = after;
        let content = &element[header.header..];
        let constructed = header.tag & 0x20 != 0;
        let content = if constructed { stretch(content, extra) } else { content.to_vec() };
        out.push(header.tag);
        match extra.next().unwrap_or(0) {
            0 => ber::write_length(&mut out, content.len()),
            more => {
                let octets = content.len().to_be_bytes();
                let significant = octets.iter().skip_while(|octet| **octet == 0);
                out.push(0x80 | (more + significant.clone().count()) as u8);
                out.extend(std::iter::repeat_n(0, more));
                out.extend(significant);
            }
        }
        out.extend(content);
    }
    out
}
