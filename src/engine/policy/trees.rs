//! Which of a directory's trees are served: those that the configuration names, else those that hold ordinary data.
//!
//! What a directory writes down of itself shows what is protected elsewhere: values that were written (accesslog, changelog), its
//! configuration, what it counts. So does a tree that shows the entries of another under names of its own. None of these can be told
//! from a tree of data by asking for it; so where there is any doubt, a tree is left out, and it is said so.

use super::resource::Resource;
use crate::engine::ldap::Dn;
use crate::engine::ldap::dn::Naming;

/// What a directory's rootDSE says of its trees.
#[derive(Debug, Clone, Default)]
pub struct Contexts {
    /// `namingContexts` (RFC 4512 5.1).
    pub all: Vec<Dn>,
    /// `defaultNamingContext`, where there is one.
    pub default: Option<Dn>,
    /// What it names as something else than data, and as what: the attribute's name.
    pub named: Vec<(Dn, &'static str)>,
}

/// Attributes of the rootDSE that name trees which hold no ordinary data.
pub const NAMED: &[&str] = &[
    "configContext",
    "monitorContext",
    "auditContext",
    "changelog",
    "schemaNamingContext",
    "configurationNamingContext",
];

/// A tree that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it begins.
    pub context: Dn,
    /// Why, for people.
    pub why: String,
}

/// What becomes of a directory's trees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trees {
    /// Served.
    pub served: Vec<Dn>,
    /// Served, and no ordinary data.
    pub special: Vec<Dn>,
    /// Not served.
    pub left_out: Vec<LeftOut>,
}

/// Attribute types that the names of ordinary trees begin with: canonical names.
const DATA: &[&str] = &["dc", "o", "ou", "c", "l", "st"];

impl Contexts {
    /// Has its names mean what the directory's schema says.
    pub fn resolve(&mut self, naming: &Naming) {
        let named = self.named.iter_mut().map(|(context, _)| context);
        self.all.iter_mut().chain(&mut self.default).chain(named).for_each(|context| context.resolve(naming));
    }

    /// Sorts the trees. `configured`: those that the configuration names. Without that, ordinary ones; and of several such trees only
    /// those that have to do with a resource, as one may show the entries of another.
    pub fn trees<'r>(&self, configured: Option<&[Dn]>, resources: impl Iterator<Item = &'r Resource> + Clone) -> Trees {
        let mut trees = Trees::default();
        let mut ordinary = Vec::new();
        for (context, special) in self.sorted() {
            let is_named = configured.is_some_and(|named| named.contains(&context));
            match (special, configured) {
                (Some(_), _) if is_named => trees.special.push(context),
                (Some(why), _) => trees.left_out.push(LeftOut { context, why }),
                (None, None) => ordinary.push(context),
                // Where it lies in a tree that is named it belongs to it.
                (None, Some(named)) if named.iter().any(|named| context.is_within(named)) => {}
                (None, Some(_)) => {
                    trees.left_out.push(LeftOut { context, why: "naming_contexts does not name it".to_owned() });
                }
            }
        }
        if let Some(named) = configured {
            trees.served = named.to_vec();
            for context in named.iter().filter(|named| by_name(named).is_some()) {
                if !trees.special.contains(context) {
                    trees.special.push(context.clone());
                }
            }
            return trees;
        }
        let has_resource = |context: &Dn| {
            resources.clone().any(|resource| resource.base.is_within(context) || context.is_within(&resource.base))
        };
        let several = ordinary.len() > 1 && resources.clone().next().is_some();
        for context in ordinary {
            if several && !has_resource(&context) {
                let why = "one of several trees, and no resource lies in it: it may show the entries of another; \
                           name it in naming_contexts to serve it";
                trees.left_out.push(LeftOut { context, why: why.to_owned() });
            } else {
                trees.served.push(context);
            }
        }
        trees
    }

    /// Every tree, once, with the reason why it holds no ordinary data.
    fn sorted(&self) -> Vec<(Dn, Option<String>)> {
        let mut sorted: Vec<(Dn, Option<String>)> = Vec::new();
        let named = self.named.iter().map(|(context, _)| context);
        for context in self.all.iter().chain(named) {
            if !context.is_root() && !sorted.iter().any(|(known, _)| known == context) {
                sorted.push((context.clone(), self.why_special(context)));
            }
        }
        sorted
    }

    fn why_special(&self, context: &Dn) -> Option<String> {
        if let Some((_, attribute)) = self.named.iter().find(|(named, _)| named == context) {
            return Some(format!("the directory names it in {attribute}"));
        }
        // Active Directory has one domain a server, and partitions beside it.
        let is_partitioned = self.named.iter().any(|(_, attribute)| *attribute == "configurationNamingContext");
        match &self.default {
            Some(default) if is_partitioned && default != context => Some("it is not defaultNamingContext".to_owned()),
            Some(_) | None => by_name(context),
        }
    }
}

