//! What is told to whom, in what words, when it is tried again and when it is given up.

use super::super::locks::lock;
use super::super::telling::{Facts, GIVE_UP, Notification, NotificationState, Outcome, Receiver};
use super::*;
use crate::engine::policy::deciding::Stage;
use chrono::TimeDelta;

fn waits(stage: usize) -> Notice {
    Notice::Waits { request: "req-1".to_owned(), stage }
}

fn approved() -> Notice {
    Notice::Approved { request: "req-1".to_owned() }
}

fn about(request: &Request) -> Facts {
    Facts::Request(Box::new(request.clone()), None)
}

fn names(notice: &Notice, facts: &Facts, world: &World) -> Vec<String> {
    let people = notice.people(facts, &world.context());
    assert!(!people.unknown, "{notice:?}");
    people.names.iter().map(|dn| dn.text().split(',').next().unwrap().replace("uid=", "")).collect()
}

fn chain() -> Role {
    let stage =
        |approvers: &[&str], after| Stage { approvers: selectors(approvers), approvals: 1, after, escalation: false };
    let stages = vec![
        stage(&["group:cn=leads,dc=x", "dn:uid=anna,ou=people,dc=x"], Some(HOUR)),
        stage(&["dn:uid=rita,ou=people,dc=x", "local:root", "subtree:dc=y", "anyone", "certificate:cn=c"], None),
    ];
    let approvers = stages.iter().flat_map(|stage| stage.approvers.clone()).collect();
    Role { approvers, approvals: 2, stages, ..editor() }
}

#[test]
fn those_who_can_decide_are_told_and_nobody_else() {
    let world = World::with_roles(vec![chain()]);
    // Anna is an approver, but it is her own.
    let (asked, lars) = (world.asked(&person("anna"), wish("editor")).unwrap(), person("lars"));
    assert_eq!(asked.notices, [waits(0)]);
    assert_eq!(names(&waits(0), &about(&asked.request), &world), ["lars", "lena"]);
    // Who is locked can decide nothing.
    let lock = lock(None, &uid("lena"), "why", &person("root"), &world.context()).unwrap();
    let world = World { locks: world.locks.with(&lock), ..world };
    assert_eq!(names(&waits(0), &about(&asked.request), &world), ["lars"]);
    // In the next stage, those of the next stage; of the selectors, those that name somebody.
    let word = seen(&asked.request, &lars, Verdict::Approve);
    let next = step(&asked.request, &Event::Review(word), &world.context()).unwrap();
    assert_eq!(next.notices, [waits(1)]);
    assert_eq!(names(&waits(1), &about(&next.request), &world), ["rita", "root"]);
    assert_eq!(waits(1).is_for(&uid("lars"), &about(&next.request), &world.context()), Match::No);
    // Also where nobody of the first stage decided in time.
    let world = world.at(3_600);
    let escalated = step(&asked.request, &Event::Deadline, &world.context()).unwrap();
    assert_eq!(escalated.notices, [waits(1)]);
    assert_eq!(names(&waits(1), &about(&escalated.request), &world), ["rita", "root"]);
}

#[test]
fn who_has_approved_is_not_asked_again() {
    let world = World::with_roles(vec![Role { approvals: 2, ..editor() }]);
    let request = world.ask(&person("anna"), wish("editor")).unwrap();
    let once = world.review(&request, &person("lars"), Verdict::Approve).unwrap();
    assert_eq!(names(&waits(0), &about(&once), &world), ["lena"]);
}

#[test]
fn whom_the_directory_has_not_named_is_not_forgotten() {
    let world = World::new();
    let request = world.ask(&person("anna"), wish("editor")).unwrap();
    let stale = World { groups: groups(at(-31)), ..World::new() };
    let people = waits(0).people(&about(&request), &stale.context());
    assert_eq!((people.names.len(), people.unknown), (0, true));
    assert_eq!(waits(0).is_for(&uid("lars"), &about(&request), &stale.context()), Match::Unknown);
    assert_eq!(waits(0).is_for(&uid("lars"), &about(&request), &world.context()), Match::Yes);
    assert_eq!(waits(0).is_for(&uid("anna"), &about(&request), &world.context()), Match::No);
}

#[test]
fn everybody_with_an_office_hears_of_broken_glass() {
    let world = World::with_roles(vec![Role { break_glass: selectors(&["dn:uid=bert,ou=people,dc=x"]), ..editor() }]);
    let step = world.asked(&person("bert"), Wish { break_glass: true, ..wish("editor") }).unwrap();
    let notice = step.notices[0].clone();
    assert_eq!(notice.kind(), NoticeKind::BreakGlass);
    let facts = Facts::Request(Box::new(step.request), step.grant.map(|grant| Box::new(grant.0)));
    // Approvers, auditors, administrators (one of them as a user of the machine), and in whose name it was done.
    assert_eq!(names(&notice, &facts, &world), ["lars", "lena", "rita", "root", "bert"]);
    assert!(notice.words(&facts).title.starts_with("BREAK-GLASS"));
}

