//! What is valid in a configuration and looks wrong all the same.

use super::Config;
use crate::engine::ldap::Dn;
use crate::engine::ldap::schema::Schema;
use crate::engine::policy::asking::OnMissing;
use crate::engine::policy::computing;
use crate::engine::policy::resource::{ResourceIndex, ResourceScope};
use crate::engine::policy::role::{Allow, Role};
use crate::engine::policy::selector::Selector;
use crate::engine::policy::trees::Contexts;
use crate::engine::policy::{Mode, OperationKind, OperationSet, Policy};
use crate::engine::workflow::telling::people::can_be_told;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Something that looks wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The configuration.
    pub file: PathBuf,
    /// Where the thing that is meant begins; counted from one.
    pub line: usize,
    /// What looks wrong.
    pub message: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

/// A grant that is longer than this is hardly just in time.
const LONG: Duration = Duration::from_secs(24 * 3_600);

/// Everything that looks wrong, in the order of the file.
pub fn lint(config: &Config) -> Vec<Warning> {
    let mut found = Found { config, warnings: BTreeSet::new() };
    for (line, message) in &config.places.warnings {
        found.warnings.insert((*line, message.clone()));
    }
    sections(&mut found);
    trees(&mut found);
    resources(&mut found);
    standing(&mut found);
    for role in &config.policy.roles {
        approval(&mut found, role);
        opens(&mut found, role);
        told(&mut found, role);
        asked_by_doing(&mut found, role);
        let demanded = role.second_factor.requester || role.second_factor.approver;
        if demanded && config.control.port.is_none() {
            let message = "second_factor is demanded, and nobody can enrol one: that takes [control] listen";
            found.role(role, message);
        }
        if role.max_duration > LONG {
            let longest = crate::engine::time::format_duration(role.max_duration);
            found.role(role, format!("max_duration is {longest}: more than a day is close to standing access"));
        }
    }
    found.into_warnings()
}

struct Found<'c> {
    config: &'c Config,
    warnings: BTreeSet<(usize, String)>,
}

impl Found<'_> {
    fn at(&mut self, place: &str, message: impl std::fmt::Display) {
        let line = self.config.places.lines.get(place).copied().unwrap_or(1);
        let separator = if place.starts_with('[') { " " } else { ": " };
        self.warnings.insert((line, format!("{place}{separator}{message}")));
    }

    fn role(&mut self, role: &Role, message: impl std::fmt::Display) {
        self.at(&format!("role {:?}", role.name), message);
    }

    fn into_warnings(self) -> Vec<Warning> {
        let file = &self.config.places.file;
        self.warnings.into_iter().map(|(line, message)| Warning { file: file.clone(), line, message }).collect()
    }
}

fn sections(found: &mut Found<'_>) {
    let config = found.config;
    let policy = &config.policy;
    if policy.mode == Mode::Monitor {
        found.at("[policy]", "mode is \"monitor\": nothing is refused or redacted, only recorded");
    }
    if policy.resources.is_empty() {
        found.at("[policy]", "no resource is defined: nothing is protected; define one under [[resource]]");
    }
    let control = &config.control;
    let lists =
        [("act_as", &control.act_as), ("administrators", &control.administrators), ("auditors", &control.auditors)];
    for (key, list) in lists {
        if list.contains(&Selector::Anyone) {
            found.at("[control]", format!("{key} contains \"anyone\"; name people or groups"));
        }
    }
    if !control.act_as.is_empty() {
        let who = join(&control.act_as);
        let message = match control.trust_act_as {
            true => "may ask as one and approve as another (trust_act_as); meant for trying things out",
            false => "may ask or review in anybody's name; meant for trying things out",
        };
        found.at("[control]", format!("act_as: {who} {message}"));
    }
    if control.administrators.is_empty() {
        found.at(
            "[control]",
            "administrators is empty: nobody but its approvers can revoke a grant, and nobody can reload",
        );
    }
    if control.local_subject.is_none() && !policy.roles.is_empty() {
        let message = "local_subject is missing: nobody who uses the command line has a name that a grant could be for";
        found.at("[control]", message);
    }
    if config.directory.service.is_none() && uses_groups(config) {
        let message =
            "bind_dn is missing: groups are read anonymously, and are empty where the directory does not allow that";
        found.at("[directory]", message);
    }
}

