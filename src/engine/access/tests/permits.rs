//! What permits and refusals say, and how long permits hold.

use super::dsl::{POLICY, at, decision, dn, grant, now, operation, policy, roles, snapshot, snapshot_for, subject};
use crate::engine::access::{Asked, Decision, HeldBy, Permit, Refusal, Snapshot, explain};
use crate::engine::policy::selector::Selector;
use crate::engine::policy::{Policy, RefusalStyle, Subject};
use std::sync::Arc;
use std::time::Duration;

fn permit(snapshot: &Snapshot, who: &str, what: &'static str) -> Permit {
    match decision(snapshot, &subject(who), &operation(what), now()) {
        Decision::Permitted(permit) => permit,
        Decision::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

fn refusal(snapshot: &Snapshot, who: &str, what: &'static str) -> Refusal {
    match decision(snapshot, &subject(who), &operation(what), now()) {
        Decision::Permitted(permit) => panic!("permitted: {permit:?}"),
        Decision::Refused(refusal) => refusal,
    }
}

#[test]
fn an_ended_grant_opens_nothing_from_the_instant_it_ends() {
    let policy = policy(POLICY);
    let grants = [grant(&policy, "anna", "reader", 2_000)];
    let snapshot = snapshot(policy, grants);
    let search = operation("search sub ou=payroll,dc=x");
    for (wall, monotonic, open) in [
        (899, 899, false),
        (900, 900, true),
        (1_999, 1_999, true),
        (2_000, 1_999, false),
        // Clocks that were set back or forward.
        (1_000, 2_000, false),
        (3_000, 1_000, false),
        (-1_000, 1_000, false),
    ] {
        let decision = decision(&snapshot, &subject("anna"), &search, at(wall, monotonic));
        assert_eq!(matches!(decision, Decision::Permitted(_)), open, "{wall} {monotonic}");
    }
}

#[test]
fn grants_are_their_subjects_alone() {
    let policy = policy(POLICY);
    let grants = [grant(&policy, "anna", "reader", 2_000)];
    let snapshot = snapshot(policy, grants);
    for (who, open) in [
        ("UID=Anna,OU=People,DC=X", true),
        ("uid=bert,ou=people,dc=x", false),
        ("uid=ännä,ou=people,dc=x", false),
        ("uid=an\u{ad}na,ou=people,dc=x", false),
        ("uid=anna,ou=peóple,dc=x", false),
        ("cn=a,uid=anna,ou=people,dc=x", false),
        ("ou=people,dc=x", false),
        ("", false),
    ] {
        let decision = decision(&snapshot, &subject(who), &operation("search sub ou=payroll,dc=x"), now());
        assert_eq!(matches!(decision, Decision::Permitted(_)), open, "{who}");
    }
}

#[test]
fn group_membership_counts_while_it_is_fresh() {
    let (snapshot, _) = snapshot_for(policy(POLICY), "cleo");
    let search = operation("search sub ou=letters,dc=x");
    for (monotonic, open) in [(990, true), (1_020, true), (1_021, false)] {
        let decision = decision(&snapshot, &subject("cleo"), &search, at(1_000, monotonic));
        assert_eq!(matches!(decision, Decision::Permitted(_)), open, "{monotonic}");
    }
}

#[test]
fn a_permit_rests_on_the_grant_that_lasts_and_says_when_it_ends() {
    let policy = policy(POLICY);
    let grants = [
        grant(&policy, "anna", "reader", 1_500),
        grant(&policy, "anna", "owner", 1_800),
        grant(&policy, "anna", "editor", 1_600),
        grant(&policy, "anna", "writer", 1_700),
    ];
    let snapshot = snapshot(policy, grants);
    let search = permit(&snapshot, "anna", "search sub ou=payroll,dc=x");
    assert_eq!(roles(&search), ["owner"]);
    assert_eq!(search.ends(), Some((at(1_800, 0).wall, Duration::from_secs(1_800))));
    let modify = permit(&snapshot, "anna", "modify cn=a,ou=payroll,dc=x");
    assert_eq!(roles(&modify), ["owner", "writer"]);
    assert_eq!(modify.ends(), Some((at(1_700, 0).wall, Duration::from_secs(1_700))));
    assert_eq!(permit(&snapshot, "anna", "search sub ou=people,dc=x").ends(), None);
    // Standing access needs no grant.
    let sync = grant(&snapshot.policy, "sync", "reader", 2_000);
    let with = Snapshot { grants: Arc::new(snapshot.grants.with(sync)), ..snapshot };
    assert!(permit(&with, "sync", "search sub ou=payroll,dc=x").rests_on().is_empty());
}

#[test]
fn a_permit_holds_while_its_grant_does() {
    let policy = policy(POLICY);
    let reader = grant(&policy, "anna", "reader", 1_500);
    let before = snapshot(policy, [reader.clone()]);
    let resting = permit(&before, "anna", "search sub ou=payroll,dc=x");
    assert!(resting.still_holds(&before, now()));
    assert!(resting.still_holds(&before, at(1_499, 1_499)));
    for late in [at(1_500, 1_400), at(1_400, 1_500), at(2_000, 2_000)] {
        assert!(!resting.still_holds(&before, late), "{late:?}");
    }
    let grants = |grants| Snapshot { grants: Arc::new(grants), ..before.clone() };
    let revoked = grants(before.grants.without(&reader.subject, &reader.id));
    assert!(!resting.still_holds(&revoked, now()));
    // An extension takes over; another role's grant and somebody else's do not.
    let other = |who: &str, role: &str| grants(before.grants.with(grant(&before.policy, who, role, 2_000)));
    assert!(resting.still_holds(&other("anna", "reader"), at(1_600, 1_600)));
    assert!(!resting.still_holds(&other("anna", "owner"), at(1_600, 1_600)));
    assert!(!resting.still_holds(&other("anna", "reader@ou=a,ou=payroll,dc=x"), at(1_600, 1_600)));
    assert!(!resting.still_holds(&other("bert", "reader"), at(1_600, 1_600)));
    // Below a name that only some directories take for the same.
    let below = |base: &str, until| grant(&before.policy, "anna", &format!("reader@{base},ou=payroll,dc=x"), until);
    let narrowed = grants(before.grants.with(below("ou=lohne", 1_510)));
    let narrow = permit(&narrowed, "anna", "search sub ou=lohne,ou=payroll,dc=x");
    for (base, holds) in [("OU=Lohne", true), ("ou=löhne", false)] {
        let extended = grants(narrowed.grants.with(below(base, 2_000)));
        assert_eq!(narrow.still_holds(&extended, at(1_600, 1_600)), holds, "{base}");
    }
    // Under another policy the same positions may be other resources.
    let mut reloaded = other("anna", "reader");
    reloaded.policy = Arc::new(super::dsl::policy(POLICY));
    assert!(resting.still_holds(&reloaded, now()), "the grant itself is there");
    assert!(!resting.still_holds(&reloaded, at(1_600, 1_600)));
    // What rests on nothing always holds.
    assert!(permit(&before, "bert", "search sub ou=people,dc=x").still_holds(&revoked, at(9_000, 9_000)));
}

#[test]
fn refusals_say_what_to_do() {
    let (mut snapshot, _) = snapshot_for(policy(POLICY), "bert");
    for (what, message) in [
        (
            "search sub ou=payroll,dc=x",
            "search is protected here by payroll. Roles that open it: reader, editor, owner, viewer. \
             Ask with: tidegate request reader --reason \"…\"",
        ),
        (
            // The role that opens both comes first.
            "modify cn=a,ou=payroll,dc=x",
            "modify is protected here by writes, payroll. Roles that open it: editor, owner, writer. \
             Ask with: tidegate request editor --reason \"…\"",
        ),
        (
            // Narrowed to elsewhere.
            "modify cn=a,ou=people,dc=x",
            "modify is protected here by writes. Roles that open it: writer. \
             Ask with: tidegate request writer --reason \"…\"",
        ),
        ("compare cn=a,ou=vaults,dc=x", "compare is protected here. You may request no role that opens it."),
    ] {
        assert_eq!(refusal(&snapshot, "bert", what).message, message);
    }
    Arc::get_mut(&mut snapshot.policy).unwrap().refusal = RefusalStyle::Opaque;
    for what in ["search sub ou=payroll,dc=x", "modify cn=a,ou=people,dc=x", "compare cn=a,ou=vaults,dc=x"] {
        let refusal = refusal(&snapshot, "bert", what);
        assert_eq!((refusal.code.0, &*refusal.message, refusal.reason), (50, "this is protected", "not held"));
    }
}

#[test]
fn advice_names_only_roles_that_the_subject_may_request() {
    let search = |who: &str, change: &dyn Fn(&mut Policy)| {
        let roles = "role first r/search\nrole second r/search\nrole third r/search";
        let mut policy = policy(&format!("resource r subtree ou=r,dc=x *\n{roles}"));
        change(&mut policy);
        let (snapshot, _) = snapshot_for(policy, "bert");
        refusal(&snapshot, who, "search sub ou=r,dc=x").message
    };
    fn set(policy: &mut Policy, at: usize, eligible: &[&str], break_glass: &[&str]) {
        let role = Arc::get_mut(&mut policy.roles[at]).unwrap();
        let read = |list: &[&str]| list.iter().map(|text| Selector::parse(text).unwrap()).collect();
        (role.eligible, role.break_glass) = (read(eligible), read(break_glass));
    }
    let Subject::Dn(bert) = subject("bert") else { panic!("bert has no name") };
    let bert = format!("dn:{bert}");
    let message = search("bert", &|policy| set(policy, 0, &[], &["anyone"]));
    assert_eq!(
        message,
        "search is protected here by r. Roles that open it: second, third. \
         Ask with: tidegate request second --reason \"…\""
    );
    let message = search("bert", &|policy| {
        (0..3).for_each(|at| set(policy, at, &[], &[]));
        set(policy, 0, &[], &[&bert]);
    });
    assert_eq!(
        message,
        "search is protected here by r. Only in an emergency: first. \
         Ask with: tidegate request first --break-glass --reason \"…\""
    );
    let message = search("bert", &|policy| (0..3).for_each(|at| set(policy, at, &["dn:cn=other,dc=x"], &[])));
    assert_eq!(message, "search is protected here. You may request no role that opens it.");
    let message = search("bert", &|policy| (0..3).for_each(|at| set(policy, at, &["group:cn=unread,dc=x"], &[])));
    assert!(message.contains("not known now") && !message.contains("first"), "{message}");
    assert_eq!(search("-", &|_| {}), "search is protected here.");
}

#[test]
fn resources_are_told() {
    let (snapshot, _) = snapshot_for(policy(POLICY), "anna+viewer+writer");
    let names = |what| -> Vec<String> {
        let permit = permit(&snapshot, "anna", what);
        permit.resources().iter().map(|at| snapshot.policy.resource(*at).unwrap().name.to_string()).collect()
    };
    assert_eq!(names("search sub ou=people,dc=x"), Vec::<String>::new());
    assert_eq!(names("search sub cn=a,ou=payroll,dc=x"), ["payroll"]);
    assert_eq!(names("search sub ou=it,dc=x"), ["card"]);
    assert_eq!(names("modify cn=a,ou=letters,dc=x"), ["writes"]);
}

#[test]
fn explanations_say_why() {
    let (snapshot, anna) = snapshot_for(policy(POLICY), "anna+reader");
    let operation = operation("modify cn=a,ou=payroll,dc=x");
    let asked = Asked { subject: &anna, request: &operation.request, controls: &[], now: now(), certificate: None };
    let explanation = explain(&snapshot, &asked);
    assert!(matches!(explanation.decision, Decision::Refused(_)));
    let told: Vec<_> = explanation
        .touched
        .iter()
        .map(|touched| {
            let roles: Vec<_> = touched.roles.iter().map(|role| &*role.name).collect();
            (&*snapshot.policy.resource(touched.resource).unwrap().name, touched.held.is_some(), roles.join(" "))
        })
        .collect();
    assert_eq!(told, [("writes", false, "editor writer".to_owned()), ("payroll", false, "editor owner".to_owned())]);

    let operation = super::dsl::operation("search sub dc=x");
    let asked = Asked { subject: &anna, request: &operation.request, controls: &[], now: now(), certificate: None };
    let explanation = explain(&snapshot, &asked);
    assert!(matches!(explanation.decision, Decision::Permitted(_)));
    let held = |name: &str| {
        let at = snapshot.policy.resource_named(name).unwrap();
        explanation.touched.iter().find(|touched| touched.resource == at).unwrap().held.clone()
    };
    assert!(matches!(held("payroll"), Some(HeldBy::Grant(grant)) if &*grant.role == "reader"));
    assert!(held("card").is_none());
    assert_eq!(explanation.touched.len(), 5);
    let sync = subject("sync");
    let explanation = explain(&snapshot, &Asked { subject: &sync, ..asked });
    assert!(explanation.touched.iter().any(|t| matches!(&t.held, Some(HeldBy::Standing(why)) if why == "because")));
}

#[test]
fn a_policy_knows_its_groups() {
    assert_eq!(policy(POLICY).groups().into_iter().collect::<Vec<_>>(), [dn("cn=clerks,ou=groups,dc=x")]);
}
