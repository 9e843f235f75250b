//! While the mode is `monitor`: answers are passed on as they came, and the record says what enforcing would take out.

use super::*;
use crate::engine::ldap::request::Attribute;
use crate::engine::ldap::tag::{SEARCH_RESULT_DONE, SEARCH_RESULT_ENTRY};
use crate::engine::policy::attributes::AttributeNames;
use serde_json::{Value, json};

const PEOPLE: &str = "ou=people,dc=example,dc=com";

/// Payroll is protected, and the home telephone numbers of people.
fn world(mode: Mode) -> World {
    let phones = Resource {
        attributes: Some(AttributeNames::new(["homePhone"]).unwrap()),
        ..resource("phones", PEOPLE, OperationSet::all())
    };
    let resources = vec![resource("payroll", PAYROLL, OperationSet::all()), phones];
    let mut world = World::new();
    world.snapshot.policy = Policy::new(mode, RefusalStyle::Explain, resources, vec![], vec![]).into();
    world.bound(1, ALICE);
    world.records();
    world
}

fn is(name: &'static str, value: &'static str) -> Filter<'static> {
    Filter::Equality { attribute: AttributeDescription(name.as_bytes()), value: value.as_bytes() }
}

fn wanted(base: &str, filter: Filter<'static>) -> Request<'static> {
    match search(base) {
        Request::Search(search) => Request::Search(SearchRequest { filter, ..search }),
        _ => unreachable!("a search"),
    }
}

/// The record of a search that finds these.
fn record(world: &mut World, request: &Request<'_>, found: &[(&str, &[(&str, &str)])]) -> Value {
    world.client(2, request);
    let asked = world.at_directory();
    assert_eq!(asked.len(), 1, "the directory is asked as the client asked");
    let mut sent = Vec::new();
    for (name, attributes) in found {
        let attribute = |(name, value): &(&'static str, &'static str)| Attribute {
            description: AttributeDescription(name.as_bytes()),
            values: vec![value.as_bytes()],
        };
        let attributes: Vec<(&'static str, &'static str)> =
            attributes.iter().map(|(name, value)| (&*name.to_string().leak(), &*value.to_string().leak())).collect();
        let entry = Entry { name: name.as_bytes(), attributes: attributes.iter().map(attribute).collect() };
        let mut frame = Vec::new();
        entry.write(&mut frame, ClientMessageId(asked[0].id));
        world.upstream(&frame);
        let mut body = Vec::new();
        entry.write_body(&mut body);
        sent.push(body);
    }
    world.result(asked[0].id, SEARCH_RESULT_DONE, 0);
    let seen = world.at_client();
    let bodies: Vec<_> = seen.iter().filter(|seen| seen.tag == SEARCH_RESULT_ENTRY).map(|seen| &seen.body).collect();
    assert_eq!(bodies, sent.iter().collect::<Vec<_>>(), "everything is passed on as it came");
    world.records().pop().unwrap()
}

const ALL: &[(&str, &[(&str, &str)])] = &[
    ("uid=a,ou=people,dc=example,dc=com", &[("cn", "A"), ("homePhone", "1")]),
    ("uid=b,ou=people,dc=example,dc=com", &[("cn", "B")]),
    ("uid=e,ou=payroll,dc=example,dc=com", &[("cn", "E"), ("description", "much")]),
];

#[test]
fn what_enforcing_would_take_out_is_counted() {
    let mut world = world(Mode::Monitor);
    let phone = || Filter::Present(AttributeDescription(b"homePhone"));
    type Row<'a> = (Request<'static>, &'a [(&'a str, &'a [(&'a str, &'a str)])], [u64; 4], &'a [&'a str]);
    let rows: Vec<Row<'_>> = vec![
        // From the root, and nothing would be missing.
        (wanted(BASE, is("cn", "B")), &ALL[1..2], [1, 0, 0, 0], &[]),
        (wanted(BASE, Filter::Present(AttributeDescription(b"objectClass"))), ALL, [3, 1, 1, 0], &["homePhone"]),
        // The filter asserts what is hidden: none would be found.
        (wanted(BASE, phone()), &ALL[..1], [1, 1, 0, 0], &[]),
        (wanted(PEOPLE, Filter::And(vec![is("cn", "A"), phone()])), &ALL[..1], [1, 1, 0, 0], &[]),
        // It would be found by what else it asserts, where that is in the answer.
        (wanted(PEOPLE, Filter::Or(vec![is("cn", "B"), phone()])), &ALL[..2], [2, 1, 0, 0], &[]),
        (wanted(PEOPLE, Filter::Or(vec![is("sn", "B"), phone()])), &ALL[..1], [1, 0, 1, 1], &["homePhone"]),
    ];
    for (request, found, [entries, withheld, cut, undecided], names) in rows {
        let record = record(&mut world, &request, found);
        assert_eq!((&record["decision"], &record["reason"]), (&json!("monitored"), &json!("redacted")), "{record}");
        let counts = ["entries", "withheld", "cut", "undecided"].map(|name| record[name].as_u64().unwrap());
        assert_eq!(counts, [entries, withheld, cut, undecided], "{request:?}: {record}");
        assert_eq!(record["would_redact"], json!(names), "{record}");
    }
}

#[test]
fn what_would_be_refused_is_named_as_such_and_nothing_is_counted_where_nothing_is_hidden() {
    let mut world = world(Mode::Monitor);
    let refused = record(&mut world, &wanted(PAYROLL, is("cn", "E")), &ALL[2..]);
    assert_eq!((&refused["decision"], &refused["reason"]), (&json!("monitored"), &json!("not held")));
    assert_eq!(refused.get("undecided"), None);
    let open = record(&mut world, &wanted("ou=groups,dc=example,dc=com", is("cn", "x")), &[]);
    assert_eq!((&open["decision"], open.get("would_redact")), (&json!("permitted"), None));
}

#[test]
fn the_counts_are_those_of_enforcing() {
    let counts = |mode| {
        let mut world = world(mode);
        world.client(2, &wanted(BASE, is("cn", "A")));
        let asked = world.at_directory();
        for (name, _) in ALL {
            world.entry(asked[0].id, name);
        }
        world.result(asked[0].id, SEARCH_RESULT_DONE, 0);
        let record = world.records().pop().unwrap();
        [record["withheld"].clone(), record["cut"].clone()]
    };
    assert_eq!(counts(Mode::Monitor), counts(Mode::Enforce));
}
