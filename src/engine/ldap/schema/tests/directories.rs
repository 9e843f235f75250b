//! Definitions as directories write them.

use super::*;

/// OpenLDAP 2.5 and 2.6, `cn=Subschema`.
const OPENLDAP: (&[&str], &[&str]) = (
    &[
        "( 2.5.4.41 NAME 'name' DESC 'RFC4519: common supertype of name attributes' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{32768} )",
        "( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'RFC4519: common name(s) for which the entity is known by' SUP name )",
        "( 2.5.18.1 NAME 'createTimestamp' DESC 'RFC4512: time which object was created' EQUALITY generalizedTimeMatch ORDERING generalizedTimeOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
        "( 1.2.840.113556.1.2.102 NAME 'memberOf' DESC 'Group that the entry belongs to' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 NO-USER-MODIFICATION USAGE dSAOperation X-ORIGIN 'iPlanet Delegated Administrator' )",
        "( 1.3.6.1.4.1.4203.1.12.2.3.0.13 NAME 'olcDatabase' DESC 'The backend type for a database instance' SUP olcBackend SINGLE-VALUE X-ORDERED 'SIBLINGS' )",
        "( 1.3.6.1.4.1.4203.1.12.2.3.0.9 NAME 'olcBackend' DESC 'A type of backend' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE X-ORDERED 'SIBLINGS' )",
        "( 1.3.6.1.4.1.4203.1.12.2.3.3.8.1 NAME ( 'olcDynListAttrSet' 'olcDlAttrSet' ) DESC 'Dynamic list: <group objectClass>, <URL attributeDescription>, <member attributeDescription>' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 X-ORDERED 'VALUES' )",
        "( 2.5.4.59 NAME 'attributeCertificateRevocationList' DESC 'X.509 Attribute certificate revocation list attribute, use ;binary' SYNTAX 1.3.6.1.4.1.1466.115.121.1.9 X-EQUALITY 'certificateListExactMatch, not implemented yet' )",
        "( 2.5.4.7.1 NAME 'c-l' SUP l COLLECTIVE )",
    ],
    &[
        "( 2.5.6.0 NAME 'top' DESC 'top of the superclass chain' ABSTRACT MUST objectClass )",
        "( 2.5.6.6 NAME 'person' DESC 'RFC2256: a person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY ( userPassword $ telephoneNumber $ seeAlso $ description ) )",
        "( 0.9.2342.19200300.100.4.20 NAME 'pilotOrganization' SUP ( organization $ organizationalUnit ) STRUCTURAL MAY buildingName )",
        // It does not show all of these types.
        "( 2.5.20.1 NAME 'subschema' DESC 'RFC4512: controlling subschema (sub)entry' AUXILIARY MAY ( dITStructureRules $ nameForms $ dITContentRules $ objectClasses $ attributeTypes $ matchingRules $ matchingRuleUse ) )",
    ],
);

/// 389 Directory Server 1.4 to 3.1, `cn=schema`: origins, files, words for OIDs.
const DS389: (&[&str], &[&str]) = (
    &[
        "( 2.5.4.41 NAME 'name' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 X-ORIGIN 'RFC 4519' )",
        "( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 X-ORIGIN 'RFC 4519' X-DEPRECATED 'commonName' )",
        "( 2.16.840.1.113730.3.1.542 NAME 'nsUniqueId' DESC 'Netscape defined attribute type' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation X-ORIGIN 'Netscape Directory Server' )",
        "( nsds5ReplicaAbortCleanRUV-oid NAME 'nsds5ReplicaAbortCleanRUV' DESC 'Netscape defined attribute type' SYNTAX 1.3.6.1.4.1.1466.115.121.1.5 X-ORIGIN ( 'Netscape Directory Server' 'user defined' ) )",
        "( nsRoleScopeDN-oid NAME 'nsRoleScopeDN' DESC 'Scope of a role' SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 SINGLE-VALUE X-ORIGIN '389 Directory Server' X-SCHEMA-FILE '00core.ldif' )",
        "( 2.16.840.1.113730.3.1.574 NAME 'nsRole' DESC 'Netscape defined attribute type' SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 NO-USER-MODIFICATION USAGE directoryOperation X-ORIGIN 'Netscape Directory Server' )",
        "( 0.9.2342.19200300.100.1.1 NAME ( 'uid' 'userid' ) EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 X-ORIGIN 'RFC 4519' X-DEPRECATED 'userid' )",
    ],
    &[
        "( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass X-ORIGIN 'RFC 4512' )",
        "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY ( userPassword $ telephoneNumber $ seeAlso $ description ) X-ORIGIN 'RFC 4519' )",
        "( nsRoleDefinition-oid NAME 'nsScopedRole' DESC 'Netscape defined objectclass' SUP top AUXILIARY MAY ( nsRoleScopeDN $ description ) X-ORIGIN ( 'Netscape Directory Server' 'user defined' ) )",
        "( 1.3.6.1.4.1.1466.101.120.111 NAME 'extensibleObject' DESC 'LDAPv3 extensible object' SUP top AUXILIARY X-ORIGIN 'RFC 4512' )",
    ],
);

