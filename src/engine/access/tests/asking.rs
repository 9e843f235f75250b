//! Which role is asked for by doing: one line a case.

use super::dsl::{POLICY, decision, now, operation, policy, snapshot, snapshot_for, subject};
use crate::engine::access::{Asks, Decision, Snapshot};
use crate::engine::policy::asking::OnMissing;
use crate::engine::policy::role::Role;
use crate::engine::policy::selector::Selector;
use crate::engine::policy::{Mode, Policy, RefusalStyle};
use std::sync::Arc;
use std::time::Duration;

const HOLD: OnMissing = OnMissing::Hold(Duration::from_secs(60));

/// The usual policy with one more resource, and these changes: `role=way`, `resource:=way`.
fn changed(text: &str) -> Policy {
    let more = "resource secrets subtree ou=letters,dc=x search,compare secret
        role spy letters/search secrets/search#secret
        role half secrets/search#secretary letters/search";
    let mut policy = policy(&format!("{POLICY}\n{more}"));
    for word in text.split_whitespace() {
        let (name, way) = word.split_once('=').unwrap();
        let way = match way {
            "refuse" => OnMissing::Refuse,
            "request" => OnMissing::Request,
            "hold" => HOLD,
            seconds => OnMissing::Hold(Duration::from_secs(seconds.parse().unwrap())),
        };
        match name.strip_suffix(':') {
            Some(name) => {
                policy.resources.iter_mut().find(|r| &*r.name == name).unwrap().on_missing = Some(way);
            }
            None => change(&mut policy, name, |role| role.on_missing = Some(way)),
        }
    }
    policy
}

fn change(policy: &mut Policy, name: &str, change: impl FnOnce(&mut Role)) {
    let role = policy.roles.iter_mut().find(|role| &*role.name == name).unwrap();
    change(Arc::make_mut(role));
}

fn asks(snapshot: &Snapshot, who: &str, what: &'static str) -> Option<Box<Asks>> {
    match decision(snapshot, &subject(who), &operation(what), now()) {
        Decision::Permitted(_) => None,
        Decision::Refused(refusal) => refusal.asks,
    }
}

fn found(policy: Policy, who: &str, what: &'static str) -> String {
    let (snapshot, _) = snapshot_for(policy, who);
    match asks(&snapshot, who.split('+').next().unwrap(), what) {
        None => "-".to_owned(),
        Some(asks) => match asks.then {
            OnMissing::Refuse => format!("{} refuse", asks.role),
            OnMissing::Request => format!("{} request", asks.role),
            OnMissing::Hold(length) => format!("{} hold {}", asks.role, length.as_secs()),
        },
    }
}

#[test]
fn the_role_that_is_asked_for() {
    let payroll = "search sub ou=payroll,dc=x";
    for (configured, who, what, expected) in [
        // Nothing said: refused. What the role says wins over what the resource says.
        ("", "anna", payroll, "-"),
        ("reader=hold", "anna", payroll, "reader hold 60"),
        ("reader=request", "anna", payroll, "reader request"),
        ("payroll:=request", "anna", payroll, "reader request"),
        ("payroll:=hold reader=request", "anna", payroll, "reader request"),
        ("payroll:=request reader=hold", "anna", payroll, "reader hold 60"),
        // The first in the order of the file that opens it; one that says no is passed over.
        ("editor=hold reader=hold", "anna", payroll, "reader hold 60"),
        ("payroll:=hold reader=refuse", "anna", payroll, "editor hold 60"),
        ("owner=request", "anna", payroll, "owner request"),
        ("clerk=hold mover=hold it=hold", "anna", payroll, "-"),
        // All that is missing must be opened by one role; of several resources that say something the least counts.
        ("payroll:=hold", "anna", "modify cn=a,ou=payroll,dc=x", "editor hold 60"),
        ("payroll:=hold writes:=hold", "anna", "modify cn=a,ou=payroll,dc=x", "editor hold 60"),
        ("payroll:=60 writes:=10", "anna", "modify cn=a,ou=payroll,dc=x", "editor hold 10"),
        ("payroll:=hold writes:=request", "anna", "modify cn=a,ou=payroll,dc=x", "editor request"),
        ("payroll:=hold writes:=refuse", "anna", "modify cn=a,ou=payroll,dc=x", "-"),
        ("payroll:=hold writes:=refuse editor=hold", "anna", "modify cn=a,ou=payroll,dc=x", "editor hold 60"),
        ("reader=hold owner=hold", "anna", "modify cn=a,ou=payroll,dc=x", "-"),
        ("reader=hold owner=hold writer=hold", "anna", "modify cn=a,ou=payroll,dc=x", "-"),
        // What is held already need not be opened again.
        ("owner=hold", "anna+writer", "modify cn=a,ou=payroll,dc=x", "owner hold 60"),
        ("payroll:=hold", "anna+owner", payroll, "-"),
        // A role that opens only some of the attributes.
        ("spy=hold", "anna+clerk", "compare cn=a,ou=letters,dc=x secret", "-"),
        ("spy=hold half=hold", "anna", "search base ou=letters,dc=x", "spy hold 60"),
        // What a search only reaches is redacted, and asks for nothing.
        ("payroll:=hold", "anna", "search sub dc=x", "-"),
        ("payroll:=hold", "anna", "search sub ou=people,dc=x", "-"),
        // What is refused for another reason.
        ("payroll:=hold reader=hold", "anna", "search sub ou=payroll,dc=x !1.2.3", "-"),
        ("payroll:=hold reader=hold", "anna", "search sub ou=payroll,dc=x !psearch", "-"),
        ("payroll:=hold reader=hold", "anna", "search sub ou=payroll,dc=y", "-"),
        ("payroll:=hold reader=hold", "anna", "extended 1.2.3", "-"),
        // Nobody, and whoever only says who they are.
        ("payroll:=hold reader=hold", "-", payroll, "-"),
        ("oncall=hold admins:=hold", "-", "bind uid=root,ou=admins,dc=x", "-"),
        ("oncall=hold admins:=hold", "anna", "bind uid=root,ou=admins,dc=x", "-"),
        ("oncall=hold admins:=hold", "anna", "bind-sasl PLAIN", "-"),
    ] {
        assert_eq!(found(changed(configured), who, what), expected, "{configured}: {who}: {what}");
    }
}