/// What looks wrong of a configuration in front of a directory with this schema, besides what [`lint`] says: who may leave
/// something behind that keeps computing, and what the directory tells although the gate hides it.
pub fn lint_directory(config: &Config, schema: &Arc<Schema>) -> Vec<Warning> {
    let mut found = Found { config, warnings: BTreeSet::new() };
    let features = computing::features(schema);
    let policy = config.policy.with_schema(Arc::clone(schema));
    let hides = policy.protects(OperationKind::Search);
    if hides && features.iter().any(|feature| feature.name.starts_with("uniqueness")) {
        let message =
            "the directory can enforce uniqueness: the answer to a write tells whether a hidden entry has the value";
        found.at("[directory]", message);
    }
    let lasting: Vec<&str> = features.iter().filter(|feature| feature.lasts).map(|feature| feature.name).collect();
    let everything = |allows: &dyn Fn(ResourceIndex) -> bool| {
        let mut all =
            policy.protecting(OperationKind::Search).chain(policy.attributes_protecting(OperationKind::Search));
        all.all(allows)
    };
    for role in config.policy.roles.iter().filter(|_| hides && !lasting.is_empty()) {
        let opens = |at| {
            let whole = |allow: &Allow| {
                let within = |base: &Dn| policy.resource(at).is_some_and(|r| r.base.is_surely_within(base));
                allow.resource == at
                    && allow.operations.contains(OperationKind::Search)
                    && allow.attributes.is_none()
                    && allow.base.as_ref().is_none_or(within)
            };
            role.allow.iter().any(whole)
        };
        if everything(&opens) {
            let message =
                "opens all that is protected from searching: its holders may write what the directory computes by";
            found.role(role, format!("{message} ({}), and that stays when the grant ends", lasting.join("; ")));
        }
    }
    found.into_warnings()
}

/// Trees that are named and hold no data.
fn trees(found: &mut Found<'_>) {
    let Some(named) = &found.config.directory.naming_contexts else { return };
    for context in Contexts::default().trees(Some(named), [].iter()).special {
        let message =
            format!("naming_contexts: {context} is not named like a tree of data: logs, configuration and schema show");
        found.at("[directory]", format!("{message} what is protected elsewhere; protect it, or leave it out"));
    }
}

fn uses_groups(config: &Config) -> bool {
    let roles = config.policy.roles.iter().flat_map(|role| role.selectors());
    let standing = config.policy.standing.iter().map(|standing| &standing.who);
    let control = [&config.control.act_as, &config.control.administrators, &config.control.auditors];
    let mut all = roles.chain(standing).chain(control).flatten();
    all.any(|selector| matches!(selector, Selector::Group(_)))
}

fn resources(found: &mut Found<'_>) {
    let policy = &found.config.policy;
    for (at, resource) in policy.indexed() {
        let place = format!("resource {:?}", resource.name);
        let allows = policy.roles.iter().flat_map(|role| &role.allow).map(|allow| (allow.resource, allow.operations));
        let mut holders = allows.chain(policy.standing.iter().map(|standing| (standing.resource, standing.operations)));
        if !holders.any(|(index, operations)| index == at && !operations.intersection(resource.operations).is_empty()) {
            found.at(&place, "nobody can open it: no role allows it and nobody has standing access");
        }
        if let Some(contexts) = &found.config.directory.naming_contexts
            && !contexts.iter().any(|context| resource.base.is_within(context))
        {
            found.at(&place, format!("its base {} is outside naming_contexts: it protects nothing", resource.base));
        }
    }
}

/// Every one is listed: standing access is what the gate is there to end.
fn standing(found: &mut Found<'_>) {
    let policy = &found.config.policy;
    for (position, standing) in policy.standing.iter().enumerate() {
        let place = format!("standing access {}", position + 1);
        let operations = names(standing.operations);
        let resource = resource_name(policy, standing.resource);
        let message =
            format!("{} permanently: {operations} in {resource:?} ({})", join(&standing.who), standing.reason);
        found.at(&place, message);
        if standing.who.contains(&Selector::Anyone) {
            found.at(&place, format!("\"anyone\" holds it: {resource:?} is hardly protected"));
        }
    }
}

/// Whether requests for the role can be approved, and by others than those who ask.
fn approval(found: &mut Found<'_>, role: &Role) {
    for (key, list) in [("eligible", &role.eligible), ("approvers", &role.approvers)] {
        if list.contains(&Selector::Anyone) {
            found.role(role, format!("{key} contains \"anyone\": whoever has a name in the directory"));
        }
    }
    let approvers: Option<BTreeSet<&Dn>> = role.approvers.iter().map(single).collect();
    let own_reviews = "nobody reviews their own request";
    match approvers {
        Some(approvers) if approvers.len() < role.approvals as usize => {
            let message = format!("takes {} approvals, and names only {}", role.approvals, approvers.len());
            found.role(role, format!("{message}: no request can be approved"));
        }
        Some(approvers) if approvers.len() == role.approvals as usize => {
            for asking in role.eligible.iter().filter_map(single).filter(|dn| approvers.contains(dn)) {
                found.role(role, format!("no request of {asking} can be approved: {own_reviews}"));
            }
        }
        Some(_) | None => {
            let same = |a: &[Selector], b: &[Selector]| a.iter().all(|selector| b.contains(selector));
            if same(&role.eligible, &role.approvers) && same(&role.approvers, &role.eligible) {
                found.role(role, "those who may ask are those who approve: they approve for each other");
            }
        }
    }
}

