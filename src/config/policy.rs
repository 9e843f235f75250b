//! `[policy]`, `[[resource]]`, `[[standing]]` and `[[role]]`: what is protected, who holds what
//! permanently, what can be requested.

use super::asking;
use super::deciding::{Deciding, deciding};
use super::raw::{Located, Section};
use super::suggest::nearest;
use super::value::{FromText, Name, one_of};
use crate::engine::ldap::Dn;
use crate::engine::ldap::sasl::{Mechanism, Mechanisms};
use crate::engine::policy::attributes::AttributeNames;
use crate::engine::policy::resource::{Resource, ResourceIndex, ResourceScope};
use crate::engine::policy::role::{Allow, Role, SecondFactor};
use crate::engine::policy::selector::Selector;
use crate::engine::policy::{EXPOSED_SEARCHES, Mode, OperationKind, OperationSet, Policy, RefusalStyle, Standing};
use std::sync::Arc;
use std::time::Duration;

/// How long a request waits when its role does not say.
const REQUEST_TTL: Duration = Duration::from_secs(8 * 3_600);
/// How far ahead a grant may begin when the role does not say.
const MAX_LEAD: Duration = Duration::from_secs(14 * 24 * 3_600);

/// What a grant lasts when neither request nor role say; less where the role allows no more.
const DEFAULT_DURATION: Duration = Duration::from_secs(3_600);

/// Nothing is granted for longer than a year: what is, is standing access.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// What of the other sections decides what this one may say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    /// Clients are asked for certificates.
    pub(super) client_ca: bool,
    /// There is an account that may act for others.
    pub(super) account: bool,
}

pub(super) fn policy(root: &Section<'_>, around: Around) -> Option<Policy> {
    let section = root.section("policy");
    let mode = section.optional::<Mode>("mode").map_or(Mode::Enforce, |found| found.value);
    let refusal = section.optional::<RefusalStyle>("refusal").map_or(RefusalStyle::Explain, |found| found.value);
    let mechanisms = mechanisms(&section, around);
    let proxies = section.list::<Selector>("proxied_authorization").map(|list| list.value).unwrap_or_default();
    session_selectors(&section, "proxied_authorization", &proxies, false);
    let held = asking::bounds(&section);
    let exposed = section.number("exposed_searches_per_minute", u64::from(EXPOSED_SEARCHES), 0..=1_000_000);
    section.finish();

    let (names, resources) = resources(root);
    let known = Known { names: &names, resources: &resources };
    let standing: Vec<_> = root
        .sections("standing", |number| format!("standing access {number}"))
        .into_iter()
        .map(|section| standing(section, &known, around))
        .collect();
    let mut taken = Names::default();
    let roles: Vec<_> = root
        .sections("role", |number| format!("role {number}"))
        .into_iter()
        .map(|section| role(section, &known, &mut taken))
        .collect();

    let resources = resources.into_iter().collect::<Option<_>>()?;
    let standing = standing.into_iter().collect::<Option<_>>()?;
    let roles = roles.into_iter().collect::<Option<_>>()?;
    let mut policy = Policy::new(mode, refusal, resources, standing, roles);
    policy.mechanisms = mechanisms;
    policy.proxied_authorization = plain(proxies);
    policy.held = held;
    policy.exposed_searches = u32::try_from(exposed).unwrap_or(EXPOSED_SEARCHES);
    Some(policy)
}

/// What is left out is everything that can work.
fn mechanisms(section: &Section<'_>, around: Around) -> Mechanisms {
    let Some(list) = section.list::<Mechanism>("mechanisms") else {
        let all = Mechanisms::all();
        return if around.client_ca && around.account { all } else { all.without(Mechanism::External) };
    };
    for found in list.value.iter().filter(|found| found.value == Mechanism::External) {
        if !around.client_ca {
            let message = "needs [tls] client_ca = \"certs/clients.pem\": who signs clients' certificates";
            section.problem(found.at, format!("mechanisms: EXTERNAL {message}"));
        }
        if !around.account {
            let message = "needs [directory] proxy_bind_dn or bind_dn: an account that may act for others there";
            section.problem(found.at, format!("mechanisms: EXTERNAL {message}"));
        }
    }
    list.value.into_iter().map(|found| found.value).collect()
}

/// Names already given to things of one kind, and where.
#[derive(Default)]
struct Names(Vec<(String, usize)>);