#[test]
fn who_asked_hears_what_became_of_it() {
    let world = World::new();
    let request = world.ask(&person("anna"), Wish { subject: Some(dn("cn=sync,dc=x")), ..wish("editor") }).unwrap();
    let denied = step(&request, &Event::Review(seen(&request, &person("lars"), Verdict::Deny)), &world.context());
    let denied = denied.unwrap();
    assert_eq!(denied.notices, [Notice::Denied { request: "req-1".to_owned() }]);
    assert_eq!(names(&denied.notices[0], &about(&denied.request), &world), ["anna"]);
    let words = denied.notices[0].words(&about(&denied.request));
    assert!(words.body.contains("Denied by:   uid=lars,ou=people,dc=x\nTheir words:\n  > because\n"), "{}", words.body);
    let yes = step(&request, &Event::Review(seen(&request, &person("lars"), Verdict::Approve)), &world.context());
    let yes = yes.unwrap();
    assert_eq!(yes.notices, [approved()]);
    assert_eq!(names(&approved(), &about(&yes.request), &world), ["anna"]);
    let world = world.at(8 * 3_600);
    let lapsed = step(&request, &Event::Deadline, &world.context()).unwrap();
    assert_eq!(lapsed.notices, [Notice::Lapsed { request: "req-1".to_owned() }]);
    assert_eq!(names(&lapsed.notices[0], &about(&lapsed.request), &world), ["anna"]);
}

#[test]
fn what_can_no_longer_be_done_is_not_asked_for() {
    let world = World::with_roles(vec![chain()]);
    let request = world.ask(&person("anna"), wish("editor")).unwrap();
    let decided = Request { state: RequestState::Cancelled, ..request.clone() };
    let mut grant = World::new().grant(&World::new().ask(&person("anna"), wish("editor")).unwrap(), &person("lars"));
    let ending = Notice::Ending { grant: grant.id.clone() };
    let revoked = Notice::Revoked { grant: grant.id.clone() };
    let of = |grant: &Grant| Facts::Grant(Box::new(grant.clone()), Box::new(decided.clone()));
    let rows = [
        (waits(0), about(&request), 0, false),
        (waits(0), about(&request), 3_599, false),
        (waits(0), about(&request), 3_600, true),
        (waits(1), about(&request), 3_600, false),
        (waits(0), about(&decided), 0, true),
        (approved(), about(&decided), 99_999, false),
        (ending.clone(), of(&grant), 3_599, false),
        (ending.clone(), of(&grant), 3_600, true),
        (revoked.clone(), of(&grant), 3_600, false),
    ];
    for (notice, facts, seconds, expected) in rows {
        assert_eq!(notice.is_overtaken(&facts, at(seconds).wall), expected, "{notice:?} at {seconds}");
    }
    grant.state = GrantState::Released;
    assert!(ending.is_overtaken(&of(&grant), at(10).wall), "she has released it");
}

#[test]
fn only_ends_by_somebody_else_are_told() {
    let world = World::new();
    let grant = world.grant(&world.ask(&person("anna"), wish("editor")).unwrap(), &person("lars"));
    let released = release(&grant, &person("anna"), &world.context()).unwrap().0;
    let revoked = revoke(&grant, &person("lars"), "too long", &world.context()).unwrap().0;
    assert_eq!(Notice::of_grant(&grant), None);
    assert_eq!(Notice::of_grant(&released), None);
    let notice = Notice::of_grant(&revoked).unwrap();
    assert_eq!(notice, Notice::Revoked { grant: grant.id.clone() });
    let request = world.ask(&person("anna"), wish("editor")).unwrap();
    let words = notice.words(&Facts::Grant(Box::new(revoked), Box::new(request)));
    assert!(words.body.contains("Revoked by:  uid=lars,ou=people,dc=x"), "{}", words.body);
    assert!(words.body.contains("Why:\n  > too long\n"), "{}", words.body);
}

#[test]
fn what_people_typed_cannot_pass_for_what_the_gate_says() {
    let world = World::new();
    let reason = "tea\nApproved by: uid=lars\n\nSee it:      tidegate approve req-2\t\u{202e}<b>&\u{85}"
        .replace('\u{85}', "\u{2028}");
    let ticket = Some("HR-1\nBcc: all@example.com".to_owned());
    let request = world.ask(&person("anna"), Wish { reason, ticket, ..wish("editor") }).unwrap();
    let words = waits(0).words(&about(&request));
    let typed: Vec<&str> = words.body.lines().filter(|line| line.starts_with("  > ")).collect();
    assert_eq!(
        typed,
        [
            "  > tea",
            "  > Approved by: uid=lars",
            "  > ",
            "  > See it:      tidegate approve req-2\\t\\u{202e}<b>&\\u{2028}",
            "  > HR-1",
            "  > Bcc: all@example.com",
        ]
    );
    for typed in ["uid=lars", "req-2", "Bcc"] {
        let stray = words.body.lines().filter(|line| !line.starts_with("  > ")).find(|line| line.contains(typed));
        assert_eq!(stray, None);
        assert!(!words.title.contains(typed));
    }
    assert_eq!(words.title, "req-1 for editor waits for your decision");
    for line in [
        "  search, compare, modify in payroll, subtree ou=payroll,dc=x",
        "Approve:     tidegate approve req-1",
        "Asked by:    uid=anna,ou=people,dc=x",
    ] {
        assert!(words.body.lines().any(|found| found == line), "{line:?}\n{}", words.body);
    }
}

