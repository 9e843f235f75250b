//! What the rootDSE may say (RFC 4512 5.1): what is let through, so that clients do not try the rest.

use super::EXTENSIONS;
use super::controls::is_advertised;
use crate::engine::ldap::Dn;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::entry::Entry;
use crate::engine::ldap::request::Attribute;
use crate::engine::ldap::sasl::{Mechanism, Mechanisms};
use crate::engine::policy::{DirectoryFacts, Policy};

/// What a client may be told of SASL mechanisms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offered {
    /// Those that are let through, if the directory has them.
    pub mechanisms: Mechanisms,
    /// Whether EXTERNAL is served to this client, and asked after.
    pub external: bool,
    /// Whether names of attributes were asked for and no values.
    pub types_only: bool,
}

/// Whether this is the attribute that lists them.
pub fn names_mechanisms(attribute: AttributeDescription<'_>) -> bool {
    root_dse_list(attribute) == Some(List::Mechanisms)
}

/// Leaves those mechanisms in the rootDSE that this client can use. What the directory says of EXTERNAL is
/// about the gate's own connection.
pub fn rewrite_mechanisms(entry: &mut Entry<'_>, offered: Offered) {
    let external = Mechanism::External.name().as_bytes();
    let usable = |value: &&[u8]| {
        let known = Mechanism::named(value).filter(|known| *known != Mechanism::External);
        known.is_some_and(|known| offered.mechanisms.contains(known))
    };
    let mut listed = false;
    entry.attributes.retain_mut(|attribute| {
        if !names_mechanisms(attribute.description) {
            return true;
        }
        attribute.values.retain(usable);
        if offered.external && !offered.types_only && !listed {
            attribute.values.push(external);
        }
        listed = true;
        offered.types_only || !attribute.values.is_empty()
    });
    if offered.external && !listed {
        let description = AttributeDescription(b"supportedSASLMechanisms");
        let values = if offered.types_only { Vec::new() } else { vec![external] };
        entry.attributes.push(Attribute { description, values });
    }
}

/// Leaves in the rootDSE what the gate lets through (RFC 4512 5.1), so that clients do not try the rest.
pub fn rewrite(entry: &mut Entry<'_>, policy: &Policy, directory: &DirectoryFacts) {
    entry.attributes.retain_mut(|attribute| {
        let Some(list) = root_dse_list(attribute.description) else { return true };
        // Only types were asked for.
        if attribute.values.is_empty() {
            return list != List::AlternativeServers;
        }
        attribute.values.retain(|value| list.keeps(value, policy, directory));
        !attribute.values.is_empty()
    });
}

/// The attributes of a rootDSE that lead around the gate or promise what it does not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    AlternativeServers,
    NamingContexts,
    Controls,
    Extensions,
    Mechanisms,
    Capabilities,
    Versions,
}

/// LDAP_CAP_ACTIVE_DIRECTORY_LDAP_INTEG_OID (MS-ADTS 3.1.1.3.4.3): security layers, which are refused.
const SIGNING_AND_SEALING: &str = "1.2.840.113556.1.4.1791";

impl List {
    fn keeps(self, value: &[u8], policy: &Policy, directory: &DirectoryFacts) -> bool {
        let text = std::str::from_utf8(value).unwrap_or_default();
        match self {
            List::AlternativeServers => false,
            List::NamingContexts => Dn::parse(value).is_ok_and(|name| name.is_root() || directory.holds(&name)),
            List::Controls => is_advertised(text, policy),
            List::Extensions => {
                EXTENSIONS.contains(&text) || policy.extended_operations.iter().any(|passed| passed == text)
            }
            List::Capabilities => text != SIGNING_AND_SEALING,
            List::Versions => text == "3",
            List::Mechanisms => Mechanism::named(value).is_some_and(|known| known != Mechanism::External),
        }
    }
}

