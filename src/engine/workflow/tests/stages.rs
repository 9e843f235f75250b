//! Stages: in order, handed on when their time is over, never fewer people by waiting.

use super::*;
use crate::engine::policy::deciding::Stage;

const MINUTES: Duration = Duration::from_secs(60);

fn stage(approvers: &[&str], approvals: u32, after: Option<u32>, escalation: bool) -> Stage {
    let after = after.map(|minutes| MINUTES * minutes);
    Stage { approvers: selectors(approvers), approvals, after, escalation }
}

fn named(name: &str) -> String {
    format!("dn:{}", uid(name))
}

/// A role that these stages decide on.
fn staged(stages: Vec<Stage>) -> Role {
    let approvers = stages.iter().flat_map(|stage| stage.approvers.clone()).collect();
    let approvals = stages.iter().filter(|stage| !stage.escalation).map(|stage| stage.approvals).sum();
    Role { approvers, approvals, stages, ..vault() }
}

fn chain() -> Role {
    staged(vec![
        stage(&[&named("lars"), &named("lena")], 1, Some(30), false),
        stage(&[&named("rita"), &named("root"), &named("lars")], 1, None, false),
    ])
}

fn escalation() -> Role {
    staged(vec![
        stage(&[&named("lars"), &named("lena")], 2, Some(30), false),
        stage(&[&named("rita")], 1, Some(30), true),
    ])
}

/// What each of these, at its minute, comes to: the state, or why not.
fn play(role: Role, events: &[(i64, &str, Result<RequestState, &str>)]) -> Request {
    let mut request = World::with_roles(vec![role.clone()]).ask(&person("anna"), wish("vault")).unwrap();
    for (minute, who, expected) in events {
        let world = World::with_roles(vec![role.clone()]).at(minute * 60);
        let result = match *who {
            "clock" => step(&request, &Event::Deadline, &world.context()).map(|step| step.request),
            name => world.review(&request, &person(name), Verdict::Approve),
        };
        let found = result.as_ref().map(|after| after.state).map_err(|error| error.word());
        assert_eq!(found, *expected, "{who} at {minute} of {events:?}");
        if let Ok(next) = result {
            assert_eq!(next.revision, request.revision + 1);
            request = next;
        }
    }
    request
}

#[test]
fn stages_decide_in_order() {
    use RequestState::{Approved, Lapsed, Pending};
    type Row<'a> = (Role, Vec<(i64, &'a str, Result<RequestState, &'a str>)>);
    let rows: Vec<Row<'_>> = vec![
        (chain(), vec![(0, "rita", Err("not-approver")), (0, "lena", Ok(Pending)), (1, "rita", Ok(Approved))]),
        // The first stage is done: who belongs to it alone has nothing more to say.
        (chain(), vec![(0, "lars", Ok(Pending)), (1, "lena", Err("not-approver"))]),
        // One person counts once over all stages.
        (chain(), vec![(0, "lars", Ok(Pending)), (1, "lars", Err("reviewed-already")), (1, "root", Ok(Approved))]),
        (chain(), vec![(0, "anna", Err("own-request"))]),
        // Its time is over: the next one gives what it did not, and its own.
        (chain(), vec![(29, "clock", Err("not-yet")), (30, "lena", Err("not-approver")), (30, "clock", Ok(Pending))]),
        (chain(), vec![(30, "clock", Ok(Pending)), (31, "rita", Ok(Pending)), (32, "root", Ok(Approved))]),
        // The same when nobody has written it down yet.
        (chain(), vec![(30, "rita", Ok(Pending)), (30, "clock", Err("not-yet")), (31, "lars", Ok(Approved))]),
        (chain(), vec![(479, "clock", Ok(Pending)), (480, "rita", Err("already-ended")), (480, "clock", Ok(Lapsed))]),
        // In place of the first stage, with its own number.
        (escalation(), vec![(0, "lars", Ok(Pending)), (29, "rita", Err("not-approver")), (29, "lena", Ok(Approved))]),
        (escalation(), vec![(0, "lars", Ok(Pending)), (30, "lena", Err("not-approver")), (30, "rita", Ok(Approved))]),
        (escalation(), vec![(59, "clock", Ok(Pending)), (60, "rita", Err("already-ended")), (60, "clock", Ok(Lapsed))]),
        (escalation(), vec![(61, "clock", Ok(Lapsed)), (61, "rita", Err("already-ended"))]),
    ];
    for (role, events) in rows {
        play(role, &events);
    }
}

