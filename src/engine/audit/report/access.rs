//! Who could use what a resource protects, who did, and by what: grants, standing access, monitoring, and configurations that
//! did not protect it.

use super::super::query::Line;
use super::grants::{Granted, Grants};
use super::{NAMES, Period, ROWS, Tally, address};
use crate::engine::policy::{Mode, Policy};
use chrono::{DateTime, Utc};
use std::collections::{BTreeSet, HashMap};

/// By what somebody could.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Basis {
    /// The configuration did not protect it.
    Unprotected,
    /// The mode was `monitor`: nothing was refused.
    Monitor,
    /// A grant that nobody approved.
    BreakGlass,
    /// A grant.
    Grant,
    /// Standing access.
    Standing,
}

impl Basis {
    /// What reports call it.
    pub fn word(self) -> &'static str {
        match self {
            Basis::Unprotected => "not protected",
            Basis::Monitor => "monitor mode",
            Basis::BreakGlass => "break-glass",
            Basis::Grant => "grant",
            Basis::Standing => "standing access",
        }
    }
}

/// Somebody who could.
#[derive(Debug, Clone, PartialEq)]
pub struct Could {
    /// By what.
    pub basis: Basis,
    /// Who: names, or selectors as they were configured; `everybody`.
    pub who: Vec<String>,
    /// Since when, within what is known.
    pub from: Option<DateTime<Utc>>,
    /// Until when; `None`: it had not ended.
    pub until: Option<DateTime<Utc>>,
    /// Operations that it opened; empty: all.
    pub operations: Vec<String>,
    /// The reason in the configuration.
    pub reason: Option<String>,
    /// The grant, with all that is known of it.
    pub grant: Option<Box<Granted>>,
    /// The configuration by which it was so.
    pub configuration: Option<String>,
}

/// Somebody who did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Did {
    /// Who.
    pub subject: String,
    /// From where, without the port.
    pub address: String,
    /// By what: ids of grants, or a reason.
    pub by: String,
    /// In which of the ways.
    pub basis: Basis,
    /// What was done.
    pub operations: BTreeSet<String>,
    /// How often.
    pub tally: Tally,
}

/// What is reported.
#[derive(Debug, Default)]
pub struct Access {
    /// Who could, in the order of time.
    pub could: Vec<Could>,
    /// Who did, the most often first.
    pub did: Vec<Did>,
    /// What is not known.
    pub notes: Vec<String>,
    /// Lines that found no room.
    pub left_out: u64,
}

/// A configuration that came into force.
#[derive(Debug)]
struct InForce {
    at: DateTime<Utc>,
    digest: String,
    mode: Option<String>,
}

/// Gathers what there is to know of one resource.
#[derive(Debug)]
pub struct Accesses {
    resource: String,
    grants: Grants,
    configurations: Vec<InForce>,
    did: HashMap<(String, String, String, Basis), (BTreeSet<String>, Tally)>,
    left_out: u64,
}

impl Accesses {
    /// Of this resource.
    pub fn new(resource: &str) -> Accesses {
        Accesses {
            resource: resource.to_owned(),
            grants: Grants::of_resource(resource),
            configurations: Vec::new(),
            did: HashMap::new(),
            left_out: 0,
        }
    }

    /// Another line. Events are wanted from before and after the period, too.
    pub fn see(&mut self, line: &Line) {
        self.grants.see(line);
        if let (Some("started" | "reloaded"), Some(digest)) = (line.event.as_deref(), &line.configuration) {
            let in_force = InForce { at: line.time, digest: digest.clone(), mode: line.mode.clone() };
            self.configurations.push(in_force);
        }
        if line.event.is_none() && line.touches(&self.resource) {
            self.done(line);
        }
    }

    fn done(&mut self, line: &Line) {
        let own = |held: &&String| held.split_once(": ").map_or(held.as_str(), |(name, _)| name) == self.resource;
        let (basis, by) = match (line.decision.as_deref(), line.reason.as_deref()) {
            (Some("monitored"), _) => (Basis::Monitor, String::new()),
            (Some("permitted" | "ended"), _) if line.grant.is_some() => {
                let basis = if line.break_glass == Some(true) { Basis::BreakGlass } else { Basis::Grant };
                (basis, line.grant.clone().unwrap_or_default())
            }
            (Some("permitted" | "ended"), _) => match line.standing.iter().flatten().find(own) {
                Some(held) => (Basis::Standing, held.split_once(": ").map_or("", |(_, why)| why).to_owned()),
                // It was touched, and left out of the answer.
                None => return,
            },
            (_, _) => return,
        };
        let subject = line.subject.clone().unwrap_or_default();
        let key = (subject, address(line.connection_from.as_deref()), by, basis);
        if self.did.len() >= ROWS && !self.did.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        let (operations, tally) = self.did.entry(key).or_default();
        operations.extend(line.operation.clone());
        tally.add(line);
    }

