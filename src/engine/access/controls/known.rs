//! Every control of which it is known what it does: where it may stand, how its value is written, and what it
//! could tell or change. A control elsewhere than here, or on another operation, is one that is not understood.

use crate::engine::ldap::control::oid;
use crate::engine::ldap::control::value::Syntax;
use crate::engine::ldap::request::{ExtendedRequest, Request};

/// What a control means to a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Tells and changes nothing that the operation itself does not, or what the decision has counted in already.
    Harmless,
    /// The order of entries tells of what they are ordered by: not by what is hidden at an entry that is shown.
    Sorts,
    /// Counts entries, those that are hidden too; needs to be sorted.
    Counts,
    /// Tests or tells attributes of what is reached: only where nothing of that is hidden.
    Reads,
    /// Reaches what has left its place, or what is nowhere: only where nothing at all is hidden.
    ReadsAnywhere,
    /// Puts identifiers of entries beside their names, wherever these stand: only where they are hidden nowhere.
    Identifies,
    /// Tells of other entries beside each: these are redacted in every answer.
    Dereferences,
    /// Makes the search one of the entries that an attribute names: as aliases would, and redacted like them.
    Redirects,
    /// May lift the search out of its tree, by its value.
    Options,
    /// Hands on what is reached, now and later: only where all of that may be replicated.
    Replicates,
    /// Hands on everything: only where everything may be replicated.
    ReplicatesAll,
    /// Writes what is otherwise not to be written: only where everything about the entry is held.
    Manages,
    /// Acts as somebody else: refused, critical or not, but for those who may.
    Impersonates,
    /// Comes with answers only, or says that something is supported: not forwarded, but advertised.
    Answer,
    /// Would go around the decision: as if it were not known.
    Never,
}

/// Operations on which a control may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct On(u16);

const BIND: On = On(1);
const SEARCH: On = On(1 << 1);
const COMPARE: On = On(1 << 2);
const ADD: On = On(1 << 3);
const MODIFY: On = On(1 << 4);
const DELETE: On = On(1 << 5);
const RENAME: On = On(1 << 6);
const PASSWORD: On = On(1 << 7);
const OTHER: On = On(1 << 8);
const NONE: On = On(0);
const WRITES: On = ADD.or(MODIFY).or(DELETE).or(RENAME);
const ENTRIES: On = SEARCH.or(COMPARE).or(WRITES);
const ALL: On = BIND.or(ENTRIES).or(PASSWORD).or(OTHER);

impl On {
    const fn or(self, other: On) -> On {
        On(self.0 | other.0)
    }

    fn of(request: &Request<'_>) -> On {
        match request {
            Request::Bind(_) => BIND,
            Request::Search(_) => SEARCH,
            Request::Compare(_) => COMPARE,
            Request::Add(_) => ADD,
            Request::Modify(_) => MODIFY,
            Request::Delete(_) => DELETE,
            Request::Rename(_) => RENAME,
            Request::Extended(ExtendedRequest::Password { .. }) => PASSWORD,
            Request::Extended(
                ExtendedRequest::StartTls
                | ExtendedRequest::WhoAmI
                | ExtendedRequest::Cancel(_)
                | ExtendedRequest::Other { .. },
            ) => OTHER,
            Request::Unbind | Request::Abandon(_) => NONE,
        }
    }
}

/// One control of which it is known what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its OID.
    pub oid: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// Where it may stand in requests.
    pub on: On,
    /// How its value in requests is written.
    pub syntax: Syntax,
    /// What it does.
    pub meaning: Meaning,
}

impl Known {
    /// Whether it may stand on this request.
    pub fn fits(&self, request: &Request<'_>) -> bool {
        self.on.0 & On::of(request).0 != 0
    }
}

const fn known(oid: &'static str, name: &'static str, on: On, syntax: Syntax, meaning: Meaning) -> Known {
    Known { oid, name, on, syntax, meaning }
}

const fn answer(oid: &'static str, name: &'static str) -> Known {
    known(oid, name, NONE, Syntax::Absent, Meaning::Answer)
}

const fn never(oid: &'static str, name: &'static str) -> Known {
    known(oid, name, NONE, Syntax::Absent, Meaning::Never)
}

/// What is known of a control.
pub fn lookup(oid: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.oid == oid)
}

