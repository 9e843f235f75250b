//! That a record has the promised fields, is one line whatever comes in, and never shows a secret.

use super::*;
use crate::engine::ldap::Dn;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::request::*;
use chrono::DateTime;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

const FIELDS: &str = "seq time session connection_from tls subject authentication certificate message_id operation target scope \
                      filter attributes controls changes decision reason resources role grant request standing break_glass upstream result \
                      ending entries withheld cut bytes duration_us";
const SECRET: &str = "s3cret-Passw0rd";

fn context(subject: &Subject) -> RecordContext<'_> {
    let wall = DateTime::from_timestamp_micros(1_795_196_893_000_412).unwrap();
    RecordContext {
        now: Now { wall, monotonic: Duration::ZERO },
        session: "17",
        connection_from: "[::1]:40022",
        tls: "TLSv1.3 TLS_AES_256_GCM_SHA384",
        subject,
        authentication: "simple",
        certificate: None,
        message_id: Some(ClientMessageId(3)),
        number: None,
    }
}

fn grant(id: &str, role: &str) -> ActiveGrant {
    ActiveGrant {
        id: Arc::from(id),
        request: Arc::from(format!("r-{id}")),
        role: Arc::from(role),
        subject: Dn::root(),
        from: DateTime::UNIX_EPOCH,
        until: DateTime::UNIX_EPOCH,
        until_monotonic: Duration::ZERO,
        break_glass: id == "broken",
        opens: Vec::new(),
    }
}

/// The record as the log would hold it.
fn line(request: &Request<'_>, controls: &[Control<'_>], grants: &[ActiveGrant], outcome: &Outcome<'_>) -> String {
    let mut out = b"{\"seq\":1,".to_vec();
    let verdict = Verdict {
        decision: "permitted",
        reason: Some("grant"),
        resources: ["payroll", "writes"].into_iter(),
        grants,
        standing: &[],
    };
    begin(&mut out, &context(&Subject::Anonymous), request, controls, verdict);
    finish(&mut out, outcome);
    String::from_utf8(out).unwrap()
}

fn record(request: &Request<'_>) -> Value {
    serde_json::from_str(&line(request, &[], &[], &Outcome::default())).unwrap()
}

fn field_order(line: &str) -> Vec<String> {
    /// Keeps the names in the order in which they stand.
    struct Names(Vec<String>);
    impl<'de> serde::Deserialize<'de> for Names {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Names, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Names;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                    let mut names = Vec::new();
                    while let Some((name, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                        names.push(name);
                    }
                    Ok(Names(names))
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }
    serde_json::from_str::<Names>(line).unwrap().0
}

fn search<'a>(filter: Filter<'a>, attributes: &[&'a [u8]]) -> Request<'a> {
    Request::Search(SearchRequest {
        base: Dn::root(),
        scope: SearchScope::Subtree,
        deref: DerefAliases::Never,
        size_limit: 0,
        time_limit: 0,
        types_only: false,
        filter,
        attributes: attributes.iter().map(|name| AttributeDescription(name)).collect(),
    })
}

#[test]
fn a_search_in_full() {
    let filter = Filter::Equality { attribute: AttributeDescription(b"uid"), value: b"al\"ice\n" };
    let outcome = Outcome {
        upstream: Some("ldaps://ldap1.example.com"),
        result: Some(ResultCode::SUCCESS),
        ending: Some(Ending::Abandoned),
        entries: 2,
        withheld: 1,
        cut: 2,
        would: None,
        bytes: 345,
        duration: Duration::from_micros(1234),
    };
    let controls = [
        Control { oid: "1.2.840.113556.1.4.319", critical: true, value: Some(SECRET.as_bytes()) },
        Control { oid: "2.16.840.1.113730.3.4.2", critical: false, value: None },
    ];
    let text =
        line(&search(filter, &[b"cn", b"*"]), &controls, &[grant("g1", "reader"), grant("g2", "editor")], &outcome);
    assert_eq!(
        text,
        r#"{"seq":1,"time":"2026-11-20T17:48:13.000412Z","session":"17","connection_from":"[::1]:40022","#.to_owned()
            + r#""tls":"TLSv1.3 TLS_AES_256_GCM_SHA384","subject":"anonymous","authentication":"simple","certificate":null,"message_id":3,"#
            + r#""operation":"search","target":"","scope":"subtree","filter":"(uid=al\"ice\\0a)","attributes":["cn","*"],"#
            + r#""controls":["1.2.840.113556.1.4.319 critical","2.16.840.1.113730.3.4.2"],"changes":null,"#
            + r#""decision":"permitted","reason":"grant","resources":["payroll","writes"],"role":"reader,editor","#
            + r#""grant":"g1,g2","request":"r-g1,r-g2","standing":null,"break_glass":false,"upstream":"ldaps://ldap1.example.com","result":0,"ending":"abandoned","entries":2,"#
            + r#""withheld":1,"cut":2,"bytes":345,"duration_us":1234}"#
            + "\n"
    );
    assert_eq!(field_order(&text).join(" "), FIELDS);
}

#[test]
fn standing_access_and_broken_glass_are_named() {
    let standing: [StandingName; 2] =
        [("payroll".into(), "nightly \"export\", HR-1".into()), ("writes".into(), "IT".into())];
    for (grants, broke) in
        [(vec![grant("g1", "reader")], false), (vec![grant("g1", "reader"), grant("broken", "root")], true)]
    {
        let mut out = b"{\"seq\":1,".to_vec();
        let verdict = Verdict {
            decision: "permitted",
            reason: None,
            resources: ["payroll"].into_iter(),
            grants: &grants,
            standing: &standing,
        };
        begin(&mut out, &context(&Subject::Anonymous), &Request::Unbind, &[], verdict);
        finish(&mut out, &Outcome::default());
        let record: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(record["standing"], serde_json::json!(["payroll: nightly \"export\", HR-1", "writes: IT"]));
        assert_eq!(record["break_glass"], broke);
    }
}

#[test]
fn what_was_asked_for_in_place_of_a_refusal_is_named() {
    let mut out = b"{\"seq\":1,".to_vec();
    begin(&mut out, &context(&Subject::Anonymous), &Request::Unbind, &[], Verdict::plain("refused", Some("not held")));
    name_asked(&mut out, "reader", Some("req-1"));
    finish(&mut out, &Outcome::default());
    let text = String::from_utf8(out).unwrap();
    assert_eq!(field_order(&text).join(" "), FIELDS);
    let record: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&record["role"], &record["request"], &record["grant"]),
        (&"reader".into(), &"req-1".into(), &Value::Null)
    );
}