#[test]
fn waiting_is_recorded_and_never_makes_it_fewer_people() {
    let request = play(chain(), &[(30, "rita", Ok(RequestState::Pending)), (31, "lars", Ok(RequestState::Approved))]);
    let words: Vec<&str> = request.history.iter().map(|entry| entry.what.word()).collect();
    assert_eq!(words, ["requested", "escalated", "approved", "approved"]);
    assert_eq!(request.history[1].reason.as_deref(), Some("stage 2 decides now"));
    assert_eq!((request.history[1].before, request.history[2].before), (1, 1));
    assert_eq!(request.reviews.iter().map(|review| review.stage).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_deny_ends_it_in_any_stage() {
    let world = World::with_roles(vec![chain()]);
    let request = world.ask(&person("anna"), wish("vault")).unwrap();
    assert_eq!(world.review(&request, &person("rita"), Verdict::Deny).unwrap_err().word(), "not-approver");
    assert_eq!(world.review(&request, &person("lars"), Verdict::Deny).unwrap().state, RequestState::Denied);
    let second = world.review(&request, &person("lena"), Verdict::Approve).unwrap();
    assert_eq!(world.review(&second, &person("rita"), Verdict::Deny).unwrap().state, RequestState::Denied);
}

#[test]
fn a_role_whose_stages_were_changed_is_asked_for_again() {
    let request = World::with_roles(vec![chain()]).ask(&person("anna"), wish("vault")).unwrap();
    let turned = staged(chain().stages.into_iter().rev().collect());
    for role in [turned, Role { approvers: selectors(&["anyone"]), ..vault() }] {
        let result = World::with_roles(vec![role]).review(&request, &person("lars"), Verdict::Approve);
        assert_eq!(result.unwrap_err().word(), "stages-changed");
    }
    // Other people in the same stages, and more of them: as it is now.
    let mut stricter = chain();
    stricter.stages[0].approvers = selectors(&["dn:uid=bert,ou=people,dc=x", &named("root")]);
    stricter.stages[0].approvals = 2;
    let world = World::with_roles(vec![stricter]);
    assert_eq!(world.review(&request, &person("lars"), Verdict::Approve).unwrap_err().word(), "not-approver");
    let one = world.review(&request, &person("bert"), Verdict::Approve).unwrap();
    assert_eq!((one.state, one.position.stage), (RequestState::Pending, 0));
}

#[test]
fn who_approved_must_still_be_an_approver_when_it_begins() {
    let first = World::with_roles(vec![chain()]).ask(&person("anna"), wish("vault")).unwrap();
    let first = World::with_roles(vec![chain()]).review(&first, &person("lena"), Verdict::Approve).unwrap();
    let mut without_lena = chain();
    without_lena.stages[0].approvers.truncate(1);
    let result = World::with_roles(vec![without_lena]).review(&first, &person("rita"), Verdict::Approve);
    assert_eq!(result.unwrap_err().word(), "reviewer-gone");
    // Approved for later: looked at again when it is to begin.
    let later = Wish { start: Some(at(600).wall), ..wish("editor") };
    let request = World::new().ask(&person("anna"), later).unwrap();
    let grant = World::new().grant(&request, &person("lars"));
    let begin = |approver: &str| {
        let role = Role { approvers: selectors(&[approver]), ..editor() };
        match on_deadline(&grant, None, &World::with_roles(vec![role]).at(600).context()) {
            Ok(Outcome::Moved(grant, _)) => Some(grant.state),
            Ok(Outcome::Undecided) => None,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(begin(&named("lars")), Some(GrantState::Active));
    assert_eq!(begin(&named("lena")), Some(GrantState::Revoked));
    assert_eq!(begin("group:cn=unread,dc=x"), None, "what is not known ends nothing");
}
