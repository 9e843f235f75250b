//! The policy as it was configured: what is protected, who holds what permanently, what can be
//! requested. Knows nothing of grants.

pub mod asking;
pub mod attributes;
pub mod computing;
pub mod deciding;
pub mod difference;
mod facts;
pub mod groups;
pub mod hours;
mod index;
mod operation;
pub mod requirement;
pub mod resource;
pub mod role;
pub mod selector;
pub mod trees;

use super::ldap::Dn;
use super::ldap::attribute::AttributeDescription;
use super::ldap::dn::Naming;
use super::ldap::sasl::Mechanisms;
use super::ldap::schema::Schema;
use asking::HeldBounds;
use attributes::TypeSet;
use computing::Computing;
use index::Index;
use resource::{Resource, ResourceIndex};
use role::Role;
use selector::Selector;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

pub use facts::DirectoryFacts;
pub use operation::{OperationError, OperationKind, OperationSet};

/// Who the session is, as the directory last confirmed it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Nobody in particular.
    Anonymous,
    /// A DN.
    Dn(Dn),
}

impl Subject {
    /// The DN; nobody has none.
    pub fn name(&self) -> Option<&Dn> {
        match self {
            Subject::Anonymous => None,
            Subject::Dn(name) => Some(name),
        }
    }
}

/// Whether what is missing is refused, or only recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Refuse and redact.
    Enforce,
    /// Forward, but record what would have been refused or redacted.
    Monitor,
}

/// How much a refused client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalStyle {
    /// Resource, roles that open it, and the command that asks.
    Explain,
    /// No names.
    Opaque,
}

/// A permanent exception.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Who holds it.
    pub who: Vec<Selector>,
    /// What it opens.
    pub resource: ResourceIndex,
    /// For which operations.
    pub operations: OperationSet,
    /// Why it is there; records and reports show it.
    pub reason: Arc<str>,
    /// Whether what it opens may be replicated: sync, persistent search, DirSync.
    pub replicate: bool,
}

/// Standing access as records name it: the resource, and the reason.
pub type StandingName = (Arc<str>, Arc<str>);

/// How many searches a minute may reach hidden entries that the directory evaluates filters on, unless it is configured.
pub const EXPOSED_SEARCHES: u32 = 3_000;

/// The object class of views, as it would be requested.
const VIEW: AttributeDescription<'static> = AttributeDescription(b"@nsView");

/// Everything that was configured about access. Immutable; a reload makes a new one.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Enforce or monitor.
    pub mode: Mode,
    /// Explain or opaque.
    pub refusal: RefusalStyle,
    /// How clients may authenticate besides simple binds.
    pub mechanisms: Mechanisms,
    /// Who may act for others, operation by operation (RFC 4370).
    pub proxied_authorization: Vec<Selector>,
    /// What is protected.
    pub resources: Vec<Resource>,
    /// Who holds what permanently.
    pub standing: Vec<Standing>,
    /// What can be requested.
    pub roles: Vec<Arc<Role>>,
    /// Extended operations that are passed as they are, whatever they touch: OIDs.
    pub extended_operations: Vec<String>,
    /// How many operations may wait until a role is decided upon.
    pub held: HeldBounds,
    /// How many searches of one subject a minute may reach hidden entries that the directory cannot leave out itself; 0: any.
    pub exposed_searches: u32,
    // Look-ups over the above, which therefore must not be changed.
    /// The resources that protect entries.
    entries: Index,
    /// The resources that protect attributes.
    attributes: Index,
    /// For each resource the positions of its standing access.
    standing_for: Vec<Vec<usize>>,
    /// For each resource the positions of the roles that open something of it.
    roles_for: OnceLock<Vec<Vec<usize>>>,
    /// What names of attributes mean.
    schema: Arc<Schema>,
    /// What names of entries mean.
    naming: Arc<Naming>,
    /// For each resource what its attributes are in the schema.
    types: Vec<Option<TypeSet>>,
    /// What the directory does with attributes of that schema.
    computing: Arc<Computing>,
    /// Where groups decide about operations; found out when it is first needed.
    by_group: OnceLock<ByGroup>,
    /// Whether the directory knows views.
    views: bool,
    /// For each resource whether the directory surely takes its base for a name.
    taken: Vec<bool>,
}