#[test]
fn what_cannot_be_asked_for_by_doing_is_passed_over() {
    let payroll = "search sub ou=payroll,dc=x";
    let with = |difference: &dyn Fn(&mut Role)| {
        let mut policy = changed("payroll:=hold");
        change(&mut policy, "reader", difference);
        found(policy, "anna", payroll)
    };
    assert_eq!(with(&|_| {}), "reader hold 60");
    assert_eq!(with(&|role| role.ticket_pattern = Some(regex_lite::Regex::new("x").unwrap())), "editor hold 60");
    assert_eq!(with(&|role| role.second_factor.requester = true), "editor hold 60");
    assert_eq!(with(&|role| role.second_factor.approver = true), "reader hold 60");
    let eligible = |text: &str| {
        let selector = Selector::parse(text).unwrap();
        with(&move |role| role.eligible = vec![selector.clone()])
    };
    assert_eq!(eligible("dn:uid=bert,ou=people,dc=x"), "editor hold 60");
    assert_eq!(eligible("dn:UID=Anna,ou=people,dc=x"), "reader hold 60");
    // Who is in a group of which the directory says nothing is in none.
    assert_eq!(eligible("group:cn=nobody,dc=x"), "editor hold 60");
}

#[test]
fn nothing_is_asked_for_while_monitoring_or_for_somebody_else() {
    let mut policy = changed("payroll:=hold writes:=hold");
    policy.mode = Mode::Monitor;
    assert_eq!(found(policy, "anna", "search sub ou=payroll,dc=x"), "-");
    let mut policy = changed("payroll:=hold");
    policy.proxied_authorization = vec![Selector::Anyone];
    let mut snapshot = snapshot(policy, []);
    Arc::make_mut(&mut snapshot.directory).proxied_authorization = true;
    assert!(asks(&snapshot, "bert", "search base ou=payroll,dc=x").is_some());
    assert_eq!(asks(&snapshot, "bert", "search base ou=payroll,dc=x !proxy2:dn:uid=anna,ou=people,dc=x"), None);
    // And while nothing can be recorded, what would need a grant is only refused as ever.
    snapshot.recording = false;
    assert!(asks(&snapshot, "bert", "search base ou=payroll,dc=x").is_none());
}

#[test]
fn what_is_told_names_nothing_where_the_policy_is_opaque() {
    for (style, told) in [
        (RefusalStyle::Explain, "modify is protected here by writes, payroll."),
        (RefusalStyle::Opaque, "this is protected"),
    ] {
        let mut policy = changed("editor=hold");
        policy.refusal = style;
        let asks = asks(&snapshot(policy, []), "anna", "modify cn=a,ou=payroll,dc=x").unwrap();
        assert_eq!((asks.told.as_str(), &*asks.role), (told, "editor"));
    }
}
