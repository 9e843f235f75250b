//! The rules of the workflow, a line a case.

mod automatic;
mod break_glass;
mod clauses;
mod ending;
mod extending;
mod locking;
mod sequences;
mod stages;
mod telling;

use super::asking::{NewIds, Wish, ask};
use super::ending::{Outcome, on_deadline, on_policy, release, revoke};
use super::review::{Event, Reviewing, Step, may_review, step};
use super::*;
use crate::engine::Now;
use crate::engine::grant::fixture::{
    HOUR, at, dn, editor, groups, person, person_as, policy, policy_of, resources, selectors, uid, vault,
};
use crate::engine::grant::history::{Actor, Identity};
use crate::engine::grant::lifecycle::{Effect, Grant, GrantState};
use crate::engine::grant::scope::{Narrowing, Scope};
use crate::engine::policy::OperationKind;
use crate::engine::policy::Policy;
use crate::engine::policy::groups::{GROUP_MAX_AGE, Groups};
use crate::engine::policy::role::Role;
use std::time::Duration;

/// Everything that a context borrows.
struct World {
    policy: Policy,
    authority: Authority,
    groups: Groups,
    locks: Locks,
    now: Now,
}

impl World {
    fn new() -> World {
        let authority = Authority {
            administrators: selectors(&["dn:uid=root,ou=people,dc=x", "local:root"]),
            auditors: selectors(&["dn:uid=rita,ou=people,dc=x"]),
            metrics: Vec::new(),
            act_as: selectors(&["local:olga"]),
            trust_act_as: false,
            max_pending: Some(20),
            requests_per_hour: Some(60),
            local_subject: Some("uid={user},ou=people,dc=x".to_owned()),
        };
        World { policy: policy(), authority, groups: groups(at(0)), locks: Locks::default(), now: at(0) }
    }

    fn with_roles(roles: Vec<Role>) -> World {
        World { policy: policy_of(resources(), roles), ..World::new() }
    }

    /// Later, the directory having been asked again.
    fn at(self, seconds: i64) -> World {
        World { now: at(seconds), groups: groups(at(seconds)), ..self }
    }

    fn context(&self) -> Context<'_> {
        Context {
            policy: &self.policy,
            authority: &self.authority,
            groups: &self.groups,
            since: self.now.monotonic.saturating_sub(GROUP_MAX_AGE),
            locks: &self.locks,
            now: self.now,
        }
    }

    fn ask(&self, actor: &Actor, wish: Wish) -> Result<Request, WorkflowError> {
        self.asked(actor, wish).map(|step| step.request)
    }

    fn asked(&self, actor: &Actor, wish: Wish) -> Result<Step, WorkflowError> {
        self.asked_beside(actor, wish, &[])
    }

    /// The same where these grants have not ended.
    fn asked_beside(&self, actor: &Actor, wish: Wish, grants: &[Grant]) -> Result<Step, WorkflowError> {
        let ids = NewIds { request: "req-1".to_owned(), grant: "grant-1".to_owned() };
        ask(ids, wish, actor, grants, &self.context())
    }

    fn review(&self, request: &Request, actor: &Actor, verdict: Verdict) -> Result<Request, WorkflowError> {
        let reviewing = seen(request, actor, verdict);
        step(request, &Event::Review(reviewing), &self.context()).map(|step| step.request)
    }

    fn grant(&self, request: &Request, actor: &Actor) -> Grant {
        let reviewing = seen(request, actor, Verdict::Approve);
        step(request, &Event::Review(reviewing), &self.context()).unwrap().grant.unwrap().0
    }
}

fn seen<'a>(request: &Request, actor: &'a Actor, verdict: Verdict) -> Reviewing<'a> {
    let digest: &'a str = Box::leak(request.digest().into_boxed_str());
    Reviewing {
        actor,
        verdict,
        reason: Some("because"),
        digest,
        revision: request.revision,
        grant_id: "grant-1".to_owned(),
        extended: None,
    }
}

fn wish(role: &str) -> Wish {
    Wish { role: role.to_owned(), reason: "payslips".to_owned(), ..Wish::default() }
}