impl Names {
    /// Reads a section's name and calls the section by it.
    fn take(&mut self, section: &mut Section<'_>, what: &str, example: &str) -> Option<Arc<str>> {
        let name = section.required::<Name>("name", example)?;
        section.named(what, &name.value.0);
        if let Some((_, first)) = self.0.iter().find(|(taken, _)| *taken == name.value.0) {
            let line = section.line(*first);
            section.problem(name.at, format!("this name is taken: line {line} defines it; choose another"));
        }
        let taken: Arc<str> = name.value.0.as_str().into();
        self.0.push((name.value.0, name.at));
        Some(taken)
    }
}

/// The resources that `resource = "…"` can name. Those that are wrong in themselves are `None`:
/// naming them is no second error.
struct Known<'k> {
    names: &'k [String],
    resources: &'k [Option<Resource>],
}

impl Known<'_> {
    /// Reads `resource` and `operations`.
    fn opened(&self, section: &Section<'_>) -> Option<(ResourceIndex, Option<&Resource>, OperationSet)> {
        let name = section.required::<String>("resource", "\"payroll\"");
        let operations = operations(section);
        let name = name?;
        let Some(position) = self.names.iter().position(|known| *known == name.value) else {
            self.unknown(section, &name);
            return None;
        };
        let resource = self.resources.get(position).and_then(Option::as_ref);
        let operations = operations.or_else(|| resource.map(|resource| resource.operations))?;
        Some((ResourceIndex(u32::try_from(position).ok()?), resource, operations))
    }

    fn unknown(&self, section: &Section<'_>, name: &Located<String>) {
        let named: Vec<&str> = self.names.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        let known = match named.is_empty() {
            true => "none with a valid name is defined; define it under [[resource]]".to_owned(),
            false => format!("defined are: {}", named.join(", ")),
        };
        let meant = match nearest(&name.value, named) {
            Some(meant) => format!("did you mean {meant:?}? "),
            None => String::new(),
        };
        section.problem(name.at, format!("unknown resource {:?}; {meant}{known}", name.value));
    }
}

fn resources(root: &Section<'_>) -> (Vec<String>, Vec<Option<Resource>>) {
    let mut taken = Names::default();
    let mut names = Vec::new();
    let mut resources = Vec::new();
    for mut section in root.sections("resource", |number| format!("resource {number}")) {
        let name = taken.take(&mut section, "resource", "\"payroll\"");
        names.push(name.as_deref().unwrap_or_default().to_owned());
        resources.push(resource(section, name));
    }
    (names, resources)
}

fn resource(section: Section<'_>, name: Option<Arc<str>>) -> Option<Resource> {
    let base = section.required::<Dn>("base", "\"ou=payroll,dc=example,dc=com\"");
    let scope = section.optional::<ResourceScope>("scope").map_or(ResourceScope::Subtree, |found| found.value);
    let operations = operations(&section).unwrap_or_else(OperationSet::all);
    let attributes = attributes(&section);
    let on_missing = asking::on_missing(&section, &[]);
    section.finish();
    Some(Resource { name: name?, base: base?.value, scope, operations, attributes: attributes?, on_missing })
}

fn standing(section: Section<'_>, known: &Known<'_>, around: Around) -> Option<Standing> {
    let who = needed(&section, "who", "nobody would hold it", "\"dn:cn=hr-sync,ou=services,dc=example,dc=com\"");
    // EXTERNAL shows which certificate a session came with.
    session_selectors(&section, "who", &who, around.client_ca);
    let opened = known.opened(&section);
    let reason = section.required::<String>("reason", "\"nightly export, HR-112\"");
    if let Some(reason) = reason.as_ref().filter(|reason| reason.value.trim().is_empty()) {
        section.problem(reason.at, "reason: it is empty; say why this is permanent: the reports list it");
    }
    let replicate = replicate(&section);
    section.finish();
    let (resource, _, operations) = opened?;
    Some(Standing { who: plain(who), resource, operations, reason: reason?.value.into(), replicate })
}