/// Why a tree of this name holds no ordinary data, as far as its name says so.
fn by_name(context: &Dn) -> Option<String> {
    let mut types = context.naming_types().map(|name| name.to_ascii_lowercase());
    let (first, more) = (types.next()?, types.next().is_some());
    if more || !DATA.contains(&&*first) {
        return Some(format!("its name begins with {first}=, and those of data with one of {}", DATA.join(", ")));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::policy::OperationSet;
    use crate::engine::policy::resource::ResourceScope;

    fn dn(text: &str) -> Dn {
        text.parse().unwrap()
    }

    fn resource(base: &str) -> Resource {
        Resource {
            name: "r".into(),
            base: dn(base),
            scope: ResourceScope::Subtree,
            operations: OperationSet::all(),
            attributes: None,
            on_missing: None,
        }
    }

    /// What the rootDSE says (contexts, then what is named; `default:` before one), what is configured, where resources are; what is served.
    const ROWS: &[(&str, Option<&str>, &str, &str)] = &[
        // OpenLDAP: with logs, configuration, monitor.
        ("dc=x", None, "ou=payroll,dc=x", "dc=x"),
        ("dc=x|cn=accesslog", None, "ou=payroll,dc=x", "dc=x"),
        ("cn=accesslog|dc=x", None, "", "dc=x"),
        ("DC=X|CN=AccessLog|cn=other", None, "ou=payroll,dc=x", "dc=x"),
        ("dc=x|configContext:cn=config|monitorContext:cn=Monitor", None, "ou=payroll,dc=x", "dc=x"),
        ("dc=x|o=log|auditContext:O=Log", None, "", "dc=x"),
        ("dc=x|dc=changes|changelog:dc=changes", None, "", "dc=x"),
        // One tree that may show another.
        ("dc=x|dc=virtual", None, "ou=payroll,dc=x", "dc=x"),
        ("dc=virtual|dc=x|o=more", None, "ou=payroll,dc=x", "dc=x"),
        ("dc=x|ou=virtual,dc=x", None, "ou=payroll,dc=x", "dc=x"),
        ("dc=x|ou=virtual,dc=x", None, "ou=payroll,dc=x|ou=a,ou=virtual,dc=x", "dc=x|ou=virtual,dc=x"),
        ("dc=x|ou=virtual,dc=x", None, "dc=x", "dc=x|ou=virtual,dc=x"),
        ("dc=x|dc=y", None, "ou=payroll,dc=x|dc=y", "dc=x|dc=y"),
        ("dc=x|dc=y", None, "", "dc=x|dc=y"),
        ("dc=x|dc=y", None, "ou=payroll,dc=z", ""),
        ("dc=x", None, "ou=payroll,dc=z", "dc=x"),
        ("ou=a+cn=b", None, "", ""),
        // 389 Directory Server says which is its default; that is no reason to leave others out.
        ("dc=x|o=ipaca|cn=changelog|default:dc=x", None, "dc=x|o=ipaca", "dc=x|o=ipaca"),
        // Active Directory.
        (
            "DC=x|CN=Configuration,DC=x|CN=Schema,CN=Configuration,DC=x|DC=DomainDnsZones,DC=x|DC=ForestDnsZones,DC=x|default:DC=x|configurationNamingContext:CN=Configuration,DC=x|schemaNamingContext:CN=Schema,CN=Configuration,DC=x",
            None,
            "dc=x",
            "DC=x",
        ),
        // What is named is served, whatever it is.
        ("dc=x|cn=accesslog", Some("cn=accesslog"), "", "cn=accesslog"),
        ("dc=x|dc=virtual", Some("dc=virtual|dc=x"), "ou=payroll,dc=x", "dc=virtual|dc=x"),
        ("", Some("dc=x"), "", "dc=x"),
    ];

    fn contexts(text: &str) -> Contexts {
        let mut contexts = Contexts::default();
        for part in text.split('|').filter(|part| !part.is_empty()) {
            match part.split_once(':') {
                None => contexts.all.push(dn(part)),
                Some(("default", context)) => contexts.default = Some(dn(context)),
                Some((attribute, context)) => {
                    let attribute = NAMED.iter().find(|named| **named == attribute).unwrap();
                    contexts.named.push((dn(context), attribute));
                }
            }
        }
        contexts
    }

    #[test]
    fn only_ordinary_trees_are_served_unless_others_are_named() {
        let list = |text: &str| text.split('|').filter(|part| !part.is_empty()).map(dn).collect::<Vec<_>>();
        for (said, configured, resources, served) in ROWS {
            let resources: Vec<_> = resources.split('|').filter(|part| !part.is_empty()).map(resource).collect();
            let contexts = contexts(said);
            let trees = contexts.trees(configured.map(list).as_deref(), resources.iter());
            assert_eq!(trees.served, list(served), "{said} {configured:?}");
            for context in contexts.all {
                let left_out = trees.left_out.iter().any(|left_out| left_out.context == context);
                let within = trees.served.iter().any(|served| context.is_within(served));
                assert!(left_out || within, "{context} of {said} is neither");
            }
        }
    }

    #[test]
    fn what_is_named_and_no_data_is_known_for_it() {
        let active =
            contexts("dc=x|cn=configuration,dc=x|configurationNamingContext:cn=configuration,dc=x|default:dc=x");
        let trees = active.trees(Some(&[dn("dc=x")]), [].iter());
        assert_eq!(
            (trees.special, trees.left_out.len()),
            (vec![], 1),
            "it lies in a tree that is named, and is not named"
        );
        let trees = active.trees(Some(&[dn("dc=x"), dn("cn=configuration,dc=x")]), [].iter());
        assert_eq!((trees.special, trees.left_out), (vec![dn("cn=configuration,dc=x")], vec![]));
        assert_eq!(contexts("dc=x").trees(Some(&[dn("cn=config")]), [].iter()).special, [dn("cn=config")]);
    }
}