fn asked_by(name: &str, role: &str) -> Request {
    World::new().ask(&person(name), wish(role)).unwrap()
}

#[test]
fn who_may_ask_for_whom() {
    let world = World::new();
    let nobody = Actor::own(Identity { local_user: Some("olga".to_owned()), ..Identity::default() }, "local");
    type Row<'a> = (Actor, &'a str, Option<&'a str>, Result<&'a str, &'a str>);
    let rows: Vec<Row<'_>> = vec![
        (person("anna"), "editor", None, Ok("uid=anna,ou=people,dc=x")),
        (person("anna"), "editor", Some("uid=anna,ou=people,dc=x"), Ok("uid=anna,ou=people,dc=x")),
        (person("anna"), "editor", Some("cn=sync,dc=x"), Ok("cn=sync,dc=x")),
        (person("anna"), "editor", Some("uid=bert,ou=people,dc=x"), Err("not-beneficiary")),
        (person("olga"), "editor", None, Ok("uid=olga,ou=people,dc=x")),
        (person_as("olga", "anna"), "editor", None, Ok("uid=anna,ou=people,dc=x")),
        // Who acts as another has what that one has, not what they have themselves.
        (person_as("olga", "lars"), "editor", None, Err("not-eligible")),
        (person("lars"), "editor", None, Err("not-eligible")),
        (person("lars"), "editor", Some("cn=sync,dc=x"), Err("not-eligible")),
        (person("anna"), "nonesuch", None, Err("unknown-role")),
        (nobody, "editor", None, Err("no-subject")),
    ];
    for (actor, role, subject, expected) in rows {
        let result = world.ask(&actor, Wish { subject: subject.map(dn), ..wish(role) });
        let label = format!("{actor:?} {role} {subject:?}");
        match expected {
            Ok(holder) => {
                let request = result.expect(&label);
                assert_eq!(request.subject.text(), holder, "{label}");
                assert_eq!((request.state, request.revision), (RequestState::Pending, 1));
                assert_eq!(request.requested_by, actor.acts);
                assert_eq!(request.really, actor.really);
                assert_eq!(request.history[0].by, actor.by());
                assert_eq!(request.history[0].acting_as, actor.acting_as());
            }
            Err(word) => assert_eq!(result.unwrap_err().word(), word, "{label}"),
        }
    }
    let stale = World { groups: groups(at(-31)), ..World::new() };
    assert_eq!(stale.ask(&person("anna"), wish("editor")).unwrap_err().word(), "membership-unknown");
    assert!(stale.ask(&person("olga"), wish("editor")).is_ok(), "who is named without a group needs none");
}

#[test]
fn nothing_that_is_asked_for_is_adjusted() {
    let seconds = Duration::from_secs;
    let base = |text: &str| Narrowing { base: Some(dn(text)), ..Narrowing::default() };
    let rows: Vec<(Wish, Result<Duration, &str>)> = vec![
        (wish("editor"), Ok(HOUR)),
        (Wish { duration: Some(4 * HOUR), ..wish("editor") }, Ok(4 * HOUR)),
        (Wish { duration: Some(4 * HOUR + seconds(1)), ..wish("editor") }, Err("bad-duration")),
        (Wish { duration: Some(Duration::MAX), ..wish("editor") }, Err("bad-duration")),
        (Wish { duration: Some(Duration::ZERO), ..wish("editor") }, Err("bad-duration")),
        (Wish { start: Some(at(0).wall), ..wish("editor") }, Ok(HOUR)),
        (Wish { start: Some(at(-1).wall), ..wish("editor") }, Err("bad-start")),
        (Wish { start: Some(chrono::DateTime::<chrono::Utc>::MAX_UTC), ..wish("editor") }, Err("bad-start")),
        (Wish { narrowing: base("dc=x"), ..wish("editor") }, Err("not-narrower")),
        (Wish { narrowing: base("cn=a,ou=payroll,dc=x"), ..wish("editor") }, Ok(HOUR)),
        (
            Wish {
                narrowing: Narrowing { operations: Some(vec![OperationKind::Delete]), ..Narrowing::default() },
                ..wish("editor")
            },
            Err("not-narrower"),
        ),
        (Wish { reason: " \n".to_owned(), ..wish("editor") }, Err("reason-missing")),
        (Wish { reason: "a\u{1b}[2J".to_owned(), ..wish("editor") }, Err("bad-text")),
        (Wish { reason: "ü".repeat(MAX_TEXT), ..wish("editor") }, Ok(HOUR)),
        (Wish { reason: "x".repeat(MAX_TEXT + 1), ..wish("editor") }, Err("bad-text")),
        (Wish { ticket: Some("HR-1\r\nX".to_owned()), ..wish("editor") }, Err("bad-text")),
    ];
    for (wish, expected) in rows {
        let result = World::new().ask(&person("anna"), wish.clone());
        assert_eq!(result.map(|request| request.duration).map_err(|e| e.word()), expected, "{wish:?}");
    }
}

