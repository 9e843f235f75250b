//! Which groups count, how soon a change is felt, and what one group that cannot be read does to the others.

use crate::support::eventually;
use crate::support::gate::{Gate, POLICY, Setup};
use crate::support::ldap::{Client, SCOPE_BASE, Search, modify_request};
use crate::support::slapd::{BASE, Extra, ROOT_DN, ROOT_PASSWORD, SERVICE_DN, Slapd, person};
use crate::support::target::Target;
use chrono::{SecondsFormat, TimeDelta, Utc};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

/// A `modify` that adds (0) or deletes (1) values.
const ADD: i32 = 0;
const DELETE: i32 = 1;

fn group(name: &str) -> String {
    format!("cn={name},ou=groups,{BASE}")
}

/// A `groupOfNames`.
fn names(name: &str, members: &[String]) -> String {
    let members: String = members.iter().map(|member| format!("member: {member}\n")).collect();
    format!("dn: {}\nobjectClass: groupOfNames\ncn: {name}\n{members}\n", group(name))
}

/// A role for the members of a group.
fn role(name: &str, group: &str) -> String {
    format!(
        "[[role]]\nname = \"{name}\"\ndescription = \"d\"\nallow = [{{ resource = \"payroll\" }}]\n\
         eligible = [\"group:{group}\"]\napprovers = [\"dn:{}\"]\nmax_duration = \"4h\"\ndefault_duration = \"1h\"\n\n",
        person("frank")
    )
}

/// Straight to the directory, as somebody who may do everything there.
fn admin(slapd: &Slapd) -> Client {
    let mut client = Client::ldaps(slapd.ldaps, &slapd.authority.ca);
    assert_eq!(client.bind(ROOT_DN, ROOT_PASSWORD).code, 0);
    client
}

fn change(slapd: &Slapd, group: &str, kind: i32, member: &str) {
    let request = modify_request(group, kind, "member", &[member.as_bytes()]);
    assert_eq!(admin(slapd).ask(&request, &[]).code, 0, "{group} {member}");
}

/// The roles that somebody may request, and those of which it is not known.
fn roles(gate: &Gate, who: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let shown = gate.json(who, &["roles"]);
    let name = |role: &serde_json::Value| role["name"].as_str().expect("a name").to_owned();
    let (unknown, known): (Vec<_>, Vec<_>) =
        shown.as_array().expect("a list").iter().partition(|role| role.get("unknown_groups").is_some());
    (known.into_iter().map(name).collect(), unknown.into_iter().map(name).collect())
}

/// What is counted, read at the control socket.
fn metrics(gate: &Gate) -> String {
    let mut socket = UnixStream::connect(&gate.control).expect("the control socket");
    socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: tidegate\r\nConnection: close\r\n\r\n").expect("sent");
    let mut text = String::new();
    socket.read_to_string(&mut text).expect("an answer");
    text
}

fn payroll() -> Search {
    Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE)
}

