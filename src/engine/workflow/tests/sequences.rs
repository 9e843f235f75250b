//! Any sequence of events at all: no grant is wider or longer than its role, none is approved by
//! its holder, nobody counts twice, nothing that ended begins again, nobody who is locked holds anything.

use super::super::extending::extend;
use super::super::locks::{lock, unlock};
use super::*;
use crate::engine::grant::basis::Basis;
use crate::engine::ldap::dn::Naming;
use crate::engine::policy::deciding::{Automatic, Stage};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Do {
    Ask { who: usize, role: bool, hours: u32, start: Option<i64>, narrow: bool, for_sync: bool, glass: bool },
    Review { who: usize, request: usize, approve: bool, stale: bool },
    Cancel { who: usize, request: usize },
    Wait(i64),
    Settle,
    Release { who: usize, grant: usize },
    Revoke { who: usize, grant: usize },
    Configure(usize),
    Extend { who: usize, grant: usize, hours: u32 },
    Lock(usize),
    Unlock(usize),
}

fn actions() -> impl Strategy<Value = Do> {
    let who = 0..8usize;
    prop_oneof![
        3 => (who.clone(), any::<bool>(), 0..6u32, proptest::option::of(-10..9_000i64), any::<bool>(), any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(who, role, hours, start, narrow, for_sync, glass)| Do::Ask {
                who, role, hours, start, narrow, for_sync, glass
            }),
        8 => (who.clone(), 0..4usize, prop::bool::weighted(0.8), prop::bool::weighted(0.1))
            .prop_map(|(who, request, approve, stale)| Do::Review { who, request, approve, stale }),
        1 => (who.clone(), 0..4usize).prop_map(|(who, request)| Do::Cancel { who, request }),
        3 => (0..8_000i64).prop_map(Do::Wait),
        // Somebody sets the clock.
        1 => (-4_000..0i64).prop_map(Do::Wait),
        3 => Just(Do::Settle),
        1 => (who.clone(), 0..4usize).prop_map(|(who, grant)| Do::Release { who, grant }),
        1 => (who.clone(), 0..4usize).prop_map(|(who, grant)| Do::Revoke { who, grant }),
        1 => (0..6usize).prop_map(Do::Configure),
        2 => (who.clone(), 0..4usize, 0..6u32).prop_map(|(who, grant, hours)| Do::Extend { who, grant, hours }),
        1 => who.clone().prop_map(Do::Lock),
        1 => who.prop_map(Do::Unlock),
    ]
}

fn people() -> Vec<Actor> {
    let mut people: Vec<Actor> = ["anna", "bert", "lena", "lars"].into_iter().map(person).collect();
    people.push(person_as("anna", "lars"));
    people.push(person_as("lars", "lena"));
    people.push(Actor::own(Identity::of_dn(dn("cn=sync,dc=x")), "local"));
    people.push(Actor::own(Identity::of_dn(dn("UID=Anna, OU=People, DC=X")), "elsewhere"));
    people
}

/// The configurations that a reload switches between.
fn configuration(number: usize) -> Vec<Role> {
    let everybody = selectors(&["anyone"]);
    let glass = selectors(&["dn:uid=bert,ou=people,dc=x"]);
    let open = Role { eligible: everybody.clone(), approvers: everybody, break_glass: glass, ..editor() };
    let safe = Role { beneficiaries: selectors(&["dn:cn=sync,dc=x"]), ..vault() };
    match number {
        0 => vec![open, safe],
        1 => vec![Role { max_duration: HOUR, ..open }, Role { approvals: 3, ..safe }],
        4 => vec![Role { stages: stages(), approvals: 2, ..open }, Role { automatic: rules(), ..safe }],
        5 => vec![Role { stages: stages(), approvals: 2, ..open }, Role { stages: stages(), approvals: 2, ..safe }],
        2 => vec![Role { allow: editor().allow[..1].to_vec(), ..open }],
        _ => vec![Role { eligible: selectors(&["dn:uid=bert,ou=people,dc=x"]), ..open }, safe],
    }
}

/// Two groups, one after the other, the first for an hour.
fn stages() -> Vec<Stage> {
    let stage = |after| Stage { approvers: selectors(&["anyone"]), approvals: 1, after, escalation: false };
    vec![stage(Some(HOUR)), stage(None)]
}

fn rules() -> Vec<Automatic> {
    let who = Some(selectors(&["dn:uid=lena,ou=people,dc=x"]));
    vec![Automatic { who, addresses: None, hours: None, ticket: None, max_duration: Some(HOUR), operations: None }]
}