#[test]
fn tickets_and_reasons_as_the_role_says() {
    let pattern = regex_lite::Regex::new("^HR-[0-9]+$").unwrap();
    let world = World::with_roles(vec![Role { ticket_pattern: Some(pattern), reason_required: false, ..editor() }]);
    for (ticket, expected) in [
        (Some("HR-12"), Ok(())),
        (Some("HR-"), Err("bad-ticket")),
        (Some("xHR-1"), Err("bad-ticket")),
        (None, Err("bad-ticket")),
    ] {
        let wish = Wish { ticket: ticket.map(str::to_owned), reason: String::new(), ..wish("editor") };
        assert_eq!(world.ask(&person("anna"), wish).map(|_| ()).map_err(|e| e.word()), expected, "{ticket:?}");
    }
}

#[test]
fn nobody_reviews_their_own_request_under_any_name() {
    let for_sync = Wish { subject: Some(dn("cn=sync,dc=x")), ..wish("vault") };
    let beneficiaries = Role { beneficiaries: selectors(&["dn:cn=sync,dc=x"]), approvals: 1, ..vault() };
    let world = World::with_roles(vec![beneficiaries]);
    let sync = Actor::own(Identity::of_dn(dn("CN=Sync, DC=X")), "local");
    let look_alike = Actor::own(Identity::of_dn(dn("uid=ännä,ou=people,dc=x")), "local");
    let rows: Vec<(Actor, Actor, Result<(), &str>)> = vec![
        (person("anna"), person("bert"), Ok(())),
        (person("anna"), person("anna"), Err("own-request")),
        (person("anna"), sync, Err("own-request")),
        (person("anna"), look_alike, Err("own-request")),
        // The real name behind the one acted as.
        (person("anna"), person_as("anna", "bert"), Err("own-request")),
        (person("anna"), person_as("olga", "anna"), Err("own-request")),
        (person_as("olga", "anna"), person("olga"), Err("own-request")),
        (person_as("olga", "anna"), person("anna"), Err("own-request")),
        // One operator on both sides.
        (person_as("olga", "anna"), person_as("olga", "bert"), Err("own-request")),
        (person_as("olga", "anna"), person_as("rita", "bert"), Ok(())),
    ];
    for (asker, reviewer, expected) in rows {
        let request = world.ask(&asker, for_sync.clone()).unwrap();
        for verdict in [Verdict::Approve, Verdict::Deny] {
            let result = world.review(&request, &reviewer, verdict);
            assert_eq!(result.as_ref().map(|_| ()).map_err(|e| e.word()), expected, "{asker:?} {reviewer:?}");
            if let Ok(after) = result {
                assert_eq!(after.reviews[0].who, reviewer.acts);
                assert_eq!(after.history[1].by, reviewer.by());
                assert_eq!(after.history[1].acting_as, reviewer.acting_as());
            }
        }
    }
}

