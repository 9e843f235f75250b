//! Real connections to a receiver of this process: what arrives, when again, and who waits for whom.

use super::*;
use crate::daemon::broker::tests::House;
use crate::daemon::store::GrantStore;
use crate::daemon::store::memory::MemoryStore;
use crate::daemon::store::sled::SledStore;
use crate::daemon::{broker::Wanted, tls};
use crate::engine::grant::fixture::{person, uid};
use crate::engine::grant::lifecycle::Grant;
use crate::engine::workflow::telling::NotificationState;
use aws_lc_rs::hmac;
use chrono::TimeDelta;
use serde_json::Value;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// Longer than anything takes; what does not happen within it does not happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a receiver answers: a status line and headers; nothing: it never does.
type Answer = Option<&'static str>;

const FINE: Answer = Some("200 OK");
const BUSY: Answer = Some("503 Service Unavailable");

/// Takes posts.
struct Hook {
    port: u16,
    /// Its certificate.
    ca: PathBuf,
    heard: mpsc::UnboundedReceiver<Post>,
    _folder: tempfile::TempDir,
}

/// A post as it came.
#[derive(Debug)]
struct Post {
    head: String,
    body: String,
}

impl Post {
    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }

    fn id(&self) -> &str {
        self.header("tidegate-delivery")
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Hook {
    async fn new() -> Hook {
        Hook::answering([]).await
    }

    /// Answers these, then that all is fine.
    async fn answering(answers: impl IntoIterator<Item = Answer>) -> Hook {
        let folder = tempfile::tempdir().unwrap();
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let (ca, key) = (folder.path().join("ca.pem"), folder.path().join("key.pem"));
        std::fs::write(&ca, certified.cert.pem()).unwrap();
        std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls::server_config(&ca, &key, None).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let (say, heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, say, each) = (acceptor.clone(), say.clone(), Arc::clone(&answers));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let Some(post) = read(&mut stream).await else { return };
                    let answer = each.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or(FINE);
                    let _ = say.send(post);
                    let Some(answer) = answer else { return std::future::pending().await };
                    // Longer than anybody reads.
                    let text = format!("HTTP/1.1 {answer}\r\nContent-Length: 1000000000\r\n\r\nxxx");
                    let _ = stream.write_all(text.as_bytes()).await;
                    let _ = stream.flush().await;
                    let _ = stream.read(&mut [0; 1]).await;
                });
            }
        });
        Hook { port, ca, heard, _folder: folder }
    }

    async fn next(&mut self) -> Post {
        tokio::time::timeout(PATIENCE, self.heard.recv()).await.expect("nothing was posted").expect("it listens")
    }

    fn webhook(&self) -> Webhook {
        Webhook {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            path: "/hooks/tidegate?x=y".to_owned(),
            tls: Some(Arc::new(tls::client_config(&self.ca).unwrap())),
            key: hmac::Key::new(hmac::HMAC_SHA256, b"0123456789abcdef"),
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Post> {
    let mut octets = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&octets).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0usize) {
                return Some(Post { head: head.to_owned(), body: body.to_owned() });
            }
        }
        if stream.read_buf(&mut octets).await.ok()? == 0 {
            return None;
        }
    }
}

/// Everybody's address is what the test says.
struct Book(Result<Option<&'static str>, &'static str>);

impl Addresses for Book {
    fn of<'a>(&'a self, _: &'a Dn, _: &'a str) -> Found<'a> {
        let found = self.0.map(|address| address.map(str::to_owned)).map_err(str::to_owned);
        Box::pin(async move { found })
    }

    fn members<'a>(&'a self, _: &'a Dn) -> Listed<'a> {
        Box::pin(async { Err("not here".to_owned()) })
    }
}

fn settings(hooks: &[(&str, &Hook)]) -> Settings {
    let all: BTreeSet<NoticeKind> = NoticeKind::ALL.into();
    let webhooks = hooks.iter().map(|(name, hook)| ((*name).to_owned(), (hook.webhook(), all.clone())));
    Settings { webhooks: webhooks.collect(), mail: None }
}