fn ahead(seconds: i64) -> String {
    (Utc::now() + TimeDelta::seconds(seconds)).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Groups of every kind, as entries, each with whether Alice and Bob are in it.
fn kinds() -> (String, Vec<(String, bool, bool)>) {
    let (alice, bob) = (person("alice"), person("bob"));
    let mut ldif = names("plain", std::slice::from_ref(&alice));
    for (name, member) in [("unique", alice.clone()), ("unique-uid", format!("{alice}#'0101'B"))] {
        let _ = write!(
            ldif,
            "dn: {}\nobjectClass: groupOfUniqueNames\ncn: {name}\nuniqueMember: {member}\n\n",
            group(name)
        );
    }
    // The second is the name of somebody of whom there are two.
    for (name, members) in [("posix", "memberUid: alice\nmemberUid: bob\n"), ("posix-other", "memberUid: ALICE\n")] {
        let _ = write!(ldif, "dn: {}\nobjectClass: posixGroup\ncn: {name}\ngidNumber: 100\n{members}\n", group(name));
    }
    let _ =
        write!(ldif, "dn: uid=bob,ou=elsewhere,{BASE}\nobjectClass: inetOrgPerson\nuid: bob\ncn: bob\nsn: Surname\n\n");
    ldif.push_str(&names("inner", &[alice.clone(), bob.clone()]));
    ldif.push_str(&names("outer", &[group("inner")]));
    // Two that contain each other.
    ldif.push_str(&names("round", &[group("about")]));
    ldif.push_str(&names("about", &[group("round"), bob.clone()]));
    // Nine levels: the last but one is reached.
    ldif.push_str(&names("level1", std::slice::from_ref(&alice)));
    for level in 2..=9 {
        ldif.push_str(&names(&format!("level{level}"), &[group(&format!("level{}", level - 1))]));
    }
    // What an entry says that is no group gives nobody anything.
    let _ = write!(
        ldif,
        "dn: uid=delegate,ou=people,{BASE}\nobjectClass: inetOrgPerson\nobjectClass: extensibleObject\nuid: delegate\n\
         cn: d\nsn: S\nmember: {bob}\n\n"
    );
    ldif.push_str(&names("delegated", &[person("delegate")]));
    let rows = [
        ("plain", true, false),
        ("unique", true, false),
        ("unique-uid", true, false),
        ("posix", true, false),
        ("posix-other", false, false),
        ("outer", true, true),
        ("round", false, true),
        ("level8", true, false),
        ("level9", false, false),
        ("delegated", false, false),
        ("missing", false, false),
    ];
    (ldif, rows.map(|(name, alice, bob)| (name.to_owned(), alice, bob)).into())
}

#[test]
fn every_kind_of_group_counts_and_groups_in_groups_do() {
    let (ldif, rows) = kinds();
    let slapd = Slapd::with(Extra { ldif, ..Extra::default() });
    let policy: String = rows.iter().map(|(name, ..)| role(name, &group(name))).collect();
    let gate = Setup::default().and(&policy).start(&slapd);
    let expected = |of: fn(&(String, bool, bool)) -> bool| -> BTreeSet<String> {
        rows.iter().filter(|row| of(row)).map(|(name, ..)| name.clone()).collect()
    };
    let own = |who: &str| {
        let (mut known, unknown) = roles(&gate, who);
        known.retain(|name| !name.starts_with("payroll"));
        (known, unknown)
    };
    assert_eq!(own("alice"), (expected(|row| row.1), BTreeSet::new()));
    // There are two of that name: which of them the group means cannot be known.
    assert_eq!(own("bob"), (expected(|row| row.2), ["posix", "posix-other"].map(str::to_owned).into()));
    // Standing access by the same groups.
    let standing = |name: &str| {
        format!(
            "[[standing]]\nwho = [\"group:{}\"]\nresource = \"payroll\"\noperations = [\"search\"]\nreason = \"r\"\n",
            group(name)
        )
    };
    for (name, alice, bob) in rows.iter().filter(|(name, ..)| ["plain", "posix", "outer", "level9"].contains(&&**name))
    {
        let gate = Setup::default().and(&standing(name)).start(&slapd);
        for (who, may) in [("alice", alice), ("bob", bob)] {
            let code = gate.client_as(who).search(&payroll()).answer.code;
            assert_eq!(code, if *may { 0 } else { 50 }, "{name} {who}");
        }
    }
}

#[test]
fn groups_in_groups_can_be_switched_off() {
    let (ldif, _) = kinds();
    let slapd = Slapd::with(Extra { ldif, ..Extra::default() });
    let directory =
        format!("urls = [\"ldaps://localhost:{}\"]\nca = {:?}\nnested_groups = false", slapd.ldaps, slapd.authority.ca);
    let policy = [role("outer", &group("outer")), role("plain", &group("plain"))].concat();
    let gate = Setup::default().directory(directory).policy(POLICY).and(&policy).start_before();
    let (mut known, _) = roles(&gate, "alice");
    known.retain(|name| !name.starts_with("payroll"));
    assert_eq!(known, ["plain".to_owned()].into());
}

/// An application that opens a connection for each operation must not notice that the gate had to ask.
#[test]
fn the_first_operation_by_standing_access_of_a_group_is_never_refused() {
    let slapd = Slapd::start();
    let standing = format!(
        "[[standing]]\nwho = [\"group:{}\"]\nresource = \"payroll\"\noperations = [\"search\"]\nreason = \"r\"\n",
        group("hr")
    );
    let gate = Setup::default().and(&standing).start(&slapd);
    for who in ["alice", "bob", "dave"] {
        let mut client = gate.client();
        let secret: Vec<u8> = if who == "dave" {
            crate::support::slapd::DAVE_PASSWORD.to_vec()
        } else {
            crate::support::slapd::password(who).into_bytes()
        };
        assert_eq!(client.bind(&person(who), &secret).code, 0);
        assert_eq!(client.search(&payroll()).answer.code, 0, "{who}");
    }
    assert_eq!(gate.client_as("carol").search(&payroll()).answer.code, 50);
    // Taken in, and out again: felt without a new connection.
    let mut carol = gate.client_as("carol");
    change(&slapd, &group("hr"), ADD, &person("carol"));
    // Nobody waits longer than 10 seconds for another answer; an answer may be 30 seconds old.
    let within_its_age = |carol: &mut Client, code: i32| {
        let begun = std::time::Instant::now();
        while carol.search(&payroll()).answer.code != code {
            assert!(begun.elapsed().as_secs() < 25, "{code} is not answered");
            std::thread::sleep(std::time::Duration::from_millis(250));
        }
    };
    within_its_age(&mut carol, 0);
    change(&slapd, &group("hr"), DELETE, &person("carol"));
    within_its_age(&mut carol, 50);
}

/// Nothing is asked where no group decides about operations.
#[test]
fn sessions_that_no_group_matters_to_cost_nothing() {
    let target = Target::gated(Extra::default(), Setup::default());
    let gate = target.gate();
    let asked = || {
        let text = metrics(gate);
        text.lines().find_map(|line| line.strip_prefix("tidegate_membership_lookups_total ")?.parse::<u64>().ok())
    };
    let before = asked();
    for who in ["alice", "carol", "frank"] {
        let mut client = gate.client_as(who);
        assert_eq!(client.search(&Search::new(format!("ou=people,{BASE}"))).answer.code, 0);
    }
    assert_eq!(asked(), before);
}

/// Finding: a grant began by what the group had said before.
#[test]
fn who_leaves_between_approval_and_start_gets_nothing_every_time() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let start = ahead(2);
    let grants: Vec<String> =
        (0..5).map(|_| gate.granted("alice", "payroll-reader", &["--start", &start, "--for", "1h"])).collect();
    change(&slapd, &group("hr"), DELETE, &person("alice"));
    for grant in &grants {
        let state = eventually("it begins or ends", || {
            let state = gate.json("root-admin", &["show", grant])["state"].clone();
            (state != "scheduled").then_some(state)
        });
        assert_eq!(state, "revoked");
    }
    assert_eq!(gate.client_as("alice").search(&payroll()).answer.code, 50);
    // Whoever has left since they asked gets nothing approved.
    change(&slapd, &group("hr"), ADD, &person("alice"));
    let request = gate.request("alice", "payroll-reader", &[]);
    change(&slapd, &group("hr"), DELETE, &person("alice"));
    gate.cli("bob", &["approve", &request]).expect(1);
    let request = gate.request("dave", "payroll-reader", &[]);
    change(&slapd, &group("hr-leads"), DELETE, &person("bob"));
    gate.cli("bob", &["approve", &request]).expect(1);
}