/// Every control that is understood. The rootDSE advertises no other.
pub const KNOWN: &[Known] = &[
    // Each page is a decision of its own; cookies are the directory's, for this connection.
    known(oid::PAGED_RESULTS, "paged results", SEARCH, Syntax::Pages, Meaning::Harmless),
    known(oid::SORT_REQUEST, "sort", SEARCH, Syntax::SortKeys, Meaning::Sorts),
    answer(oid::SORT_RESPONSE, "sort answer"),
    known(oid::VLV_REQUEST, "virtual list view", SEARCH, Syntax::VirtualList, Meaning::Counts),
    answer(oid::VLV_RESPONSE, "virtual list view answer"),
    // Shows a referral as the entry that it is, under its name.
    known(oid::MANAGE_DSA_IT, "ManageDsaIT", ENTRIES, Syntax::Absent, Meaning::Harmless),
    // Subentries have names like others.
    known(oid::SUBENTRIES, "subentries", SEARCH, Syntax::Boolean, Meaning::Harmless),
    known(oid::ASSERTION, "assertion", ENTRIES, Syntax::Filter, Meaning::Reads),
    known(oid::PRE_READ, "pre-read", MODIFY.or(DELETE).or(RENAME), Syntax::Attributes, Meaning::Reads),
    known(oid::POST_READ, "post-read", ADD.or(MODIFY).or(RENAME), Syntax::Attributes, Meaning::Reads),
    known(oid::MATCHED_VALUES, "matched values", SEARCH, Syntax::ValueFilters, Meaning::Reads),
    known(
        oid::PROXIED_AUTHORIZATION_V1,
        "proxied authorization (draft)",
        ENTRIES,
        Syntax::AuthorizationDn,
        Meaning::Impersonates,
    ),
    known(
        oid::PROXIED_AUTHORIZATION_V2,
        "proxied authorization",
        ENTRIES.or(PASSWORD).or(OTHER),
        Syntax::AuthorizationId,
        Meaning::Impersonates,
    ),
    // Tells of the password of who binds, or of the one that is written.
    known(oid::PASSWORD_POLICY, "password policy", ALL, Syntax::Absent, Meaning::Harmless),
    answer(oid::PASSWORD_EXPIRED, "password expired"),
    answer(oid::PASSWORD_EXPIRING, "password expiring"),
    // Tells whom one is bound as, oneself.
    known(oid::AUTHORIZATION_IDENTITY_REQUEST, "authorization identity", BIND, Syntax::Absent, Meaning::Harmless),
    answer(oid::AUTHORIZATION_IDENTITY_RESPONSE, "authorization identity answer"),
    // The decision is about everything below.
    known(oid::TREE_DELETE, "tree delete", DELETE, Syntax::Absent, Meaning::Harmless),
    known(oid::SYNC_REQUEST, "sync", SEARCH, Syntax::Sync, Meaning::Replicates),
    answer(oid::SYNC_STATE, "sync state"),
    answer(oid::SYNC_DONE, "sync done"),
    known(oid::PERSISTENT_SEARCH, "persistent search", SEARCH, Syntax::Changes, Meaning::Replicates),
    answer(oid::ENTRY_CHANGE_NOTIFICATION, "entry change"),
    known(oid::SERVER_NOTIFICATION, "notification", SEARCH, Syntax::Absent, Meaning::Replicates),
    // A whole tree and its deleted entries, whatever the base.
    known(oid::DIR_SYNC, "DirSync", SEARCH, Syntax::DirSync, Meaning::ReplicatesAll),
    // Deleted entries lie below CN=Deleted Objects, wherever they were. On a modify they would let an entry be
    // put anywhere, by writing its distinguishedName.
    known(oid::SHOW_DELETED, "show deleted", SEARCH, Syntax::Absent, Meaning::ReadsAnywhere),
    known(oid::SHOW_RECYCLED, "show recycled", SEARCH, Syntax::Absent, Meaning::ReadsAnywhere),
    known(oid::SHOW_DEACTIVATED_LINK, "show deactivated links", SEARCH, Syntax::Absent, Meaning::ReadsAnywhere),
    known(oid::EXTENDED_DN, "extended DN", SEARCH, Syntax::OptionalNumber, Meaning::Identifies),
    // Parts of nTSecurityDescriptor, which is an attribute like others.
    known(oid::SD_FLAGS, "SD flags", SEARCH.or(ADD).or(MODIFY), Syntax::Number, Meaning::Harmless),
    known(oid::SEARCH_OPTIONS, "search options", SEARCH, Syntax::Number, Meaning::Options),
    known(oid::DOMAIN_SCOPE, "domain scope", SEARCH, Syntax::Absent, Meaning::Harmless),
    answer(oid::RANGE_OPTION, "range option"),
    known(oid::ATTRIBUTE_SCOPED_QUERY, "attribute-scoped query", SEARCH, Syntax::SourceAttribute, Meaning::Redirects),
    known(oid::DEREFERENCE, "dereference", SEARCH, Syntax::Dereferences, Meaning::Dereferences),
    known(oid::DONT_USE_COPY, "don't use copy", SEARCH.or(COMPARE), Syntax::Absent, Meaning::Harmless),
    // Whether a write would work: told to who may do it.
    known(oid::NO_OP, "no-op", WRITES, Syntax::Absent, Meaning::Harmless),
    known(oid::NO_OP_ELSEWHERE, "no-op", WRITES, Syntax::Absent, Meaning::Harmless),
    known(oid::RELAX_RULES, "relax rules", WRITES, Syntax::Absent, Meaning::Manages),
    // What is there already is no error: tells less than without.
    known(oid::PERMISSIVE_MODIFY, "permissive modify", MODIFY, Syntax::Absent, Meaning::Harmless),
    known(oid::LAZY_COMMIT, "lazy commit", WRITES, Syntax::Absent, Meaning::Harmless),
    // For the directory's log.
    known(oid::SESSION_TRACKING, "session tracking", ALL, Syntax::Tracking, Meaning::Harmless),
    // Writes would be done after they were decided upon.
    never(oid::TRANSACTION, "transaction"),
    // How many entries were looked at, those that are hidden too.
    never(oid::STATISTICS, "statistics"),
    never(oid::NO_OP_SEARCH, "no-op search"),
    // To other servers.
    never(oid::CROSS_DOMAIN_MOVE, "cross-domain move"),
    never(oid::CHAINING, "chaining behaviour"),
];
