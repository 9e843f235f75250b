//! Reading groups and facts from the built-in directory, and from one that misbehaves.

use super::*;
use crate::daemon::demo::{DIRECTORY, server::BuiltInDirectory};
use futures_util::{SinkExt, StreamExt};
use ldap3_proto::LdapCodec;
use ldap3_proto::proto::{LdapBindResponse, LdapMsg, LdapOp, LdapPartialAttribute, LdapResult};
use std::collections::VecDeque;
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::codec::Framed;

fn dn(text: &str) -> Dn {
    Dn::parse(text.as_bytes()).unwrap()
}

fn account(password: &str) -> ServiceAccount {
    ServiceAccount {
        dn: dn("cn=tidegate,ou=services,dc=example,dc=com"),
        password: Some(Secret::new(password.as_bytes())),
    }
}

/// A source that connects where it is told and hands on what was read.
struct TestSource<C> {
    connect: C,
    account: ServiceAccount,
    groups: &'static [&'static str],
    readings: mpsc::UnboundedSender<Reading>,
    again: mpsc::UnboundedReceiver<()>,
}

impl<C, F, S> Source for TestSource<C>
where
    C: FnMut() -> F + Send,
    F: Future<Output = Result<S, String>> + Send,
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    type Stream = S;

    fn connect(&mut self) -> impl Future<Output = Result<S, String>> + Send {
        (self.connect)()
    }

    fn account(&mut self) -> ServiceAccount {
        self.account.clone()
    }

    fn groups(&mut self) -> Arc<GroupList> {
        Arc::new(GroupList::new(self.groups.iter().map(|group| dn(group))))
    }

    fn publish(&mut self, reading: Reading) {
        self.readings.send(reading).unwrap();
    }

    async fn changed(&mut self) {
        if self.again.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

fn source<C>(connect: C, password: &str, groups: &'static [&'static str]) -> TestSource<C> {
    let (readings, _) = mpsc::unbounded_channel();
    let (_, again) = mpsc::unbounded_channel();
    TestSource { connect, account: account(password), groups, readings, again }
}

async fn built_in() -> impl FnMut() -> std::pin::Pin<Box<dyn Future<Output = Result<TcpStream, String>> + Send>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(BuiltInDirectory::load(DIRECTORY).unwrap().serve(listener));
    move || Box::pin(async move { TcpStream::connect(address).await.map_err(|error| error.to_string()) })
}

/// What is wrong with each group, in a word.
fn troubles(reading: &Reading) -> Vec<&'static str> {
    reading.plan.kinds.iter().map(|kind| kind.as_ref().err().map_or("fine", Trouble::word)).collect()
}

#[tokio::test]
async fn reads_facts_and_kinds_of_groups() {
    let groups = &["cn=HR, ou=groups,dc=example,dc=com", "cn=none,ou=groups,dc=example,dc=com", "dc=example,dc=com"];
    let reading = read_once(&mut source(built_in().await, "tidegate-demo", groups)).await.unwrap();
    assert_eq!(reading.facts.contexts.as_ref().unwrap().all, [dn("dc=example,dc=com")]);
    assert_eq!(reading.facts.subschema, Some(dn("cn=subschema")));
    assert_eq!(troubles(&reading), ["fine", "missing", "unknown-kind"]);
}

#[tokio::test]
async fn people_are_asked_about_one_at_a_time() {
    use crate::engine::policy::groups::Belongs::{self, Member, NotMember, Unknown};
    let groups = &[
        "cn=hr,ou=groups,dc=example,dc=com",
        "cn=none,ou=groups,dc=example,dc=com",
        "dc=example,dc=com",
        "cn=hr-leads,ou=groups,dc=example,dc=com",
    ];
    let mut connect = built_in().await;
    let mut source = source(&mut connect, "tidegate-demo", groups);
    let reading = read_once(&mut source).await.unwrap();
    let stream = (source.connect)().await.unwrap();
    let mut client = open(stream, &account("tidegate-demo")).await.unwrap();
    for (person, hr) in [
        ("uid=alice,ou=people,dc=example,dc=com", Member),
        ("UID=Alice, ou=people,dc=example,dc=com", Member),
        ("uid=nobody,ou=people,dc=example,dc=com", NotMember),
    ] {
        for nested in [false, true] {
            let plan = Plan { nested, ..reading.plan.clone() };
            let found: Vec<Belongs> = ask_about(&mut client, &dn(person), &plan).await.unwrap();
            assert_eq!(found[..3], [hr, NotMember, Unknown], "{person} {nested}");
        }
    }
}