fn role(mut section: Section<'_>, known: &Known<'_>, taken: &mut Names) -> Option<Arc<Role>> {
    let name = taken.take(&mut section, "role", "\"payroll-editor\"");
    let description = section.optional::<String>("description");
    let allow = allow(&section, known);
    let [hr, leads] = ["hr", "hr-leads"].map(|name| format!("\"group:cn={name},ou=groups,dc=example,dc=com\""));
    let eligible = needed(&section, "eligible", "nobody could ask for it", &hr);
    let Deciding { approvers, approvals, stages, automatic, break_glass } = deciding(&section, &leads);
    let beneficiaries = section.list::<Selector>("beneficiaries").map(|list| list.value).unwrap_or_default();
    // A grant is always a name's.
    session_selectors(&section, "beneficiaries", &beneficiaries, false);
    let times = times(&section);
    let reason_required = section.optional::<bool>("reason_required").is_none_or(|found| found.value);
    let ticket_pattern =
        section.optional::<String>("ticket_pattern").and_then(|found| pattern(&section, "ticket_pattern", &found));
    let second_factor = second_factor(&section);
    let replicate = replicate(&section);
    let more =
        [("a ticket (ticket_pattern)", ticket_pattern.is_some()), ("a code (second_factor)", second_factor.requester)];
    let on_missing = asking::on_missing(&section, &more);
    section.finish();
    let Times { most, usual, wait, lead } = times?;
    Some(Arc::new(Role {
        name: name?,
        description: description.map(|found| found.value).unwrap_or_default(),
        allow: allow?,
        eligible: plain(eligible),
        approvers,
        beneficiaries: plain(beneficiaries),
        approvals,
        stages,
        automatic,
        break_glass,
        max_duration: most,
        default_duration: usual,
        request_ttl: wait,
        max_lead: lead,
        reason_required,
        ticket_pattern,
        second_factor,
        replicate,
        on_missing,
    }))
}

/// Whether what is opened may be replicated.
fn replicate(section: &Section<'_>) -> bool {
    section.optional::<bool>("replicate").is_some_and(|found| found.value)
}

/// Of whom a second factor is demanded.
fn second_factor(section: &Section<'_>) -> SecondFactor {
    let whom = section.list::<Party>("second_factor").map(|list| list.value).unwrap_or_default();
    let named = |party| whom.iter().any(|found| found.value == party);
    SecondFactor { requester: named(Party::Requester), approver: named(Party::Approver) }
}

/// One side of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Party {
    Requester,
    Approver,
}

impl FromText for Party {
    const EXAMPLE: &'static str = "\"approver\"";

    fn from_text(text: &str) -> Result<Party, String> {
        one_of(text, "party", &[("requester", Party::Requester), ("approver", Party::Approver)])
    }
}

fn allow(section: &Section<'_>, known: &Known<'_>) -> Option<Vec<Allow>> {
    let example = "[{ resource = \"payroll\", operations = [\"search\"] }]";
    if !section.has("allow") {
        section.missing("allow", example);
    } else if section.is_empty_list("allow") {
        section.problem(
            section.at(),
            format!("allow: it is empty, so that the role opens nothing; write it like {example}"),
        );
    }
    let place = section.place();
    let lines = section.sections("allow", |number| format!("{place}: allow {number}"));
    let read = lines.into_iter().map(|line| {
        let opened = known.opened(&line);
        let base = line.optional::<Dn>("base");
        let attributes = attributes(&line);
        if let (Some((_, Some(resource), _)), Some(base)) = (&opened, &base)
            && !base.value.is_surely_within(&resource.base)
        {
            let message = format!("is not within resource {:?}, which begins at {}", resource.name, resource.base);
            line.problem(base.at, format!("base: {} {message}", base.value));
        }
        line.finish();
        let (resource, _, operations) = opened?;
        Some(Allow { resource, operations, base: base.map(|base| base.value), attributes: attributes? })
    });
    // Every line is read before one that is wrong ends it.
    read.collect::<Vec<_>>().into_iter().collect()
}

/// How long things of a role may take.
struct Times {
    /// The longest grant.
    most: Duration,
    /// The usual one.
    usual: Duration,
    /// How long a request waits.
    wait: Duration,
    /// How far ahead a grant may begin.
    lead: Duration,
}