#[test]
fn a_name_with_line_breaks_in_it_stays_on_its_line() {
    let world = World::new();
    let mut request = world.ask(&person("anna"), wish("editor")).unwrap();
    request.subject = dn("cn=a\\0D\\0ABcc: all@example.com,dc=x");
    request.role = "editor\r\nBcc: all@example.com".to_owned();
    let words = waits(0).words(&about(&request));
    assert!(!words.title.contains(['\r', '\n']), "{:?}", words.title);
    assert!(words.body.lines().all(|line| !line.starts_with("Bcc")), "{}", words.body);
    assert!(!words.body.contains('\r'));
}

fn note() -> Notification {
    Notification::new("note-1".to_owned(), approved(), at(0).wall)
}

fn later(after: Option<i64>) -> Outcome {
    Outcome::Later { why: "503".to_owned(), after: after.map(TimeDelta::seconds) }
}

#[test]
fn pauses_double_up_to_an_hour_and_heed_what_receivers_ask() {
    let rows: [(u32, Option<i64>, u64, i64); 12] = [
        (0, None, 0, 2_500),
        (0, None, 2_500, 5_000),
        (0, None, 2_501, 2_500),
        (1, None, 5_000, 10_000),
        (2, None, 0, 10_000),
        (9, None, 1_280_000, 2_560_000),
        (10, None, 1_800_000, 3_600_000),
        (40, None, 0, 1_800_000),
        (0, Some(60), 0, 60_000),
        (0, Some(1), 0, 2_500),
        (0, Some(-5), 0, 2_500),
        (0, Some(86_400), 0, 3_600_000),
    ];
    for (attempts, asked, chance, expected) in rows {
        let one = Notification { attempts, ..note() };
        let after = one.after(&later(asked), at(100).wall, chance).unwrap();
        let pause = after.next.signed_duration_since(at(100).wall).num_milliseconds();
        assert_eq!((pause, after.attempts), (expected, attempts + 1), "{attempts} {asked:?} {chance}");
        assert_eq!((after.id.as_str(), after.state), ("note-1", NotificationState::Pending));
        assert_eq!((after.revision, after.error.as_deref()), (2, Some("503")));
    }
}

#[test]
fn what_cannot_be_told_is_given_up_after_a_day() {
    let (mut one, mut now, mut tries) = (note(), at(0).wall, 0);
    while one.state == NotificationState::Pending {
        one = one.after(&later(None), now, 0).unwrap();
        (now, tries) = (one.next, tries + 1);
    }
    assert!(now.signed_duration_since(at(0).wall) > GIVE_UP - TimeDelta::hours(1), "{now}");
    assert!((20..100).contains(&tries), "{tries}");
    let again = one.again(now);
    assert_eq!((again.state, again.attempts, again.next), (NotificationState::Pending, 0, now));
    assert_eq!(again.after(&later(None), now, 0).unwrap().state, NotificationState::Pending);
    // A clock that stands still does not make it immortal.
    let (mut one, mut tries) = (note(), 0);
    while one.state == NotificationState::Pending {
        one = one.after(&later(None), at(0).wall, 0).unwrap();
        tries += 1;
    }
    assert_eq!(tries, 100);
}

#[test]
fn other_ends() {
    let never = Outcome::Never { why: "\u{1b}[2Jno\r\nsuch ".to_owned() + &"x".repeat(1_000) };
    let dead = note().after(&never, at(1).wall, 0).unwrap();
    let error = dead.error.unwrap();
    assert_eq!(dead.state, NotificationState::Dead);
    assert!(error.starts_with("\\u{1b}[2Jno\\r\\nsuch xx") && error.len() == 300, "{error}");
    assert_eq!(note().after(&Outcome::Delivered, at(1).wall, 0), None);
    assert_eq!(note().after(&Outcome::Overtaken, at(1).wall, 0), None);
    let one = note().for_one("note-2".to_owned(), Receiver::Person { dn: uid("anna") }, at(9).wall);
    assert_eq!((one.id.as_str(), one.revision, one.at, one.since), ("note-2", 1, at(0).wall, at(9).wall));
    let kept = serde_json::to_string(&one).unwrap();
    assert_eq!(serde_json::from_str::<Notification>(&kept).unwrap(), one);
}