    /// What it comes to. `policy_of` reads a configuration that was kept, by its digest.
    pub fn finish(self, period: &Period, policy_of: &dyn Fn(&str) -> Result<Policy, String>) -> Access {
        let Accesses { resource, grants, configurations, did, left_out } = self;
        let (rows, lost) = grants.finish(period);
        let mut access = Access { left_out: left_out + lost, ..Access::default() };
        let mut roles: BTreeSet<String> = BTreeSet::new();
        let first = configurations.first().map(|first| first.at);
        if first.is_none_or(|first| period.since.is_some_and(|since| since < first)) {
            let until = first.map_or_else(|| "any time".to_owned(), |first| format!("before {}", text(first)));
            access
                .notes
                .push(format!("no configuration is known of {until}: standing access and mode of then are not"));
        }
        for (position, one) in configurations.iter().enumerate() {
            let until = configurations.get(position + 1).map(|next| next.at);
            if !period.overlaps(one.at, until) {
                continue;
            }
            let policy = policy_of(&one.digest);
            if let Err(why) = &policy {
                access.notes.push(format!(
                    "which standing access there was from {} is not known: configuration {}: {why}",
                    text(one.at),
                    one.digest
                ));
            }
            let policy = policy.ok();
            of_configuration(&resource, one, until, policy.as_ref(), &mut access.could);
            for role in policy.iter().flat_map(|policy| &policy.roles) {
                let opens = |at| policy.as_ref().and_then(|p| p.resource(at)).is_some_and(|r| *r.name == *resource);
                if role.allow.iter().any(|allow| opens(allow.resource)) {
                    roles.insert(role.name.to_string());
                }
            }
        }
        let opens = |grant: &Granted| {
            grant.opens(&resource).unwrap_or_else(|| grant.touched.count > 0 || roles.contains(&grant.role))
        };
        let in_force: Vec<Granted> = rows.into_iter().filter(opens).filter(|row| row.began != Some(false)).collect();
        access.did = done(did, &in_force);
        access.could.extend(in_force.into_iter().map(|grant| Could {
            basis: if grant.break_glass { Basis::BreakGlass } else { Basis::Grant },
            who: vec![grant.subject.clone()],
            from: grant.from,
            until: match (grant.ended, grant.until) {
                (Some(ended), Some(until)) => Some(ended.min(until)),
                (ended, until) => ended.or(until),
            },
            operations: operations_of(&grant, &resource),
            reason: grant.reason.clone(),
            grant: Some(Box::new(grant)),
            configuration: None,
        }));
        access.could.sort_by_key(|one| (one.from, one.basis));
        access
    }
}

/// What the configuration itself opened while it was in force.
fn of_configuration(
    resource: &str,
    one: &InForce,
    until: Option<DateTime<Utc>>,
    policy: Option<&Policy>,
    could: &mut Vec<Could>,
) {
    let everybody = |basis| Could {
        basis,
        who: vec!["everybody".to_owned()],
        from: Some(one.at),
        until,
        operations: Vec::new(),
        reason: None,
        grant: None,
        configuration: Some(one.digest.clone()),
    };
    let mut found = Vec::new();
    if one.mode.as_deref() == Some("monitor") || policy.is_some_and(|policy| policy.mode == Mode::Monitor) {
        found.push(everybody(Basis::Monitor));
    }
    if let Some(policy) = policy {
        if !policy.resources.iter().any(|protected| *protected.name == *resource) {
            found.push(everybody(Basis::Unprotected));
        }
        for standing in &policy.standing {
            if policy.resource(standing.resource).is_some_and(|protected| *protected.name == *resource) {
                found.push(Could {
                    who: standing.who.iter().map(ToString::to_string).collect(),
                    operations: standing.operations.names().map(str::to_owned).collect(),
                    reason: Some(standing.reason.to_string()),
                    ..everybody(Basis::Standing)
                });
            }
        }
    }
    for next in found {
        // The same as before, without a gap.
        let same = |known: &&mut Could| {
            (known.basis, &known.who, &known.operations, &known.reason)
                == (next.basis, &next.who, &next.operations, &next.reason)
                && known.until == next.from
        };
        match could.iter_mut().find(same) {
            Some(known) => known.until = next.until,
            None => could.push(next),
        }
    }
}