/// Active Directory, `CN=Aggregate,CN=Schema,CN=Configuration,…`: quoted syntaxes, no matching rules, no
/// supertypes, no usage, a parenthesis directly at a name.
const ACTIVE_DIRECTORY: (&[&str], &[&str]) = (
    &[
        "( 2.5.4.0 NAME 'objectClass' SYNTAX '1.3.6.1.4.1.1466.115.121.1.38' NO-USER-MODIFICATION )",
        "( 2.5.4.3 NAME 'cn' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
        "( 2.5.4.4 NAME 'sn' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
        "( 1.2.840.113556.1.4.1 NAME 'name' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE NO-USER-MODIFICATION )",
        "( 1.2.840.113556.1.2.81 NAME 'info' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
        "( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
        "( 1.2.840.113556.1.4.2 NAME 'objectGUID' SYNTAX '1.3.6.1.4.1.1466.115.121.1.40' SINGLE-VALUE NO-USER-MODIFICATION )",
        "( 1.2.840.113556.1.4.55 NAME 'dBCSPwd' SYNTAX '1.3.6.1.4.1.1466.115.121.1.40' SINGLE-VALUE )",
        "( 1.2.840.113556.1.2.281 NAME 'nTSecurityDescriptor' SYNTAX '1.2.840.113556.1.4.907' SINGLE-VALUE )",
        "( 2.5.4.31 NAME 'member' SYNTAX '1.3.6.1.4.1.1466.115.121.1.12' )",
        "( 2.5.18.1 NAME 'createTimeStamp' SYNTAX '1.3.6.1.4.1.1466.115.121.1.24' SINGLE-VALUE NO-USER-MODIFICATION )",
    ],
    &[
        "( 2.5.6.0 NAME 'top' ABSTRACT MUST (objectClass $ nTSecurityDescriptor ) MAY (cn $ description $ name $ objectGUID ) )",
        "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST (cn ) MAY (sn $ serialNumber $ telephoneNumber $ seeAlso $ userPassword ) )",
        "( 1.2.840.113556.1.5.6 NAME 'securityPrincipal' SUP top AUXILIARY MUST (sAMAccountName ) MAY (dBCSPwd ) )",
    ],
);

#[test]
fn openldap() {
    let schema = over_the_standard(OPENLDAP.0, OPENLDAP.1);
    assert_eq!(schema.problems(), []);
    assert!(schema.is_subtype(id(&schema, "c-l"), id(&schema, "name")));
    assert!(schema.is_subtype(id(&schema, "olcdatabase"), id(&schema, "olcBackend")));
    assert_eq!(facts(&schema, "olcDatabase").equality.as_deref(), Some("2.5.13.2"));
    assert_eq!(id(&schema, "olcDlAttrSet"), id(&schema, "olcDynListAttrSet"));
    assert!(facts(&schema, "memberOf").is_operational() && facts(&schema, "createTimestamp").is_operational());
    assert_eq!(facts(&schema, "cn").syntax.as_deref(), Some("1.3.6.1.4.1.1466.115.121.1.15"));
    let pilot = class(&schema, "@pilotOrganization").expect("a class");
    assert_eq!(names(&schema, &pilot.must), ["o", "objectClass", "ou"]);
    assert!(!class(&schema, "@subschema").expect("a class").open, "what it does not show is filled in");
}

#[test]
fn directory_server_389() {
    let schema = over_the_standard(DS389.0, DS389.1);
    assert_eq!(schema.problems(), []);
    let scope = id(&schema, "nsRoleScopeDN");
    assert_eq!(id(&schema, "NSROLESCOPEDN-OID"), scope);
    assert_eq!(schema.facts(scope).expect("known").oid, None);
    assert!(facts(&schema, "nsRole").is_operational() && facts(&schema, "nsUniqueId").no_user_modification);
    assert!(
        is_known(&schema, "nsds5ReplicaAbortCleanRUV") && schema.is_subtype(id(&schema, "cn"), id(&schema, "name"))
    );
    let role = class(&schema, "@nsScopedRole").expect("a class");
    assert_eq!(class(&schema, "@nsRoleDefinition-oid"), Some(role.clone()));
    assert_eq!(names(&schema, &role.may), ["description", "nsRoleScopeDN"]);
    assert!(class(&schema, "@extensibleObject").expect("a class").open);
}

#[test]
fn active_directory() {
    let schema = over_the_standard(ACTIVE_DIRECTORY.0, ACTIVE_DIRECTORY.1);
    let contradiction =
        |name: &str, standard: &str| Problem::Contradiction { name: name.into(), standard: standard.into() };
    let expected = [contradiction("info", "0.9.2342.19200300.100.1.4"), contradiction("name", "2.5.4.41")];
    assert_eq!(schema.problems(), expected);
    // Its `name` is the relative name of an entry; it has no supertypes.
    let name = id(&schema, "name");
    assert_eq!(schema.facts(name).expect("known").oid.as_deref(), Some("1.2.840.113556.1.4.1"));
    assert_ne!(id(&schema, "2.5.4.41"), name);
    assert!(
        !schema.is_subtype(id(&schema, "cn"), name) && !schema.is_subtype(id(&schema, "sn"), id(&schema, "2.5.4.41"))
    );
    assert_eq!(facts(&schema, "nTSecurityDescriptor").syntax.as_deref(), Some("1.2.840.113556.1.4.907"));
    assert_eq!(facts(&schema, "cn").equality, None);
    assert_eq!(id(&schema, "OID.1.2.840.113556.1.4.221"), id(&schema, "samaccountname"));
    assert!(!facts(&schema, "createTimeStamp").is_operational());
    assert!(is_known(&schema, "member;range=0-*"));
    let person = class(&schema, "@person").expect("a class");
    assert_eq!(names(&schema, &person.must), ["cn", "nTSecurityDescriptor", "objectClass"]);
    assert!(person.may.contains(&name) && !person.may.contains(&id(&schema, "cn")) && !person.open);
}
