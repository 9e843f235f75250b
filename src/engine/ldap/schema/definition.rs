//! What a directory writes of one attribute type or object class (RFC 4512 4.1.1 and 4.1.2), as far
//! as somebody decides by it. `Display` writes the form of the RFC, which is read as the same.

use std::fmt::{self, Display, Formatter};

/// What an attribute type is for (RFC 4512 4.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Usage {
    /// A user attribute; also where nothing is said.
    #[default]
    UserApplications,
    /// Operational, of the directory.
    DirectoryOperation,
    /// Operational, shared between servers.
    DistributedOperation,
    /// Operational, of one server.
    DsaOperation,
}

impl Usage {
    pub(super) const ALL: [(Usage, &'static str); 4] = [
        (Usage::UserApplications, "userApplications"),
        (Usage::DirectoryOperation, "directoryOperation"),
        (Usage::DistributedOperation, "distributedOperation"),
        (Usage::DsaOperation, "dSAOperation"),
    ];
}

/// AttributeTypeDescription. Names and OIDs are as they were written, without quotes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttributeTypeDescription<'a> {
    /// A numeric OID; 389 Directory Server writes `name-oid` where there is none. `None`: left out.
    pub oid: Option<&'a str>,
    /// Short names; empty only if there is an OID.
    pub names: Vec<&'a str>,
    /// OBSOLETE.
    pub obsolete: bool,
    /// The supertype, by name or OID.
    pub sup: Option<&'a str>,
    /// Matching rules, by name or OID.
    pub equality: Option<&'a str>,
    /// For `>=` and `<=`.
    pub ordering: Option<&'a str>,
    /// For substrings.
    pub substr: Option<&'a str>,
    /// The syntax, without the bound in braces.
    pub syntax: Option<&'a str>,
    /// SINGLE-VALUE.
    pub single_value: bool,
    /// COLLECTIVE (RFC 3671).
    pub collective: bool,
    /// NO-USER-MODIFICATION.
    pub no_user_modification: bool,
    /// USAGE.
    pub usage: Usage,
}

/// The kind of an object class (RFC 4512 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClassKind {
    /// ABSTRACT.
    Abstract,
    /// STRUCTURAL; also where nothing is said.
    #[default]
    Structural,
    /// AUXILIARY.
    Auxiliary,
}

/// ObjectClassDescription. Names and OIDs are as they were written, without quotes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectClassDescription<'a> {
    /// As for [`AttributeTypeDescription::oid`].
    pub oid: Option<&'a str>,
    /// As for [`AttributeTypeDescription::names`].
    pub names: Vec<&'a str>,
    /// OBSOLETE.
    pub obsolete: bool,
    /// Superclasses, by name or OID.
    pub sup: Vec<&'a str>,
    /// ABSTRACT, STRUCTURAL or AUXILIARY.
    pub kind: ClassKind,
    /// Required attribute types, by name or OID.
    pub must: Vec<&'a str>,
    /// Allowed attribute types, by name or OID.
    pub may: Vec<&'a str>,
}

impl Display for AttributeTypeDescription<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_head(f, self.oid, &self.names, self.obsolete)?;
        let fields = [
            ("SUP", self.sup),
            ("EQUALITY", self.equality),
            ("ORDERING", self.ordering),
            ("SUBSTR", self.substr),
            ("SYNTAX", self.syntax),
        ];
        for (keyword, value) in fields {
            if let Some(value) = value {
                write!(f, " {keyword} {value}")?;
            }
        }
        let flags = [
            ("SINGLE-VALUE", self.single_value),
            ("COLLECTIVE", self.collective),
            ("NO-USER-MODIFICATION", self.no_user_modification),
        ];
        for (keyword, _) in flags.iter().filter(|(_, set)| *set) {
            write!(f, " {keyword}")?;
        }
        if self.usage != Usage::default() {
            let word = Usage::ALL.iter().find(|(usage, _)| *usage == self.usage).map_or("", |(_, word)| word);
            write!(f, " USAGE {word}")?;
        }
        f.write_str(" )")
    }
}

impl Display for ObjectClassDescription<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_head(f, self.oid, &self.names, self.obsolete)?;
        write_oids(f, "SUP", &self.sup)?;
        f.write_str(match self.kind {
            ClassKind::Abstract => " ABSTRACT",
            ClassKind::Structural => " STRUCTURAL",
            ClassKind::Auxiliary => " AUXILIARY",
        })?;
        write_oids(f, "MUST", &self.must)?;
        write_oids(f, "MAY", &self.may)?;
        f.write_str(" )")
    }
}

fn write_head(f: &mut Formatter<'_>, oid: Option<&str>, names: &[&str], obsolete: bool) -> fmt::Result {
    f.write_str("(")?;
    if let Some(oid) = oid {
        write!(f, " {oid}")?;
    }
    match names {
        [] => {}
        [name] => write!(f, " NAME '{name}'")?,
        names => {
            f.write_str(" NAME (")?;
            for name in names {
                write!(f, " '{name}'")?;
            }
            f.write_str(" )")?;
        }
    }
    if obsolete { f.write_str(" OBSOLETE") } else { Ok(()) }
}

fn write_oids(f: &mut Formatter<'_>, keyword: &str, oids: &[&str]) -> fmt::Result {
    match oids {
        [] => Ok(()),
        [oid] => write!(f, " {keyword} {oid}"),
        oids => write!(f, " {keyword} ( {} )", oids.join(" $ ")),
    }
}