fn by_mail(port: u16) -> Settings {
    let mailer = Mailer { host: "127.0.0.1".to_owned(), port, security: Security::Plain, account: None };
    let from = Address::parse("gate@example.com").unwrap();
    let (address_attribute, subject_prefix) = ("mail".to_owned(), "[gate]".to_owned());
    let events = NoticeKind::ALL.into();
    Settings { mail: Some(Mail { mailer, from, address_attribute, subject_prefix, events }), ..Settings::default() }
}

/// A house in which people are told.
struct Place {
    house: House,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Place {
    fn new(settings: Settings) -> Place {
        Place::on(Arc::new(MemoryStore::new()), settings, Book(Ok(None)))
    }

    fn on(store: Arc<dyn GrantStore>, settings: Settings, book: Book) -> Place {
        let house = House::on(store);
        house.broker.tell_of(Wanted { kinds: NoticeKind::ALL.into(), warn_before: Some(TimeDelta::minutes(10)) });
        let notifier = Notifier::new(Arc::clone(&house.broker), house.clock.clone(), settings, Arc::new(book));
        let task = tokio::spawn(Arc::new(notifier).run());
        Place { house, task }
    }

    /// Lets time pass, and everybody see that it has.
    fn pass(&self, seconds: i64) {
        self.house.pass(seconds);
        self.house.broker.to_tell().notify_one();
    }

    /// A grant, of whose request and approval this one has heard.
    async fn granted(&self, hooks: &mut [&mut Hook]) -> Grant {
        let request = self.house.ask();
        for hook in &mut *hooks {
            assert_eq!(hook.next().await.json()["event"], "waits");
        }
        let approved = self.house.approve(&request, "lars").expect("approved");
        for hook in hooks {
            assert_eq!(hook.next().await.json()["event"], "approved");
        }
        self.house.broker.grant(&approved.grant.expect("a grant"), &person("anna")).expect("hers")
    }

    fn dead(&self) -> Vec<Notification> {
        self.house.queue(NotificationState::Dead)
    }

    /// Waits until something is so.
    async fn until(&self, what: &str, mut is_so: impl FnMut(&House) -> bool) {
        let waited = async {
            while !is_so(&self.house) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let queue = || (self.house.pending(), self.dead());
        tokio::time::timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("not {what}: {:?}", queue()));
    }
}

fn all_told(house: &House) -> bool {
    house.pending().is_empty()
}

#[tokio::test]
async fn what_happens_is_posted_and_signed() {
    let mut hook = Hook::new().await;
    let place = Place::new(settings(&[("chat", &hook)]));
    let request = place.house.ask();
    let post = hook.next().await;
    assert!(post.head.starts_with("POST /hooks/tidegate?x=y HTTP/1.1\r\n"), "{}", post.head);
    assert_eq!(post.header("content-type"), "application/json");
    assert_eq!(post.header("host"), format!("127.0.0.1:{}", hook.port));
    let json = post.json();
    assert_eq!((json["id"].as_str(), json["event"].as_str()), (Some(post.id()), Some("waits")));
    assert_eq!(json["request"]["id"].as_str(), Some(&*request.id));
    assert_eq!(json["request"]["scope"][0]["resource"], "payroll");
    let (time, _) = post.header("tidegate-signature").strip_prefix("t=").unwrap().split_once(',').unwrap();
    let tag = hmac::sign(&hook.webhook().key, format!("{time}.{}", post.body).as_bytes());
    let hex: String = tag.as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(post.header("tidegate-signature"), format!("t={time},v1={hex}"));
    place.until("told", all_told).await;
    assert!(place.dead().is_empty());
}

#[tokio::test]
async fn who_was_away_is_told_when_they_are_back_under_the_same_id() {
    let mut hook = Hook::answering([BUSY, Some("429 Too Many Requests\r\nRetry-After: 600"), BUSY]).await;
    let place = Place::new(settings(&[("chat", &hook)]));
    place.house.ask();
    let first = hook.next().await;
    place.until("one try", |house| house.pending().iter().any(|one| one.attempts == 1)).await;
    assert_eq!(place.house.pending()[0].error.as_deref(), Some("answered 503"));
    place.pass(6);
    let second = hook.next().await;
    place.until("two tries", |house| house.pending().iter().any(|one| one.attempts == 2)).await;
    let next = place.house.pending()[0].next.signed_duration_since(place.house.clock.now().wall);
    assert!(next > TimeDelta::seconds(590), "it asked to be left alone for 600 s: {next}");
    place.pass(620);
    let third = hook.next().await;
    place.until("three tries", |house| house.pending().iter().any(|one| one.attempts == 3)).await;
    place.pass(700);
    let last = hook.next().await;
    place.until("told", all_told).await;
    assert_eq!([second.id(), third.id(), last.id()], [first.id(); 3]);
    assert_eq!(last.body, first.body);
    assert_ne!(last.header("tidegate-signature"), first.header("tidegate-signature"), "each try is signed anew");
}

#[tokio::test]
async fn nothing_is_lost_when_the_gate_ends_in_between() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Arc::new(SledStore::open(&folder.path().join("store")).unwrap());
    let mut hook = Hook::answering([None]).await;
    let store = open();
    let place = Place::on(Arc::clone(&store) as Arc<dyn GrantStore>, settings(&[("chat", &hook)]), Book(Ok(None)));
    place.house.ask();
    let first = hook.next().await;
    // Gone in the middle of the try.
    drop(place);
    let gone = async {
        while Arc::strong_count(&store) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("nobody holds the store");
    drop(store);
    let place = Place::on(open(), settings(&[("chat", &hook)]), Book(Ok(None)));
    assert_eq!(hook.next().await.id(), first.id());
    place.until("told", all_told).await;
}

#[tokio::test]
async fn a_receiver_that_never_answers_holds_up_nobody_else() {
    let mut stuck = Hook::answering(std::iter::repeat_n(None, 10)).await;
    let mut fine = Hook::new().await;
    let place = Place::new(settings(&[("a-stuck", &stuck), ("fine", &fine)]));
    let request = place.house.ask();
    stuck.next().await;
    fine.next().await;
    // It is being waited for; and all the same:
    let approved = place.house.approve(&request, "lars").expect("approved");
    assert_eq!(place.house.open(), approved.grant.into_iter().collect::<Vec<_>>());
    assert_eq!(fine.next().await.json()["event"], "approved");
    place
        .until("only one is stuck", |house| {
            house.pending().iter().all(|one| one.to.to_string() == "webhook a-stuck") && house.pending().len() == 2
        })
        .await;
    assert!(stuck.heard.try_recv().is_err(), "one after the other");
}

#[tokio::test]
async fn who_cannot_show_who_they_are_is_told_nothing() {
    let (mut real, false_one) = (Hook::new().await, Hook::new().await);
    let mut settings = settings(&[("chat", &real)]);
    settings.webhooks.get_mut("chat").unwrap().0.tls = Some(Arc::new(tls::client_config(&false_one.ca).unwrap()));
    let place = Place::new(settings);
    place.house.ask();
    place.until("one try", |house| house.pending().iter().any(|one| one.attempts == 1)).await;
    assert!(place.house.pending()[0].error.as_ref().unwrap().contains("certificate"), "{:?}", place.house.pending());
    place.pass(25 * 3_600);
    // By then the request has lapsed: nobody needs to hear that it waits. Of the lapse they do.
    place.house.broker.settle();
    place.until("overtaken", |house| house.pending().iter().all(|one| one.notice.kind() == NoticeKind::Lapsed)).await;
    place.until("tried", |house| house.pending().iter().any(|one| one.attempts == 1)).await;
    place.pass(50 * 3_600);
    place.until("given up", all_told).await;
    let dead = place.dead();
    assert_eq!(dead.len(), 1);
    assert!(dead[0].error.as_ref().unwrap().contains("certificate"), "{dead:?}");
    assert!(real.heard.try_recv().is_err(), "nothing was posted");
}

#[tokio::test]
async fn refusals_are_final_and_redirects_not_followed() {
    let mut elsewhere = Hook::new().await;
    let location = format!("302 Found\r\nLocation: https://127.0.0.1:{}/", elsewhere.port);
    let mut hook = Hook::answering([Some("410 Gone"), Some(location.leak())]).await;
    let place = Place::new(settings(&[("chat", &hook)]));
    place.house.ask();
    hook.next().await;
    place.until("given up", |house| house.queue(NotificationState::Dead).len() == 1).await;
    place.house.ask();
    hook.next().await;
    place.until("given up", |house| house.queue(NotificationState::Dead).len() == 2).await;
    let errors: Vec<_> = place.dead().into_iter().filter_map(|one| one.error).collect();
    assert_eq!(errors, ["answered 410", "answered 302: redirects are not followed"]);
    assert!(elsewhere.heard.try_recv().is_err());
    // Once it is mended, an administrator has it told after all.
    let dead = place.dead().remove(0);
    place.house.broker.retry_notification(&dead.id, &person("root")).expect("retried");
    assert_eq!(hook.next().await.id(), dead.id);
    place.until("told", |house| all_told(house) && house.queue(NotificationState::Dead).len() == 1).await;
}

#[tokio::test]
async fn a_warning_that_was_overtaken_is_not_sent() {
    let mut hook = Hook::answering([FINE, FINE, BUSY]).await;
    let place = Place::new(settings(&[("chat", &hook)]));
    let grant = place.granted(&mut [&mut hook]).await;
    place.until("told", all_told).await;
    place.pass(3_300);
    place.house.broker.settle();
    assert_eq!(hook.next().await.json()["event"], "ending");
    place.until("one try", |house| house.pending().iter().any(|one| one.attempts == 1)).await;
    place.house.broker.release(&grant.id, &person("anna")).expect("released");
    place.pass(3_400);
    place.until("forgotten", all_told).await;
    assert!(hook.heard.try_recv().is_err() && place.dead().is_empty());
}

#[tokio::test]
async fn each_is_told_of_what_it_wants() {
    let (mut all, mut some) = (Hook::new().await, Hook::new().await);
    let mut settings = settings(&[("all", &all), ("some", &some)]);
    settings.webhooks.get_mut("some").unwrap().1 = BTreeSet::from([NoticeKind::Approved]);
    let place = Place::new(settings);
    place.granted(&mut [&mut all]).await;
    assert_eq!(some.next().await.json()["event"], "approved");
    place.until("told", all_told).await;
    assert!(some.heard.try_recv().is_err());
}

#[tokio::test]
async fn who_has_no_address_is_a_dead_letter_and_who_has_a_strange_one_too() {
    for (book, expected) in [
        (Book(Ok(None)), "no mail in their entry"),
        (Book(Ok(Some("a@example.com\r\nRCPT TO:<eve@example.com>"))), "mail of their entry is no address"),
    ] {
        let place = Place::on(Arc::new(MemoryStore::new()), by_mail(1), book);
        place.house.ask();
        place.until("given up", |house| house.queue(NotificationState::Dead).len() == 2).await;
        for one in place.dead() {
            assert!(one.error.as_ref().unwrap().starts_with(expected), "{one:?}");
            assert!(!one.error.unwrap().contains(['\r', '\n']));
            assert!([uid("lars"), uid("lena")].iter().any(|dn| one.to == Receiver::Person { dn: dn.clone() }));
        }
        assert!(place.house.pending().is_empty());
    }
}

#[tokio::test]
async fn a_directory_that_is_away_is_asked_again() {
    let place = Place::on(Arc::new(MemoryStore::new()), by_mail(1), Book(Err("away")));
    place.house.ask();
    place
        .until("tried", |house| house.pending().len() == 2 && house.pending().iter().all(|one| one.attempts == 1))
        .await;
    assert_eq!(place.house.pending()[0].error.as_deref(), Some("away"));
}

#[tokio::test]
async fn nobody_is_told_while_it_cannot_be_kept_that_they_were() {
    let mut hook = Hook::new().await;
    let store = Arc::new(MemoryStore::new());
    let place = Place::on(Arc::clone(&store) as Arc<dyn GrantStore>, Settings::default(), Book(Ok(None)));
    place.task.abort();
    place.house.ask();
    store.fail("full");
    let notifier = Notifier::new(
        Arc::clone(&place.house.broker),
        place.house.clock.clone(),
        settings(&[("chat", &hook)]),
        Arc::new(Book(Ok(None))),
    );
    let (due, wait) = Arc::new(notifier).due(BTreeSet::new()).await;
    assert_eq!((due.len(), wait), (0, LOOK_AGAIN));
    assert!(hook.heard.try_recv().is_err());
}