#[derive(Default)]
struct Run {
    requests: Vec<Request>,
    grants: Vec<Grant>,
    /// The longest that the role allowed while the grant was scheduled or began.
    caps: Vec<Duration>,
}

impl Run {
    fn act(&mut self, action: &Do, world: &mut World, people: &[Actor]) {
        match action {
            Do::Ask { who, role, hours, start, narrow, for_sync, glass } => {
                let wish = Wish {
                    duration: (*hours > 0).then(|| HOUR * *hours),
                    start: start.map(|start| world.now.wall + chrono::TimeDelta::seconds(start)),
                    narrowing: Narrowing { base: narrow.then(|| dn("cn=a,ou=payroll,dc=x")), ..Narrowing::default() },
                    subject: for_sync.then(|| dn("cn=sync,dc=x")),
                    break_glass: *glass,
                    ..wish(if *role { "editor" } else { "vault" })
                };
                let ids = NewIds { request: format!("req-{}", self.requests.len()), grant: self.next_grant() };
                let Ok(step) = ask(ids, wish, &people[*who], &self.grants, &world.context()) else { return };
                self.requests.push(step.request.clone());
                self.begun(&step.request, step.grant, world);
            }
            Do::Extend { who, grant, hours } => {
                let Some(grant) = self.grants.get(*grant) else { return };
                let (id, actor) = (format!("req-{}", self.requests.len()), &people[*who]);
                let request = extend(id, grant, HOUR * *hours, "more", actor, &world.context());
                self.requests.extend(request);
            }
            Do::Lock(who) => {
                let Some(subject) = people[*who].acts.dn.clone() else { return };
                let locked = lock(
                    world.locks.of(&subject, &Naming::unread()),
                    &subject,
                    "why",
                    &person("root"),
                    &world.context(),
                );
                let Ok(locked) = locked else { return };
                world.locks = world.locks.with(&locked);
                self.configured(world);
            }
            Do::Unlock(who) => {
                let Some(subject) = people[*who].acts.dn.clone() else { return };
                if let Ok(lifted) =
                    unlock(world.locks.of(&subject, &Naming::unread()), &subject, &person("root"), &world.context())
                {
                    world.locks = world.locks.with(&lifted);
                }
            }
            Do::Review { who, request, approve, stale } => {
                let Some(request) = self.requests.get_mut(*request) else { return };
                let verdict = if *approve { Verdict::Approve } else { Verdict::Deny };
                let mut reviewing = seen(request, &people[*who], verdict);
                reviewing.revision += u64::from(*stale);
                reviewing.grant_id = format!("grant-{}", self.grants.len());
                let extended = request.extends.as_ref().and_then(|id| self.grants.iter().find(|grant| grant.id == *id));
                reviewing.extended = extended.cloned().map(Box::new);
                let Ok(next) = step(request, &Event::Review(reviewing), &world.context()) else { return };
                assert!(!*stale);
                *request = next.request.clone();
                self.begun(&next.request, next.grant, world);
            }
            Do::Cancel { who, request } => {
                let Some(request) = self.requests.get_mut(*request) else { return };
                let event = Event::Cancel { actor: &people[*who], reason: None };
                if let Ok(next) = step(request, &event, &world.context()) {
                    *request = next.request;
                }
            }
            Do::Wait(seconds) => {
                world.now.wall += chrono::TimeDelta::seconds(*seconds);
                world.now.monotonic += Duration::from_secs(seconds.unsigned_abs());
                world.groups = groups(world.now);
            }
            Do::Settle => self.settle(world),
            Do::Release { who, grant } => {
                self.end(*grant, |grant| release(grant, &people[*who], &world.context()).ok());
            }
            Do::Revoke { who, grant } => {
                self.end(*grant, |grant| revoke(grant, &people[*who], "why", &world.context()).ok());
            }
            Do::Configure(number) => {
                world.policy = policy_of(resources(), configuration(*number));
                self.configured(world);
            }
        }
    }

    fn next_grant(&self) -> String {
        format!("grant-{}", self.grants.len())
    }

    /// What the policy, or a lock, no longer allows ends.
    fn configured(&mut self, world: &World) {
        for grant in 0..self.grants.len() {
            self.end(grant, |grant| on_policy(grant, &world.context()).ok().flatten());
        }
    }

