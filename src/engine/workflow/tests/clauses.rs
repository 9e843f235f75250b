//! Lines that enforce something and that no other test misses when they are taken out: second factors, locks under
//! another name, texts, numbers of approvals, and what stands in two places.

use super::super::asking::check_text;
use super::super::ending::sign_off;
use super::super::extending::extend;
use super::super::locks::{lock, unlock};
use super::*;
use crate::engine::grant::basis::Basis;
use crate::engine::policy::attributes::AttributeNames;
use crate::engine::policy::deciding::Stage;
use crate::engine::policy::role::SecondFactor;

fn word<T>(result: Result<T, WorkflowError>) -> Result<(), &'static str> {
    result.map(|_| ()).map_err(|error| error.word())
}

fn with_lock(world: World, subject: &str) -> World {
    let lock = lock(None, &dn(subject), "why", &person("root"), &world.context()).unwrap();
    World { locks: world.locks.with(&lock), ..world }
}

fn granted() -> Grant {
    World::new().grant(&asked_by("anna", "editor"), &person("lars"))
}

fn more(grant: &Grant, actor: &Actor, reason: &str, world: &World) -> Result<Request, WorkflowError> {
    extend("req-2".to_owned(), grant, HOUR, reason, actor, &world.context())
}

/// Demanded of those who ask, those who approve, or both; a no takes none.
#[test]
fn a_role_that_demands_a_second_factor_gets_it() {
    let shown = |name: &str| Actor { second_factor: true, ..person(name) };
    for (requester, approver) in [(false, false), (true, false), (false, true), (true, true)] {
        let second_factor = SecondFactor { requester, approver };
        let role = Role { second_factor, break_glass: selectors(&["anyone"]), ..editor() };
        let world = World::with_roles(vec![role]);
        let needed = |of: bool| if of { Err("second-factor-needed") } else { Ok(()) };
        assert_eq!(word(world.ask(&person("anna"), wish("editor"))), needed(requester));
        let glass = Wish { break_glass: true, ..wish("editor") };
        assert_eq!(word(world.ask(&person("anna"), glass.clone())), needed(requester), "an emergency is no excuse");
        assert_eq!(word(world.ask(&shown("anna"), glass)), Ok(()));
        assert_eq!(word(more(&granted(), &person("anna"), "more", &world)), needed(requester));
        assert_eq!(word(more(&granted(), &shown("anna"), "more", &world)), Ok(()));
        let request = world.ask(&shown("anna"), wish("editor")).unwrap();
        assert_eq!(word(world.review(&request, &person("lars"), Verdict::Approve)), needed(approver));
        assert_eq!(word(world.review(&request, &shown("lars"), Verdict::Approve)), Ok(()));
        assert_eq!(word(world.review(&request, &person("lars"), Verdict::Deny)), Ok(()));
    }
}

#[test]
fn who_is_locked_does_nothing_under_another_name_either() {
    let olga = with_lock(World::new(), "uid=olga,ou=people,dc=x");
    assert_eq!(word(olga.ask(&person_as("olga", "anna"), wish("editor"))), Err("locked"));
    assert_eq!(word(more(&granted(), &person_as("olga", "anna"), "more", &olga)), Err("locked"));
    assert_eq!(word(revoke(&granted(), &person_as("olga", "lars"), "why", &olga.context())), Err("locked"));
    // Whose grant it is may be somebody else than who asks for more of it.
    let for_sync = Wish { subject: Some(dn("cn=sync,dc=x")), ..wish("editor") };
    let syncs = World::new().grant(&World::new().ask(&person("anna"), for_sync).unwrap(), &person("lars"));
    assert_eq!(word(more(&syncs, &person("anna"), "more", &World::new())), Ok(()));
    let sync = with_lock(World::new(), "cn=sync,dc=x");
    assert_eq!(word(more(&syncs, &person("anna"), "more", &sync)), Err("locked"));
    // An auditor who is locked signs nothing off.
    let over = Grant { basis: Basis::BreakGlass, state: GrantState::Expired, ..granted() };
    let rita = with_lock(World::new(), "uid=rita,ou=people,dc=x");
    assert_eq!(word(sign_off(&over, &person("rita"), None, &World::new().context())), Ok(()));
    assert_eq!(word(sign_off(&over, &person("rita"), None, &rita.context())), Err("locked"));
}