/// Whether those who decide can be told so.
fn told(found: &mut Found<'_>, role: &Role) {
    if found.config.notify.mail.is_none() {
        return;
    }
    let has_subject = found.config.control.local_subject.is_some();
    let stages = role.plan();
    let nobody: BTreeSet<String> = (stages.iter().flat_map(|stage| &stage.approvers))
        .filter(|selector| !can_be_told(selector, has_subject))
        .map(|selector| format!("{:?}", selector.to_string()))
        .collect();
    if !nobody.is_empty() {
        let list = nobody.into_iter().collect::<Vec<_>>().join(", ");
        found.role(
            role,
            format!("approvers {list} name nobody in particular: they are not told by mail what waits for them"),
        );
    }
}

fn single(selector: &Selector) -> Option<&Dn> {
    match selector {
        Selector::Dn(dn) => Some(dn),
        Selector::Subtree(_)
        | Selector::Group(_)
        | Selector::Certificate(_)
        | Selector::Local(_)
        | Selector::Anyone => None,
    }
}

/// Whether what the role allows is of any use: resources overlap, and all that are touched must be held.
fn opens(found: &mut Found<'_>, role: &Role) {
    let policy = &found.config.policy;
    for allow in &role.allow {
        let Some(resource) = policy.resource(allow.resource) else { continue };
        let opened = allow.operations.intersection(resource.operations);
        if opened.is_empty() {
            let message = format!("opens nothing of resource {:?}, which protects", resource.name);
            found.role(role, format!("{message} only: {}", names(resource.operations)));
        } else if opened != allow.operations {
            let idle = allow.operations.iter().filter(|kind| !opened.contains(*kind)).collect();
            let message = format!("resource {:?} does not protect {}", resource.name, names(idle));
            found.role(role, format!("{message}; the role need not allow that"));
        }
        let base = allow.base.as_ref().unwrap_or(&resource.base);
        for (at, other) in policy.indexed() {
            // Whether attributes are touched is the operation's to say.
            if other.attributes.is_some() || other.scope != ResourceScope::Subtree || !base.is_within(&other.base) {
                continue;
            }
            let held = |kind| role.allow.iter().any(|allow| covers(allow, at, base, kind));
            let needed = opened.intersection(other.operations);
            let lacking: OperationSet = needed.iter().filter(|kind| !held(*kind)).collect();
            if !lacking.is_empty() {
                let message = format!("to {} at {base}, resource {:?} must be held too", names(lacking), other.name);
                found.role(role, format!("{message}, and the role does not open it there"));
            }
        }
    }
}

/// Whether operations ask for the role as its resources say.
fn asked_by_doing(found: &mut Found<'_>, role: &Role) {
    let policy = &found.config.policy;
    let asks = |said: Option<OnMissing>| said.is_some_and(|said| said != OnMissing::Refuse);
    let binds = |operations: OperationSet| operations == [OperationKind::Bind].into_iter().collect();
    if asks(role.on_missing) && role.allow.iter().all(|allow| binds(allow.operations)) {
        found.role(role, "on_missing does nothing: who only binds is nobody yet, and asks for nothing");
    }
    if role.on_missing.is_some() || role.can_be_asked_by_doing() {
        return;
    }
    let said = role.allow.iter().filter_map(|allow| policy.resource(allow.resource));
    for resource in said.filter(|resource| asks(resource.on_missing)) {
        let message = "it demands a ticket, or a code of those who ask: no operation asks for it, whatever resource";
        found.role(role, format!("{message} {:?} says (on_missing)", resource.name));
    }
}

fn covers(allow: &Allow, resource: ResourceIndex, base: &Dn, kind: OperationKind) -> bool {
    allow.resource == resource
        && allow.operations.contains(kind)
        && allow.base.as_ref().is_none_or(|allowed| base.is_surely_within(allowed))
}

fn names(operations: OperationSet) -> String {
    operations.names().collect::<Vec<_>>().join(", ")
}

fn join(selectors: &[Selector]) -> String {
    selectors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn resource_name(policy: &Policy, index: ResourceIndex) -> &str {
    policy.resource(index).map_or("", |resource| &resource.name)
}
