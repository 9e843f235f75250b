//! The table: attributes and object classes by which a user makes a directory compute.

/// What values of an attribute of the table have to be for nothing to be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unless {
    /// No value is safe, nor is removing one: a definition with less in it may cover more.
    Never,
    /// Addresses of web pages and of mail, which no directory looks up. Removing values is safe, too.
    WebAddress,
}

/// One attribute: its name, its numeric OID where it has one of its own, and what is harmless.
pub(super) type Row = (&'static str, &'static str, Unless);

/// The attributes. Subtypes are meant, too.
///
/// | product | feature | attributes and classes |
/// |---|---|---|
/// | OpenLDAP | dynamic lists and groups: slapo-dynlist(5), slapo-dyngroup(5) | `labeledURI` (`memberURL` is a subtype of it; slapd takes no others), `dgIdentity`, `groupOfURLs` |
/// | 389 Directory Server, Oracle | views, classes of service, roles | `nsViewFilter`, `cos*`, `nsRole*` |
/// | 389 Directory Server | managed entries, automatic membership, linked attributes, assigned numbers | `mep*`, `autoMember*`, `link*`, `dna*` |
/// | OpenDJ, Ping | virtual attributes and groups, inherited collective attributes | `subtreeSpecification`, `inherit*`, `ds-*` |
/// | eDirectory, IBM | dynamic and nested groups | `memberQuery*`, `excludedMember`, `ibm-*` |
/// | Active Directory | query based groups of Authorization Manager and Exchange | `msDS-AzLDAPQuery`, `msDS-AzBizRule`, `msExch*Filter` |
/// | all | referrals that a server follows by itself (slapo-chain(5), 389 chaining), collective attributes (RFC 3671) | `ref`, `referral`, `subentry` |
pub(super) const ATTRIBUTES: &[Row] = &[
    // OpenLDAP. The subtypes of labeledURI are all that slapo-dynlist(5) can be configured with.
    ("labeledURI", "1.3.6.1.4.1.250.1.57", Unless::WebAddress),
    ("labeledURL", "", Unless::WebAddress),
    ("memberURL", "2.16.840.1.113730.3.1.198", Unless::Never),
    ("dgIdentity", "1.3.6.1.4.1.4203.666.11.8.1.1", Unless::Never),
    ("dgAuthz", "1.3.6.1.4.1.4203.666.11.8.1.2", Unless::Never),
    ("dgMemberOf", "", Unless::Never),
    ("olcDynListAttrSet", "1.3.6.1.4.1.4203.1.12.2.3.3.8.1", Unless::Never),
    ("olcDlAttrSet", "", Unless::Never),
    ("olcDGAttrPair", "", Unless::Never),
    ("olcRelay", "", Unless::Never),
    // Views.
    ("nsViewFilter", "2.16.840.1.113730.3.1.3023", Unless::Never),
    // Classes of service.
    ("cosAttribute", "2.16.840.1.113730.3.1.550", Unless::Never),
    ("cosSpecifier", "2.16.840.1.113730.3.1.551", Unless::Never),
    ("cosTargetTree", "2.16.840.1.113730.3.1.552", Unless::Never),
    ("cosTemplateDn", "2.16.840.1.113730.3.1.553", Unless::Never),
    ("cosIndirectSpecifier", "2.16.840.1.113730.3.1.577", Unless::Never),
    // Roles.
    ("nsRoleDN", "2.16.840.1.113730.3.1.575", Unless::Never),
    ("nsRoleFilter", "2.16.840.1.113730.3.1.576", Unless::Never),
    ("nsRoleScopeDN", "2.16.840.1.113730.3.1.1101", Unless::Never),
    // Managed entries: values of one entry become values of another.
    ("mepStaticAttr", "2.16.840.1.113730.3.1.2088", Unless::Never),
    ("mepMappedAttr", "2.16.840.1.113730.3.1.2089", Unless::Never),
    ("mepRDNAttr", "2.16.840.1.113730.3.1.2090", Unless::Never),
    ("mepManagedEntry", "2.16.840.1.113730.3.1.2087", Unless::Never),
    ("mepManagedBy", "2.16.840.1.113730.3.1.2086", Unless::Never),
    ("originScope", "2.16.840.1.113730.3.1.2360", Unless::Never),
    ("originFilter", "2.16.840.1.113730.3.1.2361", Unless::Never),
    ("managedBase", "2.16.840.1.113730.3.1.2362", Unless::Never),
    ("managedTemplate", "2.16.840.1.113730.3.1.2363", Unless::Never),
    // Automatic membership, linked attributes, assigned numbers.
    ("autoMemberScope", "2.16.840.1.113730.3.1.2097", Unless::Never),
    ("autoMemberFilter", "2.16.840.1.113730.3.1.2098", Unless::Never),
    ("autoMemberInclusiveRegex", "2.16.840.1.113730.3.1.2100", Unless::Never),
    ("autoMemberExclusiveRegex", "2.16.840.1.113730.3.1.2099", Unless::Never),
    ("autoMemberDefaultGroup", "2.16.840.1.113730.3.1.2101", Unless::Never),
    ("autoMemberGroupingAttr", "2.16.840.1.113730.3.1.2102", Unless::Never),
    ("autoMemberTargetGroup", "", Unless::Never),
    ("linkType", "", Unless::Never),
    ("managedType", "", Unless::Never),
    ("linkScope", "", Unless::Never),
    ("dnaFilter", "2.16.840.1.113730.3.1.2120", Unless::Never),
    ("dnaScope", "2.16.840.1.113730.3.1.2121", Unless::Never),
    ("dnaExcludeScope", "2.16.840.1.113730.3.1.2312", Unless::Never),
    ("vlvFilter", "2.16.840.1.113730.3.1.209", Unless::Never),
    // OpenDJ, Ping, ApacheDS: what a subentry covers may be said by a filter.
    ("subtreeSpecification", "2.5.18.6", Unless::Never),
    ("inheritFromBaseRDN", "", Unless::Never),
    ("inheritFromDNAttribute", "", Unless::Never),
    ("inheritFromDNParent", "", Unless::Never),
    ("inheritFromRDNAttribute", "", Unless::Never),
    ("inheritFromRDNType", "", Unless::Never),
    ("inheritAttribute", "", Unless::Never),
    ("ds-target-group-dn", "", Unless::Never),
    // eDirectory, IBM.
    ("memberQueryURL", "", Unless::Never),
    ("memberQuery", "", Unless::Never),
    ("excludedMember", "", Unless::Never),
    ("ibm-memberGroup", "", Unless::Never),
    // Active Directory.
    ("msDS-AzLDAPQuery", "1.2.840.113556.1.4.1792", Unless::Never),
    ("msDS-AzBizRule", "1.2.840.113556.1.4.1801", Unless::Never),
    ("msDS-MembersForAzRole", "1.2.840.113556.1.4.1806", Unless::Never),
    ("msDS-NonMembers", "1.2.840.113556.1.4.1793", Unless::Never),
    ("msExchDynamicDLFilter", "", Unless::Never),
    ("msExchDynamicDLBaseDN", "", Unless::Never),
    ("msExchQueryFilter", "", Unless::Never),
    ("msExchPurportedSearchUI", "", Unless::Never),
    ("purportedSearch", "1.2.840.113556.1.4.886", Unless::Never),
    // Referrals.
    ("ref", "2.16.840.1.113730.3.1.34", Unless::Never),
    ("nsslapd-referral", "", Unless::Never),
];