/// Where groups decide about what a session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByGroup {
    /// Standing access, or the right to act for others, is given to a group.
    pub access: bool,
    /// A group says who may request a role, or activate it in an emergency.
    pub eligible: bool,
}

impl Policy {
    /// Puts a policy together, as it is before the directory's schema was read. The indexes in `standing` and
    /// `roles` are positions in `resources`.
    pub fn new(
        mode: Mode,
        refusal: RefusalStyle,
        resources: Vec<Resource>,
        standing: Vec<Standing>,
        roles: Vec<Arc<Role>>,
    ) -> Policy {
        let (entries, attributes) = indexes(&resources);
        let mut standing_for = vec![Vec::new(); resources.len()];
        for (at, standing) in standing.iter().enumerate() {
            if let Some(list) = standing_for.get_mut(standing.resource.0 as usize) {
                list.push(at);
            }
        }
        let schema = Schema::standard();
        let types = types(&resources, &schema);
        let computing = Arc::new(Computing::of(&schema));
        let taken = taken(&resources, &schema);
        let (mechanisms, extended_operations) = (Mechanisms::all(), Vec::new());
        Policy {
            mode,
            refusal,
            mechanisms,
            proxied_authorization: Vec::new(),
            resources,
            standing,
            roles,
            extended_operations,
            held: HeldBounds::default(),
            exposed_searches: EXPOSED_SEARCHES,
            entries,
            attributes,
            standing_for,
            roles_for: OnceLock::new(),
            schema,
            naming: Arc::new(Naming::unread()),
            types,
            computing,
            by_group: OnceLock::new(),
            views: false,
            taken,
        }
    }

    /// The same, for a directory of this schema: attributes and the names of entries are those of the directory.
    #[must_use]
    pub fn with_schema(&self, schema: Arc<Schema>) -> Policy {
        let naming = match Arc::ptr_eq(&schema, &Schema::standard()) {
            // The directory does not show what it has.
            true => Naming::unread(),
            false => Naming::of(&schema),
        };
        let (types, taken) = (types(&self.resources, &schema), taken(&self.resources, &schema));
        let views = schema.class_attributes(VIEW).is_some();
        let computing = Arc::new(Computing::of(&schema));
        let mut policy = Policy { types, computing, schema, views, taken, ..self.clone() };
        policy.resources.iter_mut().for_each(|resource| resource.base.resolve(&naming));
        policy.standing.iter_mut().for_each(|standing| selector::resolve(&mut standing.who, &naming));
        selector::resolve(&mut policy.proxied_authorization, &naming);
        for role in &mut policy.roles {
            *role = Arc::new(role.resolved(&naming));
        }
        (policy.entries, policy.attributes) = indexes(&policy.resources);
        policy.naming = Arc::new(naming);
        policy
    }

    /// What the names of entries mean.
    pub fn naming(&self) -> &Arc<Naming> {
        &self.naming
    }

    /// What names of attributes mean.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// What the directory does with attributes that are written.
    pub fn computing(&self) -> &Computing {
        &self.computing
    }

    /// Whether the directory knows views (389 Directory Server): a search below one finds entries of other places.
    pub fn has_views(&self) -> bool {
        self.views
    }

    /// What an attribute resource protects; `None` for one that protects entries as such.
    pub fn types(&self, at: ResourceIndex) -> Option<&TypeSet> {
        self.types.get(at.0 as usize)?.as_ref()
    }

    /// Whether the directory surely takes the base of a resource for a name.
    pub fn is_taken(&self, at: ResourceIndex) -> bool {
        self.taken.get(at.0 as usize).is_some_and(|taken| *taken)
    }

    /// The resource at a position of this policy.
    pub fn resource(&self, at: ResourceIndex) -> Option<&Resource> {
        self.resources.get(at.0 as usize)
    }