#[test]
fn one_operator_is_one_person_unless_the_configuration_says_otherwise() {
    let trusted = |trust| World {
        authority: Authority { trust_act_as: trust, ..World::new().authority },
        ..World::with_roles(vec![vault()])
    };
    let (as_anna, as_bert, as_lena) = (person_as("olga", "anna"), person_as("olga", "bert"), person_as("olga", "lena"));
    let request = trusted(false).ask(&person("anna"), wish("vault")).unwrap();
    let first = trusted(false).review(&request, &as_bert, Verdict::Approve).unwrap();
    let second =
        |trust| trusted(trust).review(&first, &as_lena, Verdict::Approve).map(|r| r.state).map_err(|e| e.word());
    assert_eq!(second(false), Err("reviewed-already"));
    // A portal that knows its people, or the demo: both names are on record.
    assert_eq!(second(true), Ok(RequestState::Approved));
    let own = trusted(true).ask(&as_anna, wish("vault")).unwrap();
    let result = |trust| trusted(trust).review(&own, &as_bert, Verdict::Approve).map(|_| ()).map_err(|e| e.word());
    assert_eq!((result(false), result(true)), (Err("own-request"), Ok(())));
    // Trust or not: nobody is two of their own names.
    let olga = person("olga");
    assert_eq!(trusted(true).review(&own, &olga, Verdict::Approve).unwrap_err().word(), "own-request");
    assert_eq!(trusted(true).review(&own, &person("anna"), Verdict::Approve).unwrap_err().word(), "own-request");
}

#[test]
fn only_approvers_review_administrators_are_none() {
    let request = asked_by("anna", "editor");
    for (name, expected) in
        [("lars", Ok(())), ("lena", Ok(())), ("bert", Err("not-approver")), ("root", Err("not-approver"))]
    {
        let result = World::new().review(&request, &person(name), Verdict::Approve);
        assert_eq!(result.map(|_| ()).map_err(|e| e.word()), expected, "{name}");
    }
    let stale = World { groups: groups(at(-31)), ..World::new() };
    assert_eq!(stale.review(&request, &person("lars"), Verdict::Approve).unwrap_err().word(), "membership-unknown");
    let nobody = Actor::own(Identity { local_user: Some("lars".to_owned()), ..Identity::default() }, "local");
    assert_eq!(World::new().review(&request, &nobody, Verdict::Approve).unwrap_err().word(), "no-subject");
}

#[test]
fn a_review_names_what_it_saw() {
    let world = World::new();
    let (request, lars) = (asked_by("anna", "editor"), person("lars"));
    let good = seen(&request, &lars, Verdict::Approve);
    for (reviewing, expected) in [
        (good.clone(), Ok(())),
        (Reviewing { digest: "", ..good.clone() }, Err("stale-review")),
        (Reviewing { revision: 2, ..good.clone() }, Err("stale-review")),
        (Reviewing { revision: 0, ..good.clone() }, Err("stale-review")),
        (Reviewing { verdict: Verdict::Deny, digest: "0", ..good.clone() }, Err("stale-review")),
        (Reviewing { verdict: Verdict::Deny, reason: Some(" "), ..good.clone() }, Err("reason-missing")),
        (Reviewing { verdict: Verdict::Deny, reason: None, ..good.clone() }, Err("reason-missing")),
        (Reviewing { reason: None, ..good.clone() }, Ok(())),
        (Reviewing { reason: Some("\u{7}"), ..good }, Err("bad-text")),
    ] {
        let result = step(&request, &Event::Review(reviewing.clone()), &world.context());
        assert_eq!(result.map(|_| ()).map_err(|e| e.word()), expected, "{reviewing:?}");
    }
}

#[test]
fn the_digest_covers_all_that_is_decided_upon() {
    let request = asked_by("anna", "editor");
    let changes: Vec<fn(&mut Request)> = vec![
        |r| r.id.push('x'),
        |r| r.role.push('x'),
        |r| r.reason.push('x'),
        |r| r.ticket = Some("x".to_owned()),
        |r| r.duration += Duration::from_nanos(1),
        |r| r.start = Some(r.created),
        |r| r.subject = uid("bert"),
        |r| r.requested_by = person("bert").acts,
        |r| r.really = Some(person("bert").acts),
        |r| r.scope.0[0].base = dn("dc=x"),
        |r| r.scope.0[0].resource.push('x'),
        |r| r.scope.0[2].reach = crate::engine::policy::resource::ResourceScope::Subtree,
        |r| r.scope.0[0].operations.push(OperationKind::Delete),
        |r| drop(r.scope.0.pop()),
        |r| r.scope.0[0].attributes = crate::engine::policy::attributes::AttributeNames::new(["cn"]).ok(),
        |r| r.extends = Some("grant-1".to_owned()),
        // The same letters on another side of a border.
        |r| (r.reason, r.ticket) = ("pay".to_owned(), Some("slips".to_owned())),
        |r| (r.id, r.role) = (format!("{}{}", r.id, r.role), String::new()),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut changed = request.clone();
        change(&mut changed);
        assert_ne!(changed.digest(), request.digest(), "change {number}");
    }
    assert_eq!(Request { revision: 9, state: RequestState::Denied, ..request.clone() }.digest(), request.digest());
}