/// One class: its name, its OID where it has one of its own, and whether its attributes alone decide when an
/// entry is added with it.
pub(super) type ClassRow = (&'static str, &'static str, bool);

/// The classes. Subclasses are meant, too. What a new entry has of attributes stands beside its classes; an entry that is there
/// already may have values that mean nothing until it gets the class.
pub(super) const CLASSES: &[ClassRow] = &[
    ("labeledURIObject", "1.3.6.1.4.1.250.3.15", true),
    ("groupOfURLs", "2.16.840.1.113730.3.2.33", false),
    ("dgIdentityAux", "1.3.6.1.4.1.4203.666.11.8.2.1", false),
    ("nsView", "2.16.840.1.113730.3.2.304", false),
    ("cosSuperDefinition", "2.16.840.1.113730.3.2.99", false),
    ("cosClassicDefinition", "2.16.840.1.113730.3.2.100", false),
    ("cosPointerDefinition", "2.16.840.1.113730.3.2.101", false),
    ("cosIndirectDefinition", "2.16.840.1.113730.3.2.102", false),
    ("cosDefinition", "2.16.840.1.113730.3.2.84", false),
    ("cosTemplate", "2.16.840.1.113730.3.2.128", false),
    ("nsRoleDefinition", "2.16.840.1.113730.3.2.93", false),
    ("nsSimpleRoleDefinition", "2.16.840.1.113730.3.2.94", false),
    ("nsComplexRoleDefinition", "2.16.840.1.113730.3.2.95", false),
    ("nsManagedRoleDefinition", "2.16.840.1.113730.3.2.96", false),
    ("nsFilteredRoleDefinition", "2.16.840.1.113730.3.2.97", false),
    ("nsNestedRoleDefinition", "2.16.840.1.113730.3.2.98", false),
    ("mepTemplateEntry", "2.16.840.1.113730.3.2.321", false),
    ("mepManagedEntry", "2.16.840.1.113730.3.2.319", false),
    ("mepOriginEntry", "2.16.840.1.113730.3.2.320", false),
    ("autoMemberDefinition", "2.16.840.1.113730.3.2.322", false),
    ("autoMemberRegexRule", "2.16.840.1.113730.3.2.323", false),
    ("dnaPluginConfig", "2.16.840.1.113730.3.2.324", false),
    ("subentry", "2.5.17.0", false),
    ("collectiveAttributeSubentry", "2.5.17.2", false),
    ("inheritedCollectiveAttributeSubentry", "", false),
    ("inheritedFromDNCollectiveAttributeSubentry", "", false),
    ("inheritedFromRDNCollectiveAttributeSubentry", "", false),
    ("ds-virtual-static-group", "", false),
    ("dynamicGroup", "", false),
    ("dynamicGroupAux", "", false),
    ("nestedGroup", "", false),
    ("nestedGroupAux", "", false),
    ("ibm-dynamicGroup", "", false),
    ("ibm-nestedGroup", "", false),
    ("msExchDynamicDistributionList", "", false),
    ("referral", "2.16.840.1.113730.3.2.6", false),
];

/// How addresses begin that no directory looks up, in lower case.
pub(super) const WEB: &[&str] = &["http://", "https://", "mailto:", "ftp://", "sip:", "sips:", "xmpp:", "tel:", "urn:"];

/// Schemes of URLs that a directory may look up by itself (RFC 4516), in lower case.
pub(super) const DIRECTORY_SCHEMES: &[&str] =
    &["ldap://", "ldaps://", "ldapi://", "ldapis://", "pldap://", "pldaps://", "cldap://"];