    /// Every resource with its position.
    pub fn indexed(&self) -> impl Iterator<Item = (ResourceIndex, &Resource)> {
        (0..).map(ResourceIndex).zip(&self.resources)
    }

    /// The position of the resource with this name.
    pub fn resource_named(&self, name: &str) -> Option<ResourceIndex> {
        self.indexed().find(|(_, resource)| &*resource.name == name).map(|(at, _)| at)
    }

    /// The role with this name.
    pub fn role(&self, name: &str) -> Option<&Arc<Role>> {
        self.roles.iter().find(|role| &*role.name == name)
    }

    /// The standing access to a resource.
    pub fn standing_for(&self, resource: ResourceIndex) -> impl Iterator<Item = &Standing> {
        let positions = self.standing_for.get(resource.0 as usize).map_or(&[][..], Vec::as_slice);
        positions.iter().filter_map(|at| self.standing.get(*at))
    }

    /// The roles that open something of a resource, in the order of the configuration, with their positions.
    pub fn roles_for(&self, resource: ResourceIndex) -> impl Iterator<Item = (usize, &Arc<Role>)> {
        let index = self.roles_for.get_or_init(|| {
            let mut index: Vec<Vec<usize>> = vec![Vec::new(); self.resources.len()];
            for (at, role) in self.roles.iter().enumerate() {
                for allow in &role.allow {
                    let list = index.get_mut(allow.resource.0 as usize).filter(|list| list.last() != Some(&at));
                    list.into_iter().for_each(|list| list.push(at));
                }
            }
            index
        });
        let positions = index.get(resource.0 as usize).map_or(&[][..], Vec::as_slice);
        positions.iter().filter_map(|at| Some((*at, self.roles.get(*at)?)))
    }

    /// The same after its roles were changed, for tests.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn looked_up_anew(&self) -> Policy {
        Policy { roles_for: OnceLock::new(), by_group: OnceLock::new(), ..self.clone() }
    }

    /// Where groups decide about operations.
    pub fn by_group(&self) -> ByGroup {
        *self.by_group.get_or_init(|| {
            let group = |selector: &Selector| matches!(selector, Selector::Group(_));
            let access = self.standing.iter().map(|standing| &standing.who).chain([&self.proxied_authorization]);
            ByGroup {
                access: access.flatten().any(group),
                eligible: self.roles.iter().flat_map(|role| role.eligible.iter().chain(&role.break_glass)).any(group),
            }
        })
    }

    /// Every group that decides about somebody's access.
    pub fn groups(&self) -> BTreeSet<Dn> {
        let roles = self.roles.iter().flat_map(|role| role.selectors());
        let proxies = std::iter::once(&self.proxied_authorization);
        let lists = self.standing.iter().map(|standing| &standing.who).chain(roles).chain(proxies);
        let group = |selector: &Selector| match selector {
            Selector::Group(group) => Some(group.clone()),
            Selector::Dn(_)
            | Selector::Subtree(_)
            | Selector::Certificate(_)
            | Selector::Local(_)
            | Selector::Anyone => None,
        };
        lists.flatten().filter_map(group).collect()
    }
}

/// Look-ups over the resources that protect entries, and over those that protect attributes.
fn indexes(resources: &[Resource]) -> (Index, Index) {
    let indexed = || (0..).map(ResourceIndex).zip(resources);
    let entries = Index::new(indexed().filter(|(_, resource)| resource.attributes.is_none()));
    let attributes = Index::new(indexed().filter(|(_, resource)| resource.attributes.is_some()));
    (entries, attributes)
}

fn taken(resources: &[Resource], schema: &Schema) -> Vec<bool> {
    resources.iter().map(|resource| schema.takes(&resource.base)).collect()
}

fn types(resources: &[Resource], schema: &Schema) -> Vec<Option<TypeSet>> {
    resources
        .iter()
        .map(|resource| resource.attributes.as_ref().map(|names| TypeSet::protecting(names, schema)))
        .collect()
}