#[test]
fn every_operation_has_all_fields_in_order() {
    let bind = |name| {
        Request::Bind(BindRequest { version: 3, name, authentication: Authentication::Simple(SECRET.as_bytes()) })
    };
    let password = |identity| {
        let old = Some(SECRET.as_bytes());
        Request::Extended(ExtendedRequest::Password { identity, old, new: old })
    };
    let rename =
        RenameRequest { entry: Dn::root(), new_rdn: Dn::root(), delete_old_rdn: true, new_superior: Some(Dn::root()) };
    let compare =
        CompareRequest { entry: Dn::root(), attribute: AttributeDescription(b"member"), value: SECRET.as_bytes() };
    for (request, operation, target) in [
        (bind(BindName::Dn(Dn::root())), "bind", json!("")),
        (bind(BindName::Other(b"EXAMPLE\\alice")), "bind", json!("EXAMPLE\\alice")),
        (Request::Unbind, "unbind", Value::Null),
        (search(Filter::And(vec![]), &[]), "search", json!("")),
        (Request::Modify(ModifyRequest { entry: Dn::root(), changes: vec![] }), "modify", json!("")),
        (Request::Add(AddRequest { entry: Dn::root(), attributes: vec![] }), "add", json!("")),
        (Request::Delete(Dn::root()), "delete", json!("")),
        (Request::Rename(rename), "rename", json!("")),
        (Request::Compare(compare), "compare", json!("")),
        (Request::Abandon(ClientMessageId(7)), "abandon", json!("7")),
        (Request::Extended(ExtendedRequest::StartTls), "extended", json!("1.3.6.1.4.1.1466.20037")),
        (Request::Extended(ExtendedRequest::WhoAmI), "extended", json!("1.3.6.1.4.1.4203.1.11.3")),
        (Request::Extended(ExtendedRequest::Cancel(ClientMessageId(1))), "extended", json!("1.3.6.1.1.8")),
        (password(Some(b"uid=alice")), "password", json!("uid=alice")),
        (password(None), "password", Value::Null),
    ] {
        let text = line(&request, &[], &[], &Outcome::default());
        assert_eq!(field_order(&text).join(" "), FIELDS, "{operation}");
        assert!(!text.contains(SECRET), "{text}");
        let record: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((record["operation"].as_str(), &record["target"]), (Some(operation), &target));
        assert_eq!(
            (&record["role"], &record["result"], &record["upstream"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
    }
}

#[test]
fn changes_are_names_and_kinds() {
    let attribute = |name: &'static str| Attribute {
        description: AttributeDescription(name.as_bytes()),
        values: vec![SECRET.as_bytes()],
    };
    let changes = [
        (ChangeKind::Replace, "telephoneNumber"),
        (ChangeKind::Add, "member"),
        (ChangeKind::Delete, "userPassword"),
        (ChangeKind::Increment, "uidNumber"),
    ];
    let changes = changes.map(|(kind, name)| Change { kind, attribute: attribute(name) }).to_vec();
    let modify = record(&Request::Modify(ModifyRequest { entry: Dn::root(), changes }));
    let expected = json!(["replace telephoneNumber", "add member", "delete userPassword", "increment uidNumber"]);
    assert_eq!(modify["changes"], expected);
    let attributes = vec![attribute("objectClass"), attribute("a\"b")];
    let add = record(&Request::Add(AddRequest { entry: Dn::root(), attributes }));
    assert_eq!(add["changes"], json!(["add objectClass", "add a\"b"]));
}

#[test]
fn names_of_entries_do_not_show_secrets() {
    let dn = |text: &str| Dn::parse(text.as_bytes()).unwrap();
    let hidden = dn(&format!("cn=a+userPassword={SECRET},ou=x"));
    let rename = RenameRequest {
        entry: hidden.clone(),
        new_rdn: dn(&format!("2.5.4.35={SECRET}")),
        delete_old_rdn: true,
        new_superior: Some(dn(&format!("ou=new,unicodePwd={SECRET}"))),
    };
    let renamed = record(&Request::Rename(rename));
    assert_eq!(renamed["changes"].as_array().unwrap().len(), 3);
    assert_eq!(renamed["changes"][2], "delete old name");
    for record in [record(&Request::Delete(hidden)), renamed] {
        assert!(record["target"].as_str().unwrap().ends_with("ou=x"), "{record}");
        assert!(!record.to_string().contains(SECRET), "{record}");
    }
    let plain = RenameRequest {
        entry: dn("uid=a,ou=x"),
        new_rdn: dn("uid=b"),
        delete_old_rdn: false,
        new_superior: Some(dn("ou=y")),
    };
    assert_eq!(record(&Request::Rename(plain))["changes"], json!(["rename to uid=b", "move to ou=y"]));
}

#[test]
fn long_lists_are_cut_and_counted() {
    let names: Vec<String> = (0..5000).map(|number| format!("attribute-{number}")).collect();
    let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    let record = record(&search(Filter::And(vec![]), &names));
    let shown = record["attributes"].as_array().unwrap();
    let left_out = 5000 - (shown.len() - 1);
    assert_eq!(shown.last().unwrap(), &json!(format!("and {left_out} more… (cut)")));
    assert!(record.to_string().len() < 2 * LIST_LIMIT);
}

#[test]
fn malformed_messages_have_all_fields_too() {
    for (tag, operation) in [(None, Value::Null), (Some(0x63), json!("search")), (Some(0x01), Value::Null)] {
        let mut out = b"{\"seq\":1,".to_vec();
        let subject = Subject::Anonymous;
        begin_malformed(&mut out, &RecordContext { message_id: None, ..context(&subject) }, tag, "malformed");
        finish(&mut out, &Outcome { result: Some(ResultCode::PROTOCOL_ERROR), ..Outcome::default() });
        let text = String::from_utf8(out).unwrap();
        assert_eq!(field_order(&text).join(" "), FIELDS);
        let record: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&record["operation"], &record["decision"], &record["reason"]),
            (&operation, &json!("refused"), &json!("malformed"))
        );
    }
}