/// Asked for by one, held by another: neither signs it off.
#[test]
fn neither_who_asked_nor_who_holds_signs_off() {
    let anyone = Authority { auditors: selectors(&["anyone"]), ..World::new().authority };
    let world = World { authority: anyone, ..World::new() };
    let over = Grant { subject: uid("bert"), basis: Basis::BreakGlass, state: GrantState::Expired, ..granted() };
    for (actor, expected) in [
        (person("anna"), Err("own-grant")),
        (person("bert"), Err("own-grant")),
        (person_as("bert", "rita"), Err("own-grant")),
        (person_as("anna", "rita"), Err("own-grant")),
        (person("rita"), Ok(())),
    ] {
        assert_eq!(word(sign_off(&over, &actor, None, &world.context())), expected, "{actor:?}");
    }
}

#[test]
fn every_text_that_a_person_types_is_looked_at() {
    for (text, expected) in [
        ("two\nlines,\tand a tab", Ok(())),
        ("\u{1b}[2J", Err("bad-text")),
        ("\r", Err("bad-text")),
        ("\u{85}", Err("bad-text")),
    ] {
        assert_eq!(word(check_text("it", text)), expected, "{text:?}");
    }
    let (bad, world) = ("\u{1b}[2J", World::new());
    let request = asked_by("anna", "editor");
    let (anna, lars, root) = (person("anna"), person("lars"), person("root"));
    let cancel = Event::Cancel { actor: &anna, reason: Some(bad) };
    let said = Reviewing { reason: Some(bad), ..seen(&request, &lars, Verdict::Approve) };
    let over = Grant { basis: Basis::BreakGlass, state: GrantState::Expired, ..granted() };
    for result in [
        word(world.ask(&anna, Wish { reason: bad.to_owned(), ..wish("editor") })),
        word(world.ask(&anna, Wish { ticket: Some(bad.to_owned()), ..wish("editor") })),
        word(step(&request, &cancel, &world.context())),
        word(step(&request, &Event::Review(said), &world.context())),
        word(more(&granted(), &anna, bad, &world)),
        word(revoke(&granted(), &root, bad, &world.context())),
        word(sign_off(&over, &person("rita"), Some(bad), &world.context())),
        word(lock(None, &uid("anna"), bad, &root, &world.context())),
    ] {
        assert_eq!(result, Err("bad-text"));
    }
    assert_eq!(word(more(&granted(), &anna, " ", &world)), Err("reason-missing"));
}

#[test]
fn who_may_break_the_glass_need_not_be_eligible() {
    let glass = selectors(&["dn:uid=rita,ou=people,dc=x"]);
    let world = World::with_roles(vec![Role { break_glass: glass, ..editor() }]);
    assert_eq!(word(world.ask(&person("rita"), wish("editor"))), Err("not-eligible"));
    let step = world.asked(&person("rita"), Wish { break_glass: true, ..wish("editor") }).unwrap();
    assert_eq!((step.request.basis, step.request.state), (Basis::BreakGlass, RequestState::Approved));
}

#[test]
fn what_the_role_gives_by_itself_is_no_more_than_it_may() {
    let world = World::with_roles(vec![Role { default_duration: HOUR * 9, ..editor() }]);
    assert_eq!(world.ask(&person("anna"), wish("editor")).unwrap().duration, HOUR * 4);
}

/// Two people without a name of their own in the directory, at this machine.
#[test]
fn one_user_of_this_machine_is_one_person_whoever_they_act_as() {
    let operator = |user: &str, name: &str| {
        let really = Identity { local_user: Some(user.to_owned()), ..Identity::default() };
        Actor { acts: Identity::of_dn(uid(name)), really: Some(really), ..person(name) }
    };
    let world = World::with_roles(vec![vault()]);
    let request = world.ask(&operator("olga", "anna"), wish("vault")).unwrap();
    assert_eq!(word(world.review(&request, &operator("olga", "bert"), Verdict::Approve)), Err("own-request"));
    let first = world.review(&request, &operator("otto", "bert"), Verdict::Approve).unwrap();
    assert_eq!(word(world.review(&first, &operator("otto", "lena"), Verdict::Approve)), Err("reviewed-already"));
    assert_eq!(word(world.review(&first, &operator("oona", "lena"), Verdict::Approve)), Ok(()));
}

#[test]
fn what_the_directory_said_is_believed_for_half_a_minute() {
    let request = asked_by("anna", "editor");
    for (read, expected) in [(-30, Ok(())), (-31, Err("membership-unknown"))] {
        let world = World { groups: groups(at(read)), ..World::new() };
        assert_eq!(word(world.review(&request, &person("lars"), Verdict::Approve)), expected, "{read}");
        // And who is not in it is known for as long.
        let expected = expected.map(|()| "not-approver").unwrap_or_else(|word| word);
        assert_eq!(word(world.review(&request, &person("rita"), Verdict::Approve)), Err(expected), "{read}");
    }
}

