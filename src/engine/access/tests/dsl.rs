//! The language of the tables: policies, people with grants, operations and outcomes as short lines.

use crate::engine::Now;
use crate::engine::access::{Asked, Decision, DirectoryFacts, Permit, Snapshot, controls, decide};
use crate::engine::grant::index::{ActiveGrant, ActiveGrants, Opening};
use crate::engine::ldap::Dn;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::control::value::{Dereference, ListTarget, SortKey, SyncMode, Value};
use crate::engine::ldap::control::{Control, oid};
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::message::ClientMessageId;
use crate::engine::ldap::request::{
    AddRequest, Attribute, Authentication, BindName, BindRequest, Change, ChangeKind, CompareRequest, DerefAliases,
    ExtendedRequest, ModifyRequest, RenameRequest, Request, SearchRequest, SearchScope,
};
use crate::engine::policy::attributes::AttributeNames;
use crate::engine::policy::groups::{Groups, Membership};
use crate::engine::policy::resource::{Resource, ResourceIndex, ResourceScope};
use crate::engine::policy::role::{Allow, Role, SecondFactor};
use crate::engine::policy::selector::Selector;
use crate::engine::policy::{Mode, OperationKind, OperationSet, Policy, RefusalStyle, Standing, Subject};
use crate::engine::redaction::{Stage, Stages};
use chrono::DateTime;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// The policy that most tables use.
pub(super) const POLICY: &str = "
    resource payroll subtree ou=payroll,dc=x *
    resource card    base    cn=card,ou=it,dc=x *
    resource desks   one     ou=desks,dc=x *
    resource letters subtree ou=letters,dc=x search
    resource vaults  one     ou=vaults,dc=x search,compare
    resource writes  subtree dc=x add,modify,delete,rename,password
    resource admins  subtree ou=admins,dc=x bind
    standing payroll search dn:uid=sync,ou=people,dc=x
    standing letters search group:cn=clerks,ou=groups,dc=x
    standing writes  add,modify,delete,rename,password subtree:ou=robots,dc=x
    role reader  payroll/search,compare
    role editor  payroll/search,compare,modify writes/modify/ou=payroll,dc=x
    role owner   payroll/*
    role writer  writes/*
    role clerk   letters/search
    role mover   letters/rename writes/rename
    role oncall  admins/bind
    role it      card/* desks/*
    role viewer  letters/search vaults/search card/search desks/search payroll/search
";

/// `␣` is a space, `⊕` a plus sign: those of a table are between its words, and between grants.
pub(super) fn dn(text: &str) -> Dn {
    text.replace('␣', " ").replace('⊕', "+").parse().unwrap_or_else(|_| panic!("{text:?} is a name"))
}

/// `anna` is short for her DN; `-` is nobody.
pub(super) fn subject(who: &str) -> Subject {
    match who {
        "-" => Subject::Anonymous,
        _ if who.contains('=') => Subject::Dn(dn(who)),
        _ => Subject::Dn(dn(&format!("uid={who},ou=people,dc=x"))),
    }
}

fn operations(text: &str) -> OperationSet {
    if text == "*" { OperationSet::all() } else { text.split(',').map(|name| name.parse().unwrap()).collect() }
}

fn both(one: OperationSet, other: OperationSet) -> OperationSet {
    OperationKind::ALL.into_iter().filter(|kind| one.contains(*kind) && other.contains(*kind)).collect()
}

pub(super) fn policy(text: &str) -> Policy {
    let (mut resources, mut standing, mut roles): (Vec<Resource>, _, _) = (vec![], vec![], vec![]);
    let index = |resources: &[Resource], name: &str| {
        let at = resources.iter().position(|resource| &*resource.name == name);
        ResourceIndex(at.unwrap_or_else(|| panic!("no resource {name}")) as u32)
    };
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["resource", name, scope, base, allowed, ref attributes @ ..] => resources.push(Resource {
                name: name.into(),
                base: dn(base),
                scope: match scope {
                    "base" => ResourceScope::Base,
                    "one" => ResourceScope::One,
                    "subtree" => ResourceScope::Subtree,
                    other => panic!("no scope {other}"),
                },
                operations: operations(allowed),
                attributes: attributes.first().map(|list| names(list)),
                on_missing: None,
            }),
            ["standing", resource, allowed, who, ref replicate @ ..] => standing.push(Standing {
                who: vec![Selector::parse(who).unwrap()],
                resource: index(&resources, resource),
                operations: operations(allowed),
                reason: "because".into(),
                replicate: *replicate == ["replicate"],
            }),
            ["role", name, ref allow @ ..] => roles.push(Arc::new(role(name, allow, |name| index(&resources, name)))),
            _ => panic!("not understood: {line}"),
        }
    }
    Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, standing, roles)
}

fn role(name: &str, allow: &[&str], index: impl Fn(&str) -> ResourceIndex) -> Role {
    let replicate = allow.contains(&"replicate");
    let allow = allow.iter().filter(|part| **part != "replicate").map(|part| {
        let (part, attributes) = part.split_once('#').map_or((*part, None), |(part, list)| (part, Some(names(list))));
        let parts: Vec<_> = part.splitn(3, '/').collect();
        let base = parts.get(2).map(|base| dn(base));
        Allow { resource: index(parts[0]), operations: operations(parts[1]), base, attributes }
    });
    Role {
        name: name.into(),
        description: String::new(),
        allow: allow.collect(),
        eligible: vec![Selector::Anyone],
        approvers: vec![],
        beneficiaries: vec![],
        approvals: 1,
        stages: Vec::new(),
        automatic: Vec::new(),
        break_glass: Vec::new(),
        max_duration: Duration::from_secs(3_600),
        default_duration: Duration::from_secs(3_600),
        request_ttl: Duration::from_secs(3_600),
        max_lead: Duration::from_secs(14 * 24 * 3_600),
        reason_required: false,
        ticket_pattern: None,
        second_factor: SecondFactor::default(),
        replicate,
        on_missing: None,
    }
}

fn names(list: &str) -> AttributeNames {
    AttributeNames::new(list.split(',')).unwrap()
}

/// Second 1,000 on both clocks.
pub(super) fn now() -> Now {
    at(1_000, 1_000)
}

pub(super) fn at(wall: i64, monotonic: u64) -> Now {
    Now { wall: DateTime::from_timestamp(wall, 0).unwrap(), monotonic: Duration::from_secs(monotonic) }
}

/// A grant of `role` (or `role/operations`, `role@base`, `role#attributes`, in this order, narrowed) to `who`, from
/// second 900 until `until` (or that of `role~until`) on both clocks.
pub(super) fn grant(policy: &Policy, who: &str, role: &str, until: u64) -> Arc<ActiveGrant> {
    let (role, until) = role.split_once('~').map_or((role, until), |(role, until)| (role, until.parse().unwrap()));
    let (role, only) = role.split_once('#').map_or((role, None), |(role, list)| (role, Some(names(list))));
    let (role, narrowed) = role.split_once('@').map_or((role, None), |(role, base)| (role, Some(dn(base))));
    let (role, fewer) = role.split_once('/').map_or((role, None), |(role, list)| (role, Some(operations(list))));
    let Subject::Dn(subject) = subject(who) else { panic!("nobody holds grants") };
    let opens = policy.role(role).unwrap().allow.iter().map(|allow| Opening {
        resource: allow.resource,
        operations: fewer.map_or(allow.operations, |fewer| both(allow.operations, fewer)),
        base: narrowed.clone().or_else(|| allow.base.clone()),
        attributes: only.clone().or_else(|| allow.attributes.clone()),
    });
    Arc::new(ActiveGrant {
        id: format!("{who}-{role}-{narrowed:?}-{fewer:?}-{only:?}-{until}").into(),
        request: "request".into(),
        role: role.into(),
        subject,
        from: at(900, 0).wall,
        until: at(until as i64, 0).wall,
        until_monotonic: Duration::from_secs(until),
        break_glass: false,
        opens: opens.collect(),
    })
}

pub(super) fn snapshot(policy: Policy, grants: impl IntoIterator<Item = Arc<ActiveGrant>>) -> Snapshot {
    let clerks = HashSet::from([dn("uid=cleo,ou=people,dc=x")]);
    let membership = Membership { members: clerks, read_at: Duration::from_secs(990) };
    Snapshot {
        policy: Arc::new(policy),
        grants: Arc::new(grants.into_iter().collect::<ActiveGrants>()),
        groups: Arc::new(Groups::of_listed(HashMap::from([(dn("cn=clerks,ou=groups,dc=x"), membership)]))),
        directory: Arc::new(DirectoryFacts {
            naming_contexts: vec![dn("dc=x")],
            subschema: Some(dn("cn=subschema")),
            ..DirectoryFacts::default()
        }),
        recording: true,
        rates: Arc::default(),
        trials: Arc::default(),
    }
}

/// `anna+reader+editor@ou=a,dc=x` is Anna with two grants, `anna+bert:reader` Anna while Bert has one.
pub(super) fn snapshot_for(policy: Policy, who: &str) -> (Snapshot, Subject) {
    let mut parts = who.split('+');
    let name = parts.next().unwrap();
    let grants: Vec<_> = parts
        .map(|role| {
            let (whose, role) = role.split_once(':').unwrap_or((name, role));
            grant(&policy, whose, role, 2_000)
        })
        .collect();
    (snapshot(policy, grants), subject(name))
}

/// An operation as it is written in the tables, with its controls: `!name` critical, `?name` not, and what
/// they say behind a colon.
pub(super) struct Operation {
    pub(super) request: Request<'static>,
    pub(super) controls: Vec<Control<'static>>,
}

pub(super) fn operation(line: &'static str) -> Operation {
    let (controls, words): (Vec<&'static str>, Vec<&'static str>) =
        line.split_whitespace().partition(|word| word.starts_with(['!', '?']));
    let controls = controls.into_iter().map(|word| {
        let (name, says) = word[1..].split_once(':').unwrap_or((&word[1..], ""));
        let (oid, value) = control(name, says);
        Control { oid, critical: word.starts_with('!'), value: value.map(|value| &*value.leak()) }
    });
    Operation { request: request(&words), controls: controls.collect() }
}

/// The OID and the value of a control that says this.
fn control(name: &'static str, says: &'static str) -> (&'static str, Option<Vec<u8>>) {
    let description = |default: &'static str| {
        AttributeDescription(if says.is_empty() { default.as_bytes() } else { says.as_bytes() })
    };
    let equality = || Filter::Equality { attribute: description("cn"), value: b"a" };
    let number = |default: i32| says.parse().unwrap_or(default);
    let list = || vec![description("cn")];
    let (oid, value) = match name {
        "paged" => (oid::PAGED_RESULTS, Value::Pages { size: 5, cookie: b"" }),
        "sort" => (
            oid::SORT_REQUEST,
            Value::SortKeys(vec![SortKey { attribute: description("cn"), rule: None, reverse: false }]),
        ),
        "sorted" => (oid::SORT_RESPONSE, Value::Absent),
        "vlv" => {
            let target = ListTarget::Offset { offset: 1, content_count: 0 };
            (oid::VLV_REQUEST, Value::VirtualList { before: 0, after: 1, target, context: None })
        }
        "managedsait" => (oid::MANAGE_DSA_IT, Value::Absent),
        "subentries" => (oid::SUBENTRIES, Value::Boolean(true)),
        "assertion" => (oid::ASSERTION, Value::Filter(equality())),
        "preread" => (oid::PRE_READ, Value::Attributes(list())),
        "postread" => (oid::POST_READ, Value::Attributes(list())),
        "matched" => (oid::MATCHED_VALUES, Value::ValueFilters(vec![equality()])),
        "ppolicy" => (oid::PASSWORD_POLICY, Value::Absent),
        "authzid" => (oid::AUTHORIZATION_IDENTITY_REQUEST, Value::Absent),
        "treedelete" => (oid::TREE_DELETE, Value::Absent),
        "sync" => {
            (oid::SYNC_REQUEST, Value::Sync { mode: SyncMode::RefreshAndPersist, cookie: None, reload_hint: false })
        }
        "psearch" => (oid::PERSISTENT_SEARCH, Value::Changes { types: 15, changes_only: true, notify: true }),
        "notification" => (oid::SERVER_NOTIFICATION, Value::Absent),
        "dirsync" => (oid::DIR_SYNC, Value::DirSync { flags: 0, size: 0, cookie: b"" }),
        "deleted" => (oid::SHOW_DELETED, Value::Absent),
        "recycled" => (oid::SHOW_RECYCLED, Value::Absent),
        "deactivated" => (oid::SHOW_DEACTIVATED_LINK, Value::Absent),
        "extdn" => (oid::EXTENDED_DN, Value::OptionalNumber(Some(number(1)))),
        "sdflags" => (oid::SD_FLAGS, Value::Number(number(7))),
        "options" => (oid::SEARCH_OPTIONS, Value::Number(number(1))),
        "domainscope" => (oid::DOMAIN_SCOPE, Value::Absent),
        "range" => (oid::RANGE_OPTION, Value::Absent),
        "asq" => (oid::ATTRIBUTE_SCOPED_QUERY, Value::SourceAttribute(description("member"))),
        "deref" => {
            let one = Dereference { source: AttributeDescription(b"member"), attributes: vec![description("uid")] };
            (oid::DEREFERENCE, Value::Dereferences(vec![one]))
        }
        "nocopy" => (oid::DONT_USE_COPY, Value::Absent),
        "noop" => (oid::NO_OP, Value::Absent),
        "noop2" => (oid::NO_OP_ELSEWHERE, Value::Absent),
        "relax" => (oid::RELAX_RULES, Value::Absent),
        "permissive" => (oid::PERMISSIVE_MODIFY, Value::Absent),
        "lazy" => (oid::LAZY_COMMIT, Value::Absent),
        "tracking" => (oid::SESSION_TRACKING, Value::Tracking([b"192.0.2.1", b"host", b"1.2", b"x"])),
        "transaction" => (oid::TRANSACTION, Value::Absent),
        "statistics" => (oid::STATISTICS, Value::Absent),
        "proxy1" => (oid::PROXIED_AUTHORIZATION_V1, Value::AuthorizationDn(dn("uid=anna,ou=people,dc=x"))),
        "proxy2" => (oid::PROXIED_AUTHORIZATION_V2, Value::AuthorizationId(says.as_bytes())),
        oid => (oid, Value::Absent),
    };
    (oid, value.encode())
}

fn request(words: &[&'static str]) -> Request<'static> {
    match *words {
        ["bind", name] => bind(BindName::Dn(dn(name)), Authentication::Simple(b"secret"), 3),
        ["bind"] => bind(BindName::Dn(Dn::root()), Authentication::Simple(b""), 3),
        ["bind-empty", name] => bind(BindName::Dn(dn(name)), Authentication::Simple(b""), 3),
        ["bind-other", name] => bind(BindName::Other(name.as_bytes()), Authentication::Simple(b"secret"), 3),
        ["bind-other-empty", name] => bind(BindName::Other(name.as_bytes()), Authentication::Simple(b""), 3),
        ["bind-v2", name] => bind(BindName::Dn(dn(name)), Authentication::Simple(b"secret"), 2),
        ["bind-sasl", mechanism] => {
            let sasl = Authentication::Sasl { mechanism: mechanism.as_bytes(), credentials: None };
            bind(BindName::Dn(Dn::root()), sasl, 3)
        }
        ["bind-choice"] => bind(BindName::Dn(Dn::root()), Authentication::Other(0x8a), 3),
        ["search", scope, ref rest @ ..] => search(scope, rest, DerefAliases::Never),
        ["search-deref", scope, ref rest @ ..] => search(scope, rest, DerefAliases::Always),
        ["compare", name, ref attribute @ ..] => {
            let (attribute, value) =
                attribute.first().map_or(("cn", "a"), |word| word.split_once('=').unwrap_or((word, "a")));
            let attribute = AttributeDescription(attribute.as_bytes());
            Request::Compare(CompareRequest { entry: dn(name), attribute, value: value.as_bytes() })
        }
        ["add", name, ref list @ ..] => {
            Request::Add(AddRequest { entry: dn(name), attributes: attributes(list).collect() })
        }
        ["modify", name, ref list @ ..] => modify(ChangeKind::Replace, name, list),
        ["modify-add", name, ref list @ ..] => modify(ChangeKind::Add, name, list),
        ["modify-delete", name, ref list @ ..] => modify(ChangeKind::Delete, name, list),
        ["increment", name, ref list @ ..] => modify(ChangeKind::Increment, name, list),
        ["delete", name] => Request::Delete(dn(name)),
        ["rename", name, rdn] => rename(name, rdn, None),
        ["rename-keep", name, rdn] => {
            let (entry, new_rdn) = (dn(name), dn(rdn));
            Request::Rename(RenameRequest { entry, new_rdn, delete_old_rdn: false, new_superior: None })
        }
        ["rename", name, rdn, above] => rename(name, rdn, Some(dn(above))),
        ["password"] => extended(ExtendedRequest::Password { identity: None, old: None, new: None }),
        ["password", "''"] => extended(ExtendedRequest::Password { identity: Some(b""), old: None, new: None }),
        ["password", who] => {
            extended(ExtendedRequest::Password { identity: Some(who.as_bytes()), old: None, new: None })
        }
        ["whoami"] => extended(ExtendedRequest::WhoAmI),
        ["starttls"] => extended(ExtendedRequest::StartTls),
        ["cancel"] => extended(ExtendedRequest::Cancel(ClientMessageId(1))),
        ["extended", oid] => extended(ExtendedRequest::Other { oid, value: None }),
        ["unbind"] => Request::Unbind,
        ["abandon"] => Request::Abandon(ClientMessageId(1)),
        _ => panic!("not understood: {words:?}"),
    }
}

fn bind(name: BindName<'static>, authentication: Authentication<'static>, version: i32) -> Request<'static> {
    Request::Bind(BindRequest { version, name, authentication })
}

fn extended(request: ExtendedRequest<'static>) -> Request<'static> {
    Request::Extended(request)
}

fn modify(kind: ChangeKind, name: &str, list: &[&'static str]) -> Request<'static> {
    let changes = attributes(list).map(|attribute| Change { kind, attribute }).collect();
    Request::Modify(ModifyRequest { entry: dn(name), changes })
}

fn rename(name: &str, rdn: &str, new_superior: Option<Dn>) -> Request<'static> {
    Request::Rename(RenameRequest { entry: dn(name), new_rdn: dn(rdn), delete_old_rdn: true, new_superior })
}

fn described(list: &'static str) -> impl Iterator<Item = AttributeDescription<'static>> {
    list.split(',').map(|name| AttributeDescription(name.as_bytes()))
}

/// `name,name` with a value of no importance, or `name=value name=value`; `␣` in a value is a space.
fn attributes(list: &[&'static str]) -> impl Iterator<Item = Attribute<'static>> {
    let (valued, named): (Vec<&'static str>, _) = list.iter().copied().partition(|word| word.contains('='));
    let valued = valued.into_iter().filter_map(|word| word.split_once('=')).map(|(name, value)| Attribute {
        description: AttributeDescription(name.as_bytes()),
        values: vec![&*Vec::leak(value.replace('␣', " ").into_bytes())],
    });
    let described = named.into_iter().take(1).flat_map(described);
    valued.chain(described.map(|description| Attribute { description, values: vec![b"cn=a"] }))
}

/// `base [attributes] (filter)`, of which each may be missing.
fn search(scope: &str, words: &[&'static str], deref: DerefAliases) -> Request<'static> {
    let mut words = words.iter().copied().peekable();
    let base = words.next_if(|word| word.contains('=') && !word.starts_with(['(', '['])).unwrap_or_default();
    let list = words.next_if(|word| word.starts_with('['));
    let requested = list.map(|list| described(list.trim_matches(['[', ']'])).collect()).unwrap_or_default();
    let filter = match words.next() {
        Some(text) => filter(&mut &*text),
        None => Filter::Present(AttributeDescription(b"objectClass")),
    };
    Request::Search(SearchRequest {
        base: dn(base),
        scope: match scope {
            "base" => SearchScope::Base,
            "one" => SearchScope::One,
            "sub" => SearchScope::Subtree,
            "children" => SearchScope::Subordinate,
            other => panic!("no scope {other}"),
        },
        deref,
        size_limit: 0,
        time_limit: 0,
        types_only: false,
        filter,
        attributes: requested,
    })
}

/// A search below `base` for this.
pub(super) fn search_for(base: &str, filter: Filter<'static>) -> Operation {
    let Request::Search(search) = search("sub", &[], DerefAliases::Never) else { panic!("a search") };
    Operation { request: Request::Search(SearchRequest { base: dn(base), filter, ..search }), controls: vec![] }
}

/// As in RFC 4515, without escapes, spaces and substrings; of extensible matches `attribute:rule:=value`.
pub(super) fn filter(text: &mut &'static str) -> Filter<'static> {
    let inside = text.strip_prefix('(').unwrap_or_else(|| panic!("no filter: {text}"));
    let (head, rest) = inside.split_at(1);
    if "&|!".contains(head) {
        *text = rest;
        let mut parts = Vec::new();
        while text.starts_with('(') {
            parts.push(filter(text));
        }
        *text = text.strip_prefix(')').unwrap();
        return match head {
            "&" => Filter::And(parts),
            "|" => Filter::Or(parts),
            _ => Filter::Not(Box::new(parts.pop().unwrap())),
        };
    }
    let (assertion, rest) = inside.split_once(')').unwrap();
    *text = rest;
    let (about, value) = assertion.split_once('=').unwrap();
    let named = |name: &'static str| AttributeDescription(name.as_bytes());
    match about.split(':').collect::<Vec<_>>()[..] {
        [attribute] if value == "*" => Filter::Present(named(attribute)),
        [attribute] => match attribute.split_at(attribute.len() - 1) {
            (attribute, ">") => Filter::GreaterOrEqual { attribute: named(attribute), value: value.as_bytes() },
            (attribute, "<") => Filter::LessOrEqual { attribute: named(attribute), value: value.as_bytes() },
            (attribute, "~") => Filter::Approximate { attribute: named(attribute), value: value.as_bytes() },
            _ => Filter::Equality { attribute: named(attribute), value: value.as_bytes() },
        },
        [attribute, rule, ""] | [attribute, "dn", rule, ""] => Filter::Extensible {
            rule: (rule != "dn").then_some(rule.as_bytes()),
            attribute: (!attribute.is_empty()).then(|| named(attribute)),
            value: value.as_bytes(),
            dn_attributes: about.contains(":dn:"),
        },
        _ => panic!("not understood: {assertion}"),
    }
}

pub(super) fn decision(snapshot: &Snapshot, subject: &Subject, operation: &Operation, now: Now) -> Decision {
    decide(
        snapshot,
        &Asked { subject, request: &operation.request, controls: &operation.controls, now, certificate: None },
    )
}

/// A decision as the tables write it: `ok`, with the roles it rests on, `hides`, `hides-elsewhere` (what a
/// dereference tells is looked at), `replicates`, the controls let through, and what is monitored; or the code with what is missing.
pub(super) fn outcome(snapshot: &Snapshot, operation: &Operation, decision: &Decision) -> String {
    let names = |resources: &[ResourceIndex]| -> String {
        let mut names: Vec<_> =
            resources.iter().map(|at| snapshot.policy.resource(*at).unwrap().name.to_string()).collect();
        names.sort();
        names.into_iter().map(|name| format!(" {name}")).collect()
    };
    match decision {
        Decision::Refused(refusal) => format!("{}{}", refusal.code.0, names(&refusal.missing)),
        Decision::Permitted(permit) => {
            let mut out = "ok".to_owned();
            out.extend(roles(permit).into_iter().map(|role| format!(" {role}")));
            if permit.redaction().hides_protected() || permit.redaction().keeps_to_trees() {
                out.push_str(" hides");
            }
            if permit.redaction().dereferenced().is_some() {
                out.push_str(" hides-elsewhere");
            }
            if permit.replicates() {
                out.push_str(" replicates");
            }
            if permit.redaction().cuts() {
                out.push_str(" cuts");
            }
            if let Request::Search(search) = &operation.request
                && !permit.redaction().is_empty()
                && let Stages::Several(stages) =
                    permit.redaction().plan(&snapshot.policy, &snapshot.directory, search).stages
            {
                let asked = |stage: &Stage<'_>| match &stage.filter {
                    Some(filter) => text(filter),
                    None => "nothing".to_owned(),
                };
                out.extend(stages.iter().map(|stage| format!(" asks {}", asked(stage))));
            }
            let forwarded = permit.controls(&operation.controls);
            out.extend(forwarded.map(|control| format!(" [{}]", controls::lookup(control.oid).unwrap().name)));
            if let Some(refusal) = permit.monitored() {
                out.push_str(&format!(" monitored{}", names(&refusal.missing)));
            }
            out
        }
    }
}

pub(super) fn text(filter: &Filter<'_>) -> String {
    let mut text = String::new();
    filter.write_text(&mut text, &|_| false).unwrap();
    text
}

pub(super) fn roles(permit: &Permit) -> Vec<String> {
    let mut roles: Vec<_> = permit.rests_on().iter().map(|grant| grant.role.to_string()).collect();
    roles.sort();
    roles
}

fn lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Who asks what, and what comes of it.
pub(super) type Case = (String, &'static str, String);

/// Checks a table; tells every line that is wrong, not only the first.
pub(super) fn check(table: &'static str, policy_of: impl Fn() -> Policy, adjust: impl Fn(&mut Snapshot)) -> usize {
    let cases = lines(table).map(|line| {
        let (asked, expected) = line.split_once("->").unwrap_or_else(|| panic!("no outcome: {line}"));
        let (who, what) = asked.split_once(" : ").unwrap_or_else(|| panic!("nobody: {line}"));
        (who.trim().to_owned(), what.trim(), expected.trim().to_owned())
    });
    check_cases(cases.collect(), policy_of, adjust)
}

/// The cases of a table with a column for each holder: the first line names them, every other begins with what is asked.
pub(super) fn matrix(table: &'static str) -> Vec<Case> {
    let mut rows = lines(table).map(|line| line.split(" | ").map(str::trim).collect::<Vec<_>>());
    let holders = rows.next().expect("a line with those who ask");
    let mut cases = Vec::new();
    for row in rows {
        assert_eq!(row.len(), holders.len(), "{row:?}");
        let of_row = holders.iter().zip(&row).skip(1);
        cases.extend(of_row.map(|(who, outcome)| ((*who).to_owned(), row[0], (*outcome).to_owned())));
    }
    cases
}

/// What becomes of one case.
pub(super) fn becomes(who: &str, what: &'static str, policy: Policy, adjust: impl Fn(&mut Snapshot)) -> String {
    let (mut snapshot, subject) = snapshot_for(policy, who);
    adjust(&mut snapshot);
    let operation = operation(what);
    let decision = decision(&snapshot, &subject, &operation, now());
    outcome(&snapshot, &operation, &decision)
}

/// Checks cases, and says how many they were.
pub(super) fn check_cases(cases: Vec<Case>, policy_of: impl Fn() -> Policy, adjust: impl Fn(&mut Snapshot)) -> usize {
    let mut wrong = Vec::new();
    for (who, what, expected) in &cases {
        let outcome = becomes(who, what, policy_of(), &adjust);
        if outcome != *expected {
            wrong.push(format!("{who} : {what} -> {expected}\n    but it was: {outcome}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    cases.len()
}