#[tokio::test]
async fn a_wrong_password_is_said() {
    let error = read_once(&mut source(built_in().await, "wrong", &[])).await.unwrap_err();
    assert!(error.contains("InvalidCredentials"), "{error}");
}

/// A directory that answers each request with the next of these, then closes.
fn scripted(answers: Vec<Vec<LdapOp>>) -> DuplexStream {
    let (near, far) = tokio::io::duplex(4096);
    tokio::spawn(async move {
        let mut framed = Framed::new(far, LdapCodec::default());
        for answer in answers {
            let Some(Ok(request)) = framed.next().await else { return };
            for op in answer {
                framed.send(LdapMsg::new(request.msgid, op)).await.unwrap();
            }
        }
    });
    near
}

fn result(code: LdapResultCode) -> LdapResult {
    LdapResult { code, matcheddn: String::new(), message: String::new(), referral: vec![] }
}

fn bound() -> Vec<LdapOp> {
    vec![LdapOp::BindResponse(LdapBindResponse { res: result(LdapResultCode::Success), saslcreds: None })]
}

fn done(code: LdapResultCode) -> LdapOp {
    LdapOp::SearchResultDone(result(code))
}

fn entry(attributes: &[(&str, &[&str])]) -> Vec<LdapOp> {
    let attributes = attributes.iter().map(|(name, values)| LdapPartialAttribute {
        atype: (*name).to_owned(),
        vals: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
    });
    let entry = LdapSearchResultEntry { dn: String::new(), attributes: attributes.collect() };
    vec![LdapOp::SearchResultEntry(entry), done(LdapResultCode::Success)]
}

#[tokio::test]
async fn a_listed_group_comes_in_parts_with_odd_members() {
    let stream = scripted(vec![
        entry(&[
            ("member", &[]),
            ("member;range=0-1", &["cn=1,dc=x", "cn=2,dc=x"]),
            ("uniqueMember", &["cn=5,dc=x#'01'B"]),
        ]),
        entry(&[("member;range=2-*", &["cn=3,dc=x", "nonsense"])]),
        vec![done(LdapResultCode::InsufficentAccessRights)],
    ]);
    let mut client = LdapClient::new(stream, ANSWER_TIMEOUT);
    let found = members(&mut client, &dn("cn=a,dc=x")).await.unwrap().unwrap();
    assert_eq!(found, ["cn=1,dc=x", "cn=2,dc=x", "cn=3,dc=x", "cn=5,dc=x"].map(dn).into());
    assert!(members(&mut client, &dn("cn=b,dc=x")).await.is_err());
}

#[tokio::test]
async fn a_group_that_cannot_be_read_is_unknown_by_itself() {
    let class = |name| entry(&[("objectClass", &[name])]);
    let found = || entry(&[]);
    let none = || vec![done(LdapResultCode::Success)];
    let denied = || vec![done(LdapResultCode::InsufficentAccessRights)];
    let groups = &["cn=a,dc=x", "cn=b,dc=x", "cn=c,dc=x", "cn=d,dc=x", "cn=e,dc=x"];
    let stream = scripted(vec![
        bound(),
        entry(&[]),
        class("groupOfNames"),
        denied(),
        class("groupOfUniqueNames"),
        class("groupOfURLs"),
        vec![done(LdapResultCode::NoSuchObject)],
        // Whether the members of the two that are groups may be searched.
        found(),
        none(),
    ]);
    let mut stream = Some(stream);
    let connect = move || std::future::ready(stream.take().ok_or_else(String::new));
    let reading = read_once(&mut source(connect, "x", groups)).await.unwrap();
    assert_eq!(troubles(&reading), ["fine", "refused", "members-hidden", "unknown-kind", "missing"]);
}