fn root_dse_list(attribute: AttributeDescription<'_>) -> Option<List> {
    let lower = attribute.attribute_type().to_ascii_lowercase();
    match lower.as_slice() {
        b"altserver" | b"1.3.6.1.4.1.1466.101.120.6" => Some(List::AlternativeServers),
        b"namingcontexts" | b"1.3.6.1.4.1.1466.101.120.5" => Some(List::NamingContexts),
        // Names of other trees, as OpenLDAP, 389 Directory Server and Active Directory publish them.
        b"configcontext"
        | b"monitorcontext"
        | b"changelog"
        | b"configurationnamingcontext"
        | b"defaultnamingcontext"
        | b"rootdomainnamingcontext"
        | b"schemanamingcontext" => Some(List::NamingContexts),
        b"supportedcontrol" | b"1.3.6.1.4.1.1466.101.120.13" => Some(List::Controls),
        b"supportedextension" | b"1.3.6.1.4.1.1466.101.120.7" => Some(List::Extensions),
        b"supportedcapabilities" | b"1.2.840.113556.1.4.1676" => Some(List::Capabilities),
        b"supportedldapversion" | b"1.3.6.1.4.1.1466.101.120.15" => Some(List::Versions),
        b"supportedsaslmechanisms" | b"1.3.6.1.4.1.1466.101.120.14" => Some(List::Mechanisms),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::policy::{Mode, RefusalStyle};

    #[test]
    fn the_root_dse_promises_what_is_let_through() {
        fn attribute<'a>(name: &'a str, values: &[&'a str]) -> Attribute<'a> {
            let values = values.iter().map(|value| value.as_bytes()).collect();
            Attribute { description: AttributeDescription(name.as_bytes()), values }
        }
        let directory = DirectoryFacts {
            naming_contexts: vec!["dc=x".parse().unwrap()],
            subschema: None,
            ..DirectoryFacts::default()
        };
        let mut policy = Policy::new(Mode::Enforce, RefusalStyle::Explain, vec![], vec![], vec![]);
        policy.extended_operations.push("1.2.3.4".to_owned());
        let rewritten = |attributes| {
            let mut entry = Entry { name: b"", attributes };
            rewrite(&mut entry, &policy, &directory);
            entry.attributes
        };
        let all = vec![
            attribute("vendorName", &["a"]),
            attribute("namingContexts", &["dc=x", "cn=config", "dc=y"]),
            attribute("altServer", &["ldap://elsewhere"]),
            attribute(
                "SupportedControl",
                &["1.2.840.113556.1.4.319", "2.16.840.1.113730.3.4.18", "1.2.840.113556.1.4.474", "1.2.3"],
            ),
            attribute(
                "supportedExtension",
                &["1.3.6.1.4.1.4203.1.11.3", "1.3.6.1.1.21.1", "1.2.3.4", "1.3.6.1.4.1.1466.20037"],
            ),
            attribute("supportedCapabilities", &["1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1791"]),
            attribute("supportedLDAPVersion", &["2", "3"]),
            attribute("supportedSASLMechanisms", &["PLAIN", "EXTERNAL", "SCRAM-SHA-256-PLUS", "X"]),
        ];
        assert_eq!(
            rewritten(all),
            [
                attribute("vendorName", &["a"]),
                attribute("namingContexts", &["dc=x"]),
                attribute("SupportedControl", &["1.2.840.113556.1.4.319", "1.2.840.113556.1.4.474"]),
                attribute("supportedExtension", &["1.3.6.1.4.1.4203.1.11.3", "1.2.3.4", "1.3.6.1.4.1.1466.20037"]),
                attribute("supportedCapabilities", &["1.2.840.113556.1.4.800"]),
                attribute("supportedLDAPVersion", &["3"]),
                attribute("supportedSASLMechanisms", &["PLAIN"]),
            ]
        );
        // By OID, and with an option.
        let by_oid =
            vec![attribute("1.3.6.1.4.1.1466.101.120.6", &["ldap://b"]), attribute("altServer;x-a", &["ldap://c"])];
        assert_eq!(rewritten(by_oid), []);
        // Types only: there is nothing to take out, and nothing to leave out but what is never there.
        let types = vec![attribute("supportedControl", &[]), attribute("altServer", &[])];
        assert_eq!(rewritten(types), [attribute("supportedControl", &[])]);
    }

    #[test]
    fn each_client_is_told_of_the_mechanisms_that_it_can_use() {
        let list = |values: &[&'static str]| Attribute {
            description: AttributeDescription(b"supportedSASLMechanisms"),
            values: values.iter().map(|value| value.as_bytes()).collect(),
        };
        let told = |said: Option<&[&'static str]>, offered| {
            let mut entry = Entry { name: b"", attributes: said.map(list).into_iter().collect() };
            rewrite_mechanisms(&mut entry, offered);
            entry.attributes
        };
        let directory: &[&str] = &["PLAIN", "GSSAPI", "EXTERNAL", "SCRAM-SHA-1-PLUS"];
        let some = [Mechanism::Plain, Mechanism::External].into_iter().collect();
        let with = |external, types_only| Offered { mechanisms: some, external, types_only };
        assert_eq!(told(Some(directory), with(false, false)), [list(&["PLAIN"])]);
        assert_eq!(told(Some(directory), with(true, false)), [list(&["PLAIN", "EXTERNAL"])]);
        assert_eq!(told(Some(&["GSSAPI"]), with(false, false)), []);
        assert_eq!(told(None, with(true, false)), [list(&["EXTERNAL"])]);
        assert_eq!(told(None, with(true, true)), [list(&[])]);
        assert_eq!(told(Some(&[]), with(true, true)), [list(&[])]);
        assert_eq!(told(None, with(false, false)), []);
        // Before TLS.
        assert_eq!(told(Some(directory), Offered::default()), []);
    }
}