#[test]
fn events() {
    for (given, kept) in [
        (
            json!({"event": "request.created", "by": "uid=a\u{1b}[31m", "revision": 1, "seq": 9, "time": 1}),
            json!({"seq": 4, "event": "request.created", "by": "uid=a\u{1b}[31m", "revision": 1, "time": "2026-11-20T17:48:13.000412Z"}),
        ),
        (json!("started"), json!({"seq": 4, "event": "started", "time": "2026-11-20T17:48:13.000412Z"})),
        (
            json!({"event": {"a": [1, true, null, -2.5]}}),
            json!({"seq": 4, "event": {"a": [1, true, null, -2.5]}, "time": "2026-11-20T17:48:13.000412Z"}),
        ),
    ] {
        let mut out = b"{\"seq\":4,".to_vec();
        event(&mut out, context(&Subject::Anonymous).now, &given);
        assert_eq!(out.iter().filter(|byte| byte.is_ascii_control()).count(), 1);
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), kept);
    }
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        "\\PC{0,20}".prop_map(String::into_bytes),
        "[a-zA-Z0-9=,+;\\\\\"\n ]{0,30}".prop_map(String::into_bytes),
    ]
}

/// Names of sensitive attributes as somebody might write them.
fn sensitive_name() -> impl Strategy<Value = Vec<u8>> {
    let names = vec!["userPassword", "USERPASSWORD", "2.5.4.35", "unicodePwd", "oid.2.5.4.35", "krbPrincipalKey"];
    (proptest::sample::select(names), proptest::sample::select(vec!["", ";binary", ";lang-de;x-1"]))
        .prop_map(|(name, options)| format!("{name}{options}").into_bytes())
}