/// 75,000 members are 4.5 MB in one message.
#[test]
fn a_huge_group_holds_up_no_other() {
    let mut members: Vec<String> = (0..75_000).map(|n| person(&format!("member-{n:05}"))).collect();
    members.push(person("carol"));
    let slapd = Slapd::with(Extra { ldif: names("huge", &members), ..Extra::default() });
    drop(members);
    let gate = Setup::default().and(&role("huge", &group("huge"))).start(&slapd);
    let mut alice = gate.client_as("alice");
    let grant = gate.granted("alice", "payroll-reader", &[]);
    assert_eq!(alice.search(&payroll()).answer.code, 0);
    // Who is in it can be known as well.
    assert!(roles(&gate, "carol").0.contains("huge") && !roles(&gate, "alice").0.contains("huge"));
    change(&slapd, &group("hr"), DELETE, &person("alice"));
    eventually("it ends", || (gate.json("root-admin", &["show", &grant])["state"] == "revoked").then_some(()));
    assert_eq!(alice.search(&payroll()).answer.code, 50);
    assert!(!read_members(&slapd), "no list of members was read");
}

/// Whether the gate has read the members of any group.
fn read_members(slapd: &Slapd) -> bool {
    let reads = |line: &str| {
        let asked = line.split_once("SRCH attr=").map(|(_, attributes)| attributes.to_lowercase());
        asked.is_some_and(|attributes| attributes.split(' ').any(|name| name == "member" || name == "uniquemember"))
    };
    slapd.log().lines().any(reads)
}