    fn begun(&mut self, request: &Request, grant: Option<(Grant, Effect)>, world: &World) {
        let Some((grant, _)) = grant else { return };
        let role = world.policy.role(&grant.role).unwrap();
        check_new(&grant, request, role, world);
        if let Some(id) = &grant.extends {
            let before = self.grants.iter().find(|grant| grant.id == *id).unwrap();
            assert!(before.state != GrantState::Revoked && before.state != GrantState::Released, "gone on with");
            assert!(grant.from >= before.until && grant.scope == before.scope, "more of the same, afterwards");
        }
        self.caps.push(role.max_duration);
        self.grants.push(grant);
    }

    /// Nobody who is locked holds anything.
    fn check(&self, world: &World) {
        for grant in &self.grants {
            assert!(
                grant.state.is_end() || world.locks.of(&grant.subject, &Naming::unread()).is_none(),
                "held under a lock"
            );
        }
    }

    fn settle(&mut self, world: &World) {
        for request in &mut self.requests {
            if let Ok(next) = step(request, &Event::Deadline, &world.context()) {
                *request = next.request;
            }
        }
        for number in 0..self.grants.len() {
            let extended = self.grants[number].extends.as_ref();
            let extended = extended.and_then(|id| self.grants.iter().find(|grant| grant.id == *id)).cloned();
            self.end(number, |grant| match on_deadline(grant, extended.as_ref(), &world.context()) {
                Ok(Outcome::Moved(grant, effect)) => Some((*grant, effect)),
                Ok(Outcome::Undecided) | Err(_) => None,
            });
        }
    }

    fn end(&mut self, number: usize, decide: impl FnOnce(&Grant) -> Option<(Grant, Effect)>) {
        let Some(grant) = self.grants.get_mut(number) else { return };
        let Some((next, effect)) = decide(grant) else { return };
        assert!(!grant.state.is_end(), "what ended begins no more");
        assert_eq!(effect == Effect::Close, next.state.is_end());
        assert_eq!((&next.scope, &next.subject, next.from), (&grant.scope, &grant.subject, grant.from));
        assert!(next.until <= grant.until, "longer");
        assert_eq!(next.revision, grant.revision + 1);
        *grant = next;
    }
}

fn check_new(grant: &Grant, request: &Request, role: &Role, world: &World) {
    let length = (grant.until - grant.from).to_std().unwrap();
    assert!(length <= role.max_duration && length <= request.duration && !length.is_zero());
    assert!(grant.from >= world.now.wall);
    let whole = Scope::of_role(role, &world.policy).unwrap();
    for entry in &grant.scope.0 {
        let covered = |kind| {
            whole.0.iter().any(|line| {
                line.resource == entry.resource
                    && line.operations.contains(kind)
                    && entry.region().is_within(&line.region())
            })
        };
        assert!(entry.operations.iter().all(covered), "wider");
    }
    match grant.basis {
        Basis::Reviews => {}
        Basis::Automatic(rule) => {
            assert!(rule == 1 && !role.automatic.is_empty() && length <= HOUR && request.extends.is_none());
            return assert!(request.requested_by.dn.as_ref().is_some_and(|own| own.is_surely(&uid("lena"))));
        }
        Basis::BreakGlass => return assert!(grant.is_unsigned() && grant.subject == uid("bert")),
    }
    let names = request.reviews.iter().flat_map(|review| [Some(&review.who), review.really.as_ref()]).flatten();
    let names: Vec<_> = names.filter_map(|identity| identity.dn.as_ref()).collect();
    let reviewers: Vec<_> = request.reviews.iter().filter_map(|review| review.who.dn.as_ref()).collect();
    assert!(reviewers.len() >= usize::try_from(role.approvals.max(request.approvals)).unwrap());
    for (number, reviewer) in reviewers.iter().enumerate() {
        assert!(!reviewers[..number].contains(reviewer), "one person twice");
    }
    for name in names {
        assert!(*name != grant.subject && !request.requested_by.may_be(name, &Naming::unread()), "their own");
    }
    assert!(request.reviews.iter().all(|review| review.verdict == Verdict::Approve));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn no_sequence_breaks_the_rules(actions in prop::collection::vec(actions(), 1..60)) {
        let people = people();
        let mut world = World { policy: policy_of(resources(), configuration(0)), ..World::new() };
        let mut run = Run::default();
        for action in &actions {
            run.act(action, &mut world, &people);
            run.check(&world);
        }
        for (grant, cap) in run.grants.iter().zip(&run.caps) {
            prop_assert!((grant.until - grant.from).to_std().unwrap() <= *cap);
            prop_assert_eq!(run.requests.iter().filter(|r| r.grant.as_ref() == Some(&grant.id) && r.state != RequestState::Approved).count(), 0);
        }
    }
}