fn named(names: &[&str], approvals: u32, after: Option<Duration>, escalation: bool) -> Stage {
    let texts: Vec<String> = names.iter().map(|name| format!("dn:{}", uid(name))).collect();
    let approvers = selectors(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    Stage { approvers, approvals, after, escalation }
}

/// The approvals of one stage do not count for the next, and the number that is told is of all of them.
#[test]
fn each_stage_has_its_own_approvals() {
    let stages = vec![named(&["lars"], 1, None, false), named(&["rita", "root"], 2, None, false)];
    let world = World::with_roles(vec![Role { stages, approvers: selectors(&["anyone"]), ..vault() }]);
    let mut request = world.ask(&person("anna"), wish("vault")).unwrap();
    for (who, expected) in [
        ("lars", Ok(RequestState::Pending)),
        ("rita", Ok(RequestState::Pending)),
        ("rita", Err(WorkflowError::ReviewedAlready(3))),
        ("root", Ok(RequestState::Approved)),
    ] {
        let result = world.review(&request, &person(who), Verdict::Approve);
        assert_eq!(result.as_ref().map(|after| after.state).map_err(Clone::clone), expected, "{who}");
        request = result.unwrap_or(request);
    }
    let first = world.ask(&person("anna"), wish("vault")).unwrap();
    let role = world.policy.role("vault").unwrap();
    assert_eq!(first.needed_in_all(&first.position, role), 3);
}

#[test]
fn a_deny_is_no_approval() {
    let world = World::new();
    let denied = world.review(&asked_by("anna", "editor"), &person("lars"), Verdict::Deny).unwrap();
    assert_eq!((denied.given(0), denied.reviews.len()), (0, 1));
}

#[test]
fn no_role_is_approved_by_nobody() {
    let stages = vec![named(&["lars"], 0, None, false), named(&["rita"], 0, None, false)];
    let none = Role { approvals: 0, ..editor() };
    let staged = Role { approvals: 0, stages, approvers: selectors(&["anyone"]), ..editor() };
    for (role, who, more) in [(none, "lars", None), (staged, "lars", Some("rita"))] {
        let world = World::with_roles(vec![role]);
        let request = world.ask(&person("anna"), wish("editor")).unwrap();
        assert_eq!((request.state, request.approvals), (RequestState::Pending, 1));
        assert!(request.stages.iter().all(|stage| stage.approvals == 1));
        assert_eq!(request.needed(&request.position), 1);
        let longer = more_of(&world, &request);
        assert_eq!((longer.approvals, longer.stages), (1, request.stages.clone()));
        let first = world.review(&request, &person(who), Verdict::Approve).unwrap();
        let last = more.map(|who| world.review(&first, &person(who), Verdict::Approve).unwrap());
        assert_eq!(first.state == RequestState::Pending, more.is_some());
        assert_eq!(last.unwrap_or(first).state, RequestState::Approved);
    }
    // As many as the role says, whoever reads the number.
    let two = World::with_roles(vec![Role { approvals: 2, ..editor() }]);
    let request = two.ask(&person("anna"), wish("editor")).unwrap();
    assert_eq!((request.approvals, more_of(&two, &request).approvals), (2, 2));
}

fn more_of(world: &World, request: &Request) -> Request {
    let grant = Grant { request: request.id.clone(), ..granted() };
    more(&grant, &person("anna"), "more", world).unwrap()
}

/// A request that was kept before roles had stages says only how many approvals it takes.
#[test]
fn a_request_without_stages_is_decided_by_a_role_without_any() {
    let kept = |approvals| Request { stages: Vec::new(), approvals, ..asked_by("anna", "editor") };
    assert_eq!(World::new().review(&kept(1), &person("lars"), Verdict::Approve).unwrap().state, RequestState::Approved);
    assert_eq!(World::new().review(&kept(0), &person("lars"), Verdict::Approve).unwrap().state, RequestState::Approved);
    assert_eq!((kept(0).needed(&kept(0).position), kept(2).needed(&kept(2).position)), (1, 2));
    let both = World::new().review(&kept(2), &person("lars"), Verdict::Approve).unwrap();
    assert_eq!(both.state, RequestState::Pending);
    let stages = vec![named(&["lars"], 1, None, false), named(&["rita"], 1, None, false)];
    let staged = World::with_roles(vec![Role { stages, ..editor() }]);
    assert_eq!(word(staged.review(&kept(1), &person("lars"), Verdict::Approve)), Err("stages-changed"));
}

/// Of two ends, the first; and it is over then, whether or not anybody has written that down.
#[test]
fn a_request_is_over_at_the_first_of_its_ends() {
    let minutes = |number: u32| Some(Duration::from_secs(60) * number);
    for (ttl, after, end) in [(HOUR, minutes(10), 600), (HOUR / 12, minutes(10), 300), (HOUR / 12, None, 300)] {
        let stages = vec![named(&["lars"], 1, after, false)];
        let world = World::with_roles(vec![Role { request_ttl: ttl, stages, ..editor() }]);
        let request = world.ask(&person("anna"), wish("editor")).unwrap();
        assert_eq!(request.next_deadline(), Some(at(end).wall), "{ttl:?} {after:?}");
        assert_eq!(request.state_at(at(end - 1).wall), RequestState::Pending);
        assert_eq!(request.state_at(at(end).wall), RequestState::Lapsed);
        let anna = person("anna");
        let cancel = |seconds| {
            let world =
                World::with_roles(world.policy.roles.iter().map(|role| Role::clone(role)).collect()).at(seconds);
            word(step(&request, &Event::Cancel { actor: &anna, reason: None }, &world.context()))
        };
        assert_eq!((cancel(end - 1), cancel(end)), (Ok(()), Err("already-ended")));
    }
    // An extension waits no longer than any other request of its role.
    let hasty = World::with_roles(vec![Role { request_ttl: HOUR / 60, ..editor() }]);
    assert_eq!(more(&granted(), &person("anna"), "more", &hasty).unwrap().lapses, at(60).wall);
    assert_eq!(more(&granted(), &person("anna"), "more", &World::new()).unwrap().lapses, granted().until);
}

#[test]
fn what_is_decided_does_not_lapse() {
    let (world, request) = (World::new(), asked_by("anna", "editor"));
    let approved = world.review(&request, &person("lars"), Verdict::Approve).unwrap();
    let denied = world.review(&request, &person("lars"), Verdict::Deny).unwrap();
    let late = request.lapses + chrono::TimeDelta::days(1);
    let states = [&request, &approved, &denied].map(|request| request.state_at(late));
    assert_eq!(states, [RequestState::Lapsed, RequestState::Approved, RequestState::Denied]);
    assert_eq!((approved.next_deadline(), denied.next_deadline()), (None, None));
}

#[test]
fn who_may_not_ask_any_more_begins_nothing_though_approvers_are_not_known() {
    let request = World::new().ask(&person("anna"), Wish { start: Some(at(100).wall), ..wish("editor") }).unwrap();
    let lars = person("lars");
    let approved = step(&request, &Event::Review(seen(&request, &lars, Verdict::Approve)), &World::new().context());
    let (grant, effect) = approved.unwrap().grant.unwrap();
    assert_eq!((grant.state, effect), (GrantState::Scheduled, Effect::Nothing));
    let begin = |eligible: &str, approvers: &str| {
        let role = Role { eligible: selectors(&[eligible]), approvers: selectors(&[approvers]), ..editor() };
        match on_deadline(&grant, None, &World::with_roles(vec![role]).at(100).context()).unwrap() {
            Outcome::Moved(grant, _) => Some(grant.state),
            Outcome::Undecided => None,
        }
    };
    let (anna, bert, unread) = ("dn:uid=anna,ou=people,dc=x", "dn:uid=bert,ou=people,dc=x", "group:cn=unread,dc=x");
    assert_eq!(begin(bert, unread), Some(GrantState::Revoked));
    assert_eq!(begin(anna, unread), None);
    assert_eq!(begin(unread, "anyone"), None);
    assert_eq!(begin(anna, "anyone"), Some(GrantState::Active));
}

#[test]
fn a_resource_that_is_gone_is_named_as_the_reason() {
    let world = World {
        policy: policy_of(resources()[..2].to_vec(), vec![Role { allow: editor().allow[..1].to_vec(), ..editor() }]),
        ..World::new()
    };
    let (ended, _) = on_policy(&granted(), &world.context()).unwrap().unwrap();
    let why = ended.history.last().unwrap().reason.clone().unwrap();
    assert!(why.contains("writes"), "{why}");
    let again = world.review(&asked_by("anna", "editor"), &person("lars"), Verdict::Approve);
    assert_eq!(word(again), Err("not-narrower"));
    assert_eq!(word(more(&granted(), &person("anna"), "more", &world)), Err("not-narrower"));
}

/// The role opens more than was asked for, and the resource can no longer be opened so little.
#[test]
fn a_resource_that_reaches_further_than_was_approved_is_asked_for_again() {
    let mut wider = resources();
    wider[1].scope = crate::engine::policy::resource::ResourceScope::Subtree;
    let world = World { policy: policy_of(wider, vec![editor()]), ..World::new() };
    let role = world.policy.role("editor").unwrap();
    assert_eq!(granted().scope.check_within(role, &world.policy), Ok(()));
    let again = world.review(&asked_by("anna", "editor"), &person("lars"), Verdict::Approve);
    assert_eq!(word(again), Err("not-narrower"));
    assert_eq!(word(more(&granted(), &person("anna"), "more", &world)), Err("not-narrower"));
    assert_eq!(on_policy(&granted(), &world.context()).unwrap().map(|one| one.0.state), Some(GrantState::Revoked));
}

#[test]
fn a_subject_can_be_locked_any_number_of_times() {
    let (world, root) = (World::new(), person("root"));
    let mut kept = None;
    for _ in 0..60 {
        let set = lock(kept.as_ref(), &uid("anna"), "why", &root, &world.context()).unwrap();
        kept = Some(unlock(Some(&set), &uid("anna"), &root, &world.context()).unwrap());
    }
    let kept = kept.unwrap();
    assert_eq!((kept.revision, kept.history.len()), (120, 22), "the log has the rest");
    assert_eq!(kept.history.last().map(|entry| entry.after), Some(120));
}

#[test]
fn who_is_locked_sees_their_own_and_no_more() {
    let request = asked_by("anna", "editor");
    let seen = |world: &World, actor: &Actor| {
        let context = world.context();
        let seen = context.may_see(actor, &request.requested_by, &request.subject, &request.role);
        (context.sees_everything(actor), seen)
    };
    for (name, everything) in [("rita", true), ("root", true), ("lars", false), ("anna", false)] {
        assert_eq!(seen(&World::new(), &person(name)), (everything, Match::Yes), "{name}");
        let locked = with_lock(World::new(), uid(name).text());
        let own = if name == "anna" { Match::Yes } else { Match::No };
        assert_eq!(seen(&locked, &person(name)), (false, own), "{name}");
    }
    assert_eq!(seen(&World::new(), &person("bert")), (false, Match::No));
    let olga = with_lock(World::new(), "uid=olga,ou=people,dc=x");
    assert_eq!(seen(&olga, &person_as("olga", "rita")), (false, Match::No), "under another name");
}

#[test]
fn a_start_lies_within_the_lead_of_the_role() {
    let world = World::with_roles(vec![Role { max_lead: HOUR * 2, ..editor() }]);
    for (start, expected) in [(0, Ok(())), (7_200, Ok(())), (7_201, Err("bad-start")), (400 * 86_400, Err("bad-start"))]
    {
        let asked = world.ask(&person("anna"), Wish { start: Some(at(start).wall), ..wish("editor") });
        assert_eq!(asked.map(|_| ()).map_err(|error| error.word()), expected, "{start}");
    }
    let error = world.ask(&person("anna"), Wish { start: Some(at(7_201).wall), ..wish("editor") }).unwrap_err();
    assert_eq!(error.to_string(), "the role editor allows a start at most 2h ahead");
}

#[test]
fn what_is_asked_for_is_small() {
    let world = World::new();
    let names = |count: usize| {
        let names = (0..count).map(|n| format!("attribute{n}"));
        Narrowing { attributes: AttributeNames::new(names).ok(), ..Narrowing::default() }
    };
    let long = |length: usize| "x".repeat(length);
    for (wish, expected) in [
        (Wish { reason: long(MAX_TEXT), ..wish("editor") }, None),
        (Wish { reason: long(MAX_TEXT + 1), ..wish("editor") }, Some("bad-text")),
        (Wish { ticket: Some(long(MAX_TICKET)), ..wish("editor") }, None),
        (Wish { ticket: Some(long(MAX_TICKET + 1)), ..wish("editor") }, Some("bad-text")),
        (Wish { narrowing: names(MAX_NARROWED + 1), ..wish("editor") }, Some("bad-narrowing")),
        (
            Wish {
                narrowing: Narrowing {
                    base: Some(dn(&format!("cn={},ou=payroll,dc=x", long(MAX_BASE)))),
                    ..Narrowing::default()
                },
                ..wish("editor")
            },
            Some("bad-narrowing"),
        ),
    ] {
        let asked = world.ask(&person("anna"), wish);
        assert_eq!(asked.err().map(|error| error.word()), expected);
    }
}