fn operations_of(grant: &Granted, resource: &str) -> Vec<String> {
    let entries = grant.scope.iter().filter_map(|scope| scope.as_array()).flatten();
    let own = entries.filter(|entry| entry.get("resource").and_then(|name| name.as_str()) == Some(resource));
    let named = own.filter_map(|entry| entry.get("operations")?.as_array()).flatten();
    let names: BTreeSet<String> = named.filter_map(|name| name.as_str().map(str::to_owned)).collect();
    names.into_iter().collect()
}

/// An operation that touched the resource and depended on a grant for something else did not use it.
fn done(did: HashMap<(String, String, String, Basis), (BTreeSet<String>, Tally)>, grants: &[Granted]) -> Vec<Did> {
    let opens = |by: &str| by.split(',').any(|id| grants.iter().any(|grant| grant.grant == id));
    let mut rows: Vec<Did> = did
        .into_iter()
        .filter(|((_, _, by, basis), _)| !matches!(basis, Basis::Grant | Basis::BreakGlass) || opens(by))
        .map(|((subject, address, by, basis), (operations, tally))| Did {
            subject,
            address,
            by,
            basis,
            operations,
            tally,
        })
        .collect();
    rows.sort_by(|a, b| (b.tally.count, &a.subject, &a.by).cmp(&(a.tally.count, &b.subject, &b.by)));
    rows
}