#[test]
fn one_group_that_cannot_be_read_is_unknown_by_itself() {
    let ldif = [
        names("closed", &[person("alice")]),
        format!(
            "dn: {}\nobjectClass: groupOfURLs\ncn: dynamic\nmemberURL: ldap:///{BASE}??sub?(uid=alice)\n\n",
            group("dynamic")
        ),
    ];
    let extra = Extra {
        ldif: ldif.concat(),
        configuration: "include /etc/ldap/schema/dyngroup.schema".to_owned(),
        access: format!(
            "access to dn.exact=\"{}\" attrs=member by dn.exact=\"{SERVICE_DN}\" none by users write",
            group("closed")
        ),
        ..Extra::default()
    };
    let slapd = Slapd::with(extra);
    let policy = ["closed", "dynamic", "missing"].map(|name| role(name, &group(name))).concat();
    let gate = Setup::default().and(&policy).start(&slapd);
    let (known, unknown) = roles(&gate, "alice");
    assert_eq!(known, ["payroll-editor", "payroll-reader"].map(str::to_owned).into());
    assert_eq!(unknown, ["closed", "dynamic"].map(str::to_owned).into());
    let text = gate.cli("alice", &["roles"]).expect(0).stdout.clone();
    for name in ["closed", "dynamic"] {
        let line = format!("Whether you may request {name} is not known");
        assert!(text.contains(&line) && text.contains(&group(name)), "{text}");
    }
    let metrics = metrics(&gate);
    for (name, value) in [("closed", 1), ("dynamic", 1), ("missing", 1), ("hr", 0), ("hr-leads", 0)] {
        let line = format!("tidegate_group_unknown{{group=\"{}\"}} {value}", group(name));
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    // The others go on.
    let grant = gate.granted("alice", "payroll-reader", &[]);
    gate.cli("alice", &["request", "closed", "--reason", "x"]).expect(1);
    let refused = gate.cli("alice", &["request", "closed", "--reason", "x"]);
    assert!(refused.stderr.contains("closed") && !refused.stderr.contains("not eligible"), "{}", refused.stderr);
    change(&slapd, &group("hr"), DELETE, &person("alice"));
    eventually("it ends", || (gate.json("root-admin", &["show", &grant])["state"] == "revoked").then_some(()));
    let told = |name: &str, event: &str| {
        let lines = gate.audit.records();
        lines.iter().filter(|line| line["event"] == event && line["group"] == group(name)).count()
    };
    for (name, count) in [("closed", 1), ("dynamic", 1), ("missing", 1), ("hr", 0)] {
        assert_eq!(told(name, "group unknown"), count, "{name}: said once, whatever often it is looked at");
    }
}

#[test]
fn while_the_directory_is_away_grants_stay_and_nothing_new_is_decided() {
    let mut slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let grant = gate.granted("alice", "payroll-reader", &[]);
    let later = gate.granted("alice", "payroll-reader", &["--start", &ahead(3), "--for", "1h"]);
    let request = gate.request("alice", "payroll-reader", &[]);
    slapd.kill();
    let refused = gate.cli("bob", &["approve", &request]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("is not known at the moment"), "{}", refused.stderr);
    std::thread::sleep(std::time::Duration::from_secs(4));
    let state = |id: &str| gate.json("root-admin", &["show", id])["state"].clone();
    assert_eq!((state(&grant), state(&later)), ("active".into(), "scheduled".into()));
}

/// Many large groups that nobody asks about.
#[test]
fn groups_cost_nothing_by_themselves() {
    let count = 40;
    let mut ldif = String::new();
    for n in 0..count {
        let members: Vec<String> = (0..5_000).map(|m| person(&format!("member-{n}-{m}"))).collect();
        ldif.push_str(&names(&format!("many-{n:02}"), &members));
    }
    let slapd = Slapd::with(Extra { ldif, ..Extra::default() });
    let memory = |policy: &str| {
        let gate = Setup::default().and(policy).start(&slapd);
        let grant = gate.granted("alice", "payroll-reader", &[]);
        assert_eq!(gate.json("root-admin", &["show", &grant])["state"], "active");
        gate.memory()
    };
    let policy: String = (0..count).map(|n| role(&format!("many-{n:02}"), &group(&format!("many-{n:02}")))).collect();
    let (without, with) = (memory(""), memory(&policy));
    // 200,000 names would take tens of megabytes.
    assert!(with < without + 12 * 1024, "{with} KiB, {without} KiB without the groups");
    assert!(!read_members(&slapd));
}