#[test]
fn approvals_are_different_people() {
    let world = World::new();
    let first = world.review(&asked_by("anna", "vault"), &person("lars"), Verdict::Approve).unwrap();
    assert_eq!((first.state, first.revision, first.grant.clone()), (RequestState::Pending, 2, None));
    for (actor, expected) in [
        (person("lars"), Err("reviewed-already")),
        (person_as("lars", "lena"), Err("reviewed-already")),
        (person_as("olga", "lars"), Err("reviewed-already")),
        (Actor::own(Identity::of_dn(dn("UID=Lars, OU=People, DC=X")), "local"), Err("reviewed-already")),
        (person("anna"), Err("own-request")),
        (person("lena"), Ok(RequestState::Approved)),
    ] {
        let result = world.review(&first, &actor, Verdict::Approve);
        assert_eq!(result.map(|request| request.state).map_err(|e| e.word()), expected, "{actor:?}");
    }
    let denied = world.review(&first, &person("lena"), Verdict::Deny).unwrap();
    assert_eq!((denied.state, denied.grant), (RequestState::Denied, None));
    // The role asks for more than when the request was made, or for fewer: the stricter counts.
    let three = World::with_roles(vec![Role { approvals: 3, ..vault() }]);
    assert_eq!(three.review(&first, &person("lena"), Verdict::Approve).unwrap().state, RequestState::Pending);
    let one = World::with_roles(vec![Role { approvals: 1, ..vault() }]);
    let fresh = asked_by("anna", "vault");
    assert_eq!(one.review(&fresh, &person("lena"), Verdict::Approve).unwrap().state, RequestState::Pending);
}

#[test]
fn what_is_decided_stays_decided() {
    let world = World::new();
    let (anna, lars) = (person("anna"), person("lars"));
    let pending = asked_by("anna", "editor");
    for state in [RequestState::Approved, RequestState::Denied, RequestState::Cancelled, RequestState::Lapsed] {
        let request = Request { state, ..pending.clone() };
        for event in [
            Event::Review(seen(&request, &lars, Verdict::Approve)),
            Event::Review(seen(&request, &lars, Verdict::Deny)),
            Event::Cancel { actor: &anna, reason: None },
            Event::Deadline,
        ] {
            let error = step(&request, &event, &world.context()).unwrap_err();
            assert_eq!(error, WorkflowError::Decided(state), "{state} {event:?}");
        }
    }
}

#[test]
fn a_request_has_its_own_deadline() {
    let (anna, lars) = (person("anna"), person("lars"));
    let request = asked_by("anna", "editor");
    let ttl = 8 * 3_600;
    assert_eq!(request.lapses, at(ttl).wall);
    let (before, after) = (World::new().at(ttl - 1), World::new().at(ttl));
    assert_eq!(step(&request, &Event::Deadline, &before.context()).unwrap_err(), WorkflowError::NotYet);
    let lapsed = step(&request, &Event::Deadline, &after.context()).unwrap().request;
    assert_eq!(lapsed.state, RequestState::Lapsed);
    // Whether or not anybody has written it down yet.
    assert_eq!(request.state_at(after.now.wall), RequestState::Lapsed);
    let late = after.review(&request, &lars, Verdict::Approve).unwrap_err();
    assert_eq!(late, WorkflowError::Decided(RequestState::Lapsed));
    let cancel = Event::Cancel { actor: &anna, reason: None };
    assert_eq!(step(&request, &cancel, &after.context()).unwrap_err(), WorkflowError::Decided(RequestState::Lapsed));
    // Waiting does not eat into the access time.
    let grant = before.grant(&request, &lars);
    assert_eq!((grant.from, grant.until), (at(ttl - 1).wall, at(ttl - 1 + 3_600).wall));
}