#[tokio::test]
async fn goes_on_after_failures_and_when_told() {
    let class = |name: &'static str| entry(&[("objectClass", &[name])]);
    let good = || vec![entry(&[]), class("groupOfURLs")];
    let mut connections: VecDeque<Result<DuplexStream, String>> = VecDeque::from([
        Err("nobody there".to_owned()),
        Ok(scripted(vec![vec![LdapOp::BindResponse(LdapBindResponse {
            res: result(LdapResultCode::InvalidCredentials),
            saslcreds: None,
        })]])),
        Ok(scripted([vec![bound()], good()].concat())),
        // It would go on, but a reload may mean that another directory is to be asked.
        Ok(scripted([vec![bound()], good(), vec![entry(&[]), class("groupOfNames"), entry(&[])]].concat())),
        Ok(scripted([vec![bound()], good()].concat())),
    ]);
    let connect = move || std::future::ready(connections.pop_front().unwrap_or_else(|| Err(String::new())));
    let (readings, mut published) = mpsc::unbounded_channel();
    let (tell, again) = mpsc::unbounded_channel();
    let source = TestSource { connect, account: account("x"), groups: &["cn=a,dc=x"], readings, again };
    let task = tokio::spawn(keep_reading(source));
    // Two failures, each followed by a pause that is cut short; then it works.
    tell.send(()).unwrap();
    tell.send(()).unwrap();
    published.recv().await.unwrap();
    tell.send(()).unwrap();
    published.recv().await.unwrap();
    tell.send(()).unwrap();
    let reading = published.recv().await.unwrap();
    assert_eq!(troubles(&reading), ["unknown-kind"]);
    task.abort();
}

#[tokio::test]
async fn the_schema_is_read_with_each_connection() {
    use crate::engine::ldap::attribute::AttributeDescription;
    let root = || entry(&[("subschemaSubentry", &["cn=Subschema"])]);
    let types = |names: &str| format!("( 1.2.3 NAME ( {names} ) SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )");
    let schema = |names: &str| entry(&[("attributeTypes", &[types(names).as_str()])]);
    let stamp = |changed: &str| entry(&[("modifyTimestamp", &[changed])]);
    let mut connections = VecDeque::from([
        // The third connection is refused the schema.
        scripted(vec![
            bound(),
            root(),
            schema("'shoeSize'"),
            // When it was changed is read for the first time.
            root(),
            stamp("1"),
            schema("'shoeSize'"),
            // It was not.
            root(),
            stamp("1"),
            // Every second round it is read in any case: it was, and does not tell.
            root(),
            schema("'shoeSize' 'size'"),
            // It tells.
            root(),
            stamp("2"),
            schema("'shoeSize' 'length'"),
        ]),
        scripted(vec![bound(), root(), schema("'shoeSize' 'size'")]),
        scripted(vec![bound(), root(), vec![done(LdapResultCode::InsufficentAccessRights)]]),
    ]);
    let connect = move || std::future::ready(connections.pop_front().ok_or_else(String::new));
    let mut source = source(connect, "x", &[]);
    let mut kept = None;
    let known = |reading: &Reading, name: &str| {
        let read = reading.schema.as_ref().map(|read| (read.fingerprint, read.schema.clone()));
        read.map(|(print, schema)| (print, schema.canonical(AttributeDescription(name.as_bytes())).is_some()))
    };
    let first = round(&mut source, &mut kept).await.unwrap();
    let (print, _) = known(&first, "SHOESIZE").filter(|(_, known)| *known).expect("its name is known");
    assert!(known(&first, "size").is_some_and(|(_, known)| !known));
    for expected in [None, None, Some("size"), Some("length")] {
        let reading = round(&mut source, &mut kept).await.unwrap();
        assert_eq!(reading.schema.is_some(), expected.is_some(), "{expected:?}");
        assert!(expected.is_none_or(|name| known(&reading, name).is_some_and(|(_, known)| known)), "{expected:?}");
    }
    let second = round(&mut source, &mut None).await.unwrap();
    assert!(known(&second, "size").is_some_and(|(other, known)| known && other != print), "it has changed");
    let third = round(&mut source, &mut None).await.unwrap();
    assert!(known(&third, "shoeSize").is_some_and(|(_, known)| !known), "it is not known what this one calls it");
    assert!(known(&third, "cn").is_some_and(|(_, known)| known));
}