fn times(section: &Section<'_>) -> Option<Times> {
    let most = section.required::<Duration>("max_duration", "\"4h\"");
    let usual = section.optional::<Duration>("default_duration");
    let wait = section.optional::<Duration>("request_ttl");
    let lead = section.optional::<Duration>("max_lead");
    let written = [("max_duration", &most), ("request_ttl", &wait), ("max_lead", &lead)];
    for (key, found) in written.into_iter().filter_map(|(key, found)| Some((key, found.as_ref()?))) {
        if found.value > LONGEST {
            section.problem(found.at, format!("{key}: more than a year is standing access; use less"));
        }
    }
    if let (Some(most), Some(usual)) = (&most, &usual)
        && usual.value > most.value
    {
        let [usual_text, most_text] = [usual.value, most.value].map(crate::engine::time::format_duration);
        let message = format!("{usual_text} is more than max_duration, which is {most_text}; use at most that");
        section.problem(usual.at, format!("default_duration: {message}"));
    }
    let most = most?.value;
    let usual = usual.map_or(DEFAULT_DURATION.min(most), |found| found.value);
    let wait = wait.map_or(REQUEST_TTL, |found| found.value);
    Some(Times { most, usual, wait, lead: lead.map_or(MAX_LEAD, |found| found.value) })
}

pub(super) fn pattern(section: &Section<'_>, key: &str, found: &Located<String>) -> Option<regex_lite::Regex> {
    match regex_lite::Regex::new(&found.value) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let message = format!("{key}: {:?} is not a regular expression: {error}", found.value);
            section.problem(found.at, format!("{message}; write it like \"^HR-[0-9]+$\""));
            None
        }
    }
}

/// `attributes`; `None` where it is wrong, `Some(None)` where it was left out.
fn attributes(section: &Section<'_>) -> Option<Option<AttributeNames>> {
    if !section.has("attributes") {
        section.list::<String>("attributes");
        return Some(None);
    }
    let list = section.list::<String>("attributes")?;
    match AttributeNames::new(list.value.iter().map(|name| &name.value)) {
        Ok(names) => Some(Some(names)),
        Err(error) => {
            let message = format!("{error}; write it like [\"userPassword\", \"sambaNTPassword\"]");
            section.problem(list.at, format!("attributes: {message}, or leave it out for whole entries"));
            None
        }
    }
}

/// `operations`; `None` where it was left out.
pub(super) fn operations(section: &Section<'_>) -> Option<OperationSet> {
    let list = section.list::<OperationKind>("operations")?;
    if section.is_empty_list("operations") {
        let known: Vec<&str> = OperationSet::all().names().collect();
        let message = format!("it is empty; leave it out for all, or name some of: {}", known.join(", "));
        section.problem(list.at, format!("operations: {message}"));
    }
    Some(list.value.into_iter().map(|kind| kind.value).collect())
}

/// A list of selectors that may be left out.
pub(super) fn selectors(section: &Section<'_>, key: &'static str) -> Vec<Selector> {
    section.list::<Selector>(key).map(|list| plain(list.value)).unwrap_or_default()
}

/// A list of selectors that must name somebody.
pub(super) fn needed(
    section: &Section<'_>,
    key: &'static str,
    otherwise: &str,
    example: &str,
) -> Vec<Located<Selector>> {
    if !section.has(key) {
        section.missing(key, &format!("[{example}]"));
    }
    let Some(list) = section.list::<Selector>(key) else { return Vec::new() };
    if section.is_empty_list(key) {
        section.problem(list.at, format!("{key}: it is empty: {otherwise}; write it like {key} = [{example}]"));
    }
    list.value
}

/// Notes selectors that can never match a session in the directory.
fn session_selectors(section: &Section<'_>, key: &str, list: &[Located<Selector>], certificates: bool) {
    for found in list {
        let message = match &found.value {
            Selector::Local(_) => "is for people at the control socket; name an entry of the directory with dn:<DN>",
            Selector::Certificate(_) if certificates => continue,
            Selector::Certificate(_) if key == "proxied_authorization" => {
                "cannot be: who binds with a certificate does not act for others; name an entry with dn:<DN>"
            }
            Selector::Certificate(_) if key == "who" => "needs [tls] client_ca: nobody is asked for a certificate",
            Selector::Certificate(_) => {
                "is for callers of the control port; name an entry of the directory with dn:<DN>"
            }
            Selector::Dn(_) | Selector::Subtree(_) | Selector::Group(_) | Selector::Anyone => continue,
        };
        section.problem(found.at, format!("{key}: \"{}\" {message}", found.value));
    }
}

pub(super) fn plain(list: Vec<Located<Selector>>) -> Vec<Selector> {
    list.into_iter().map(|found| found.value).collect()
}