#[test]
fn who_asked_takes_it_back() {
    let world = World::new();
    let request = world.ask(&person("anna"), Wish { subject: Some(dn("cn=sync,dc=x")), ..wish("editor") }).unwrap();
    for (actor, expected) in [
        (person("anna"), Ok(RequestState::Cancelled)),
        (person_as("olga", "anna"), Ok(RequestState::Cancelled)),
        (person("bert"), Err("not-asker")),
        (person("root"), Err("not-asker")),
        (person("lars"), Err("not-asker")),
        (Actor::own(Identity::of_dn(uid("ännä")), "local"), Err("not-asker")),
    ] {
        let result = step(&request, &Event::Cancel { actor: &actor, reason: None }, &world.context());
        assert_eq!(result.map(|step| step.request.state).map_err(|e| e.word()), expected, "{actor:?}");
    }
}

#[test]
fn an_approval_makes_a_grant() {
    let world = World::new().at(60);
    let request = asked_by("anna", "editor");
    let reviewing = person("lars");
    let done = step(&request, &Event::Review(seen(&request, &reviewing, Verdict::Approve)), &world.context()).unwrap();
    let (grant, effect) = done.grant.unwrap();
    assert_eq!((grant.state, effect), (GrantState::Active, Effect::Open));
    assert_eq!((done.request.grant.as_deref(), grant.request.as_str()), (Some("grant-1"), "req-1"));
    assert_eq!((grant.from, grant.until), (at(60).wall, at(3_660).wall));
    assert_eq!((grant.subject, grant.scope), (request.subject, request.scope));
    // With a start ahead it is scheduled; with one that has passed, it begins now.
    let later = World::new().ask(&person("anna"), Wish { start: Some(at(100).wall), ..wish("editor") }).unwrap();
    let grant = world.grant(&later, &reviewing);
    assert_eq!((grant.state, grant.from, grant.until), (GrantState::Scheduled, at(100).wall, at(3_700).wall));
    let grant = World::new().at(500).grant(&later, &reviewing);
    assert_eq!((grant.state, grant.from, grant.until), (GrantState::Active, at(500).wall, at(4_100).wall));
}

#[test]
fn what_changed_while_it_waited_counts() {
    let request = World::new().ask(&person("anna"), Wish { duration: Some(2 * HOUR), ..wish("editor") }).unwrap();
    let lars = person("lars");
    let word = |roles| World::with_roles(roles).review(&request, &lars, Verdict::Approve).map_err(|e| e.word());
    assert_eq!(word(vec![]).unwrap_err(), "role-gone");
    assert_eq!(
        word(vec![Role { eligible: selectors(&["dn:uid=bert,dc=x"]), ..editor() }]).unwrap_err(),
        "no-longer-eligible"
    );
    let mut less = editor();
    less.allow.remove(0);
    assert_eq!(word(vec![less]).unwrap_err(), "not-narrower");
    let shorter = World::with_roles(vec![Role { max_duration: HOUR, ..editor() }]);
    let grant = shorter.grant(&request, &lars);
    assert_eq!(grant.until, at(3_600).wall, "capped by the role as it is now");
}

#[test]
fn a_local_user_is_one_subject() {
    let authority = World::new().authority;
    assert_eq!(authority.subject_of("anna"), Some(uid("anna")));
    for name in ["a,ou=x", "a+cn=b", "a\\", "#61", " a ", "a=b", "ä", "-a", "a\"b;c<d>"] {
        let subject = authority.subject_of(name).expect(name);
        assert_eq!((subject.depth(), subject.is_within(&dn("ou=people,dc=x"))), (3, true), "{name} {subject}");
    }
    assert_eq!(Authority::default().subject_of("anna"), None);
}