fn text(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A change of the configuration that was in force, or an attempt at one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the events")]
pub struct PolicyChange {
    pub time: DateTime<Utc>,
    pub event: String,
    pub by: Option<String>,
    pub mode: Option<String>,
    pub before: Option<String>,
    pub configuration: Option<String>,
    pub opens: Vec<String>,
    pub changes: Vec<String>,
    pub closes: Vec<String>,
    pub errors: Vec<String>,
}

/// Gathers changes of the configuration.
#[derive(Debug, Default)]
pub struct PolicyChanges {
    rows: Vec<PolicyChange>,
    /// Who has asked for the reload that comes next, in records of earlier versions.
    asked: Option<String>,
    left_out: u64,
}

impl PolicyChanges {
    /// Another line.
    pub fn see(&mut self, line: &Line) {
        let who = line.acting_as.clone().or_else(|| line.by.clone()).or_else(|| line.signal.clone());
        let event = match line.event.as_deref() {
            Some("reload") => {
                self.asked = who;
                return;
            }
            Some(event @ ("started" | "reloaded" | "reload failed")) => event,
            Some(_) | None => return,
        };
        let asked = self.asked.take();
        if self.rows.len() >= ROWS {
            self.left_out += 1;
            return;
        }
        let lines = |lines: &Option<Vec<String>>| lines.clone().unwrap_or_default();
        let mut errors = lines(&line.errors);
        errors.truncate(NAMES);
        self.rows.push(PolicyChange {
            time: line.time,
            event: event.to_owned(),
            by: who.or(asked),
            mode: line.mode.clone(),
            before: line.configuration_before.clone(),
            configuration: line.configuration.clone(),
            opens: lines(&line.opens),
            changes: line.changed(),
            closes: lines(&line.closes),
            errors,
        });
    }

    /// The oldest first; and how many found no room.
    pub fn finish(self) -> (Vec<PolicyChange>, u64) {
        (self.rows, self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, line};
    use super::*;
    use crate::engine::grant::fixture;

    fn told(lines: &[&str], period: Period) -> (Vec<String>, Vec<String>, Vec<String>) {
        let mut report = Accesses::new("payroll");
        lines.iter().for_each(|fields| report.see(&line(fields)));
        let policy = |digest: &str| match digest {
            "kept" => Ok(fixture::policy()),
            "watching" => {
                let mut policy = fixture::policy();
                policy.mode = Mode::Monitor;
                Ok(policy)
            }
            _ => Err("it is not kept here".to_owned()),
        };
        let access = report.finish(&period, &policy);
        let clock = |at: Option<DateTime<Utc>>| at.map_or("-".to_owned(), |at| at.format("%S").to_string());
        let could = |one: &Could| {
            format!("{} {} {}-{}", one.basis.word(), one.who.join("+"), clock(one.from), clock(one.until))
        };
        let did = |one: &Did| format!("{} {} {} {}", one.subject, one.basis.word(), one.by, one.tally.count);
        (access.could.iter().map(could).collect(), access.did.iter().map(did).collect(), access.notes)
    }

    const DAY: &[&str] = &[
        r#"01Z","event":"started","configuration":"kept","mode":"enforce""#,
        r#"05Z","event":"granted","request":"req-1","grant":"grant-1","role":"editor","subject":"anna","from":"2026-11-20T17:48:05Z","until":"2026-11-20T17:48:50Z","scope":[{"resource":"payroll","operations":["search"]}]"#,
        r#"05Z","event":"activated","request":"req-1","grant":"grant-1","role":"editor","subject":"anna""#,
        r#"06Z","event":"granted","request":"req-2","grant":"grant-2","role":"editor","subject":"olga","break_glass":true,"from":"2026-11-20T17:48:06Z","until":"2026-11-20T17:48:50Z","scope":[{"resource":"other"}]"#,
        r#"06Z","event":"activated","request":"req-2","grant":"grant-2","role":"editor","subject":"olga""#,
        r#"07Z","session":"s","connection_from":"192.0.2.1:9","operation":"search","subject":"anna","decision":"permitted","reason":"grant","resources":["payroll"],"grant":"grant-1","request":"req-1","role":"editor""#,
        r#"08Z","session":"s","connection_from":"192.0.2.1:9","operation":"search","subject":"olga","decision":"permitted","reason":"grant","resources":["payroll","other"],"grant":"grant-2","request":"req-2","role":"editor""#,
        r#"09Z","session":"s","operation":"search","subject":"bert","decision":"permitted","reason":"redacted","resources":["payroll"]"#,
        r#"09Z","session":"s","operation":"search","subject":"app","decision":"permitted","reason":"standing access","resources":["payroll"],"standing":["payroll: nightly"]"#,
        r#"20Z","event":"released","request":"req-1","grant":"grant-1""#,
        r#"30Z","event":"reloaded","configuration_before":"kept","configuration":"watching","mode":"monitor""#,
        r#"31Z","session":"s","operation":"search","subject":"carl","decision":"monitored","reason":"not held","resources":["payroll"]"#,
        r#"40Z","event":"started","configuration":"lost""#,
    ];

    #[test]
    fn who_could_and_who_did_on_what_basis() {
        let (could, did, notes) = told(DAY, Period { since: at("07"), until: at("10") });
        assert_eq!(could, ["grant anna 05-20"]);
        assert_eq!(did, ["anna grant grant-1 1", "app standing access nightly 1", "carl monitor mode  1"]);
        assert_eq!(notes, [""; 0]);
    }

    #[test]
    fn monitoring_opens_to_everybody_and_what_is_not_kept_is_said() {
        let (could, _, notes) = told(DAY, Period { since: at("25"), until: at("45") });
        assert_eq!(could, ["monitor mode everybody 30-40"]);
        assert!(notes.len() == 1 && notes[0].contains("configuration lost: it is not kept here"), "{notes:?}");
        let (_, _, notes) = told(DAY, Period { since: at("00"), until: at("03") });
        assert!(notes.len() == 1 && notes[0].contains("before 2026-11-20 17:48:01"), "{notes:?}");
    }

    #[test]
    fn changes_of_the_policy_say_who_and_what() {
        let mut changes = PolicyChanges::default();
        for fields in [
            r#"01Z","event":"started","configuration":"a","mode":"enforce""#,
            r#"02Z","event":"reload","by":"uid=root""#,
            r#"02Z","event":"reloaded","configuration_before":"a","configuration":"b","opens":["role x"],"closes":[]"#,
            r#"03Z","event":"reload failed","by":"uid=lars","errors":["line 7"]"#,
            r#"04Z","event":"granted","request":"req-1""#,
        ] {
            changes.see(&line(fields));
        }
        let (rows, _) = changes.finish();
        let told: Vec<_> = rows.iter().map(|row| (&*row.event, row.by.as_deref(), row.opens.len())).collect();
        assert_eq!(
            told,
            [("started", None, 0), ("reloaded", Some("uid=root"), 1), ("reload failed", Some("uid=lars"), 0)]
        );
    }
}