/// A filter's owned form, for generating.
#[derive(Debug, Clone)]
enum Tree {
    Leaf(u8, Vec<u8>, Vec<u8>),
    Not(Box<Tree>),
    And(Vec<Tree>),
    Or(Vec<Tree>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let sensitive = (any::<u8>(), sensitive_name(), Just(SECRET.as_bytes().to_vec()));
    let leaf = prop_oneof![(any::<u8>(), octets(), octets()), sensitive].prop_map(|(k, a, v)| Tree::Leaf(k, a, v));
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            inner.clone().prop_map(|tree| Tree::Not(Box::new(tree))),
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Tree::And),
            proptest::collection::vec(inner, 0..6).prop_map(Tree::Or),
        ]
    })
}

fn filter(tree: &Tree) -> Filter<'_> {
    match tree {
        Tree::Not(inner) => Filter::Not(Box::new(filter(inner))),
        Tree::And(parts) => Filter::And(parts.iter().map(filter).collect()),
        Tree::Or(parts) => Filter::Or(parts.iter().map(filter).collect()),
        Tree::Leaf(kind, name, value) => {
            let (attribute, value) = (AttributeDescription(name), value.as_slice());
            match kind % 8 {
                0 => Filter::Equality { attribute, value },
                1 => Filter::GreaterOrEqual { attribute, value },
                2 => Filter::LessOrEqual { attribute, value },
                3 => Filter::Approximate { attribute, value },
                4 => Filter::Present(attribute),
                5 => Filter::Substrings { attribute, initial: Some(value), any: vec![value, value], last: Some(value) },
                6 => Filter::Extensible {
                    rule: Some(b"2.5.13.2"),
                    attribute: Some(attribute),
                    value,
                    dn_attributes: true,
                },
                _ => Filter::Extensible { rule: Some(name), attribute: None, value, dn_attributes: false },
            }
        }
    }
}

proptest! {
    #[test]
    fn any_record_is_one_line_of_json_without_the_secret(
        tree in tree(),
        names in proptest::collection::vec(octets(), 0..5),
        kind in 0_u8..6,
        hidden in sensitive_name(),
        reason in "\\PC{0,20}",
    ) {
        let values = vec![SECRET.as_bytes()];
        let name = names.first().map_or(&b""[..], Vec::as_slice);
        let sensitive_target = [&b"cn=a\\+b+"[..], &hidden, b" = ", SECRET.as_bytes(), b",dc=example"].concat();
        let mut changes: Vec<Change<'_>> = names.iter().map(|name| Change {
            kind: ChangeKind::Add,
            attribute: Attribute { description: AttributeDescription(name), values: vec![] },
        }).collect();
        changes.push(Change {
            kind: ChangeKind::Replace,
            attribute: Attribute { description: AttributeDescription(&hidden), values },
        });
        let request = match kind {
            0 => search(filter(&tree), &names.iter().map(Vec::as_slice).collect::<Vec<_>>()),
            1 => Request::Bind(BindRequest {
                version: 3,
                name: BindName::Other(&sensitive_target),
                authentication: Authentication::Sasl { mechanism: name, credentials: Some(SECRET.as_bytes()) },
            }),
            2 => Request::Modify(ModifyRequest { entry: Dn::root(), changes }),
            3 => Request::Compare(CompareRequest {
                entry: Dn::root(),
                attribute: AttributeDescription(name),
                value: SECRET.as_bytes(),
            }),
            4 => Request::Extended(ExtendedRequest::Password {
                identity: Some(&sensitive_target), old: Some(SECRET.as_bytes()), new: Some(SECRET.as_bytes()),
            }),
            _ => Request::Extended(ExtendedRequest::Other { oid: "1.2.3", value: Some(SECRET.as_bytes()) }),
        };
        let controls = [Control { oid: "1.2.3.4", critical: true, value: Some(SECRET.as_bytes()) }];
        let mut out = b"{\"seq\":1,".to_vec();
        let verdict = Verdict { reason: Some(&reason), ..Verdict::plain("refused", None) };
        begin(&mut out, &context(&Subject::Anonymous), &request, &controls, verdict);
        finish(&mut out, &Outcome { upstream: Some(&reason), ..Outcome::default() });
        let text = String::from_utf8(out).unwrap();
        let body = text.strip_suffix('\n').unwrap();
        prop_assert!(!body.chars().any(char::is_control), "{}", text);
        prop_assert!(!text.contains(SECRET), "{}", text);
        prop_assert_eq!(field_order(&text).join(" "), FIELDS);
    }
}
