//! What the gate itself reads from the directory, with its service account: what is reachable, what its
//! attributes are called, what kind of groups the policy names, and in which of them somebody is.
//!
//! Reads only. Says what it found; publishing that is somebody else's.

mod excluding;
mod kind;
mod listing;
mod person;

pub use kind::{Kind, Trouble, Ways};
pub use listing::members;
pub use person::{Plan, ask_about};

use super::ldap_client::{ClientError, LdapClient};
use crate::config::Secret;
use crate::engine::access::DirectoryFacts;
use crate::engine::ldap::Dn;
use crate::engine::ldap::control::oid;
use crate::engine::ldap::schema::Schema;
use crate::engine::policy::groups::GroupList;
use crate::engine::policy::trees::{Contexts, NAMED};
use ldap3_proto::proto::{LdapResultCode, LdapSearchResultEntry};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// How often everything is read again.
pub const REFRESH_INTERVAL: Duration = Duration::from_secs(10);
/// How long one answer is waited for.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// The schema is read again at every second round even if its entry says that it was not changed.
const SCHEMA_ROUNDS: u32 = 2;
/// How long after the first failure in a row it is tried again; doubles up to [`REFRESH_INTERVAL`].
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// More of what is wrong with a schema is not told.
const MAX_TOLD: usize = 20;
/// In `supportedCapabilities` of Active Directory (MS-ADTS 3.1.1.3.4.3.1), Samba's included.
const ACTIVE_DIRECTORY: &[u8] = b"1.2.840.113556.1.4.800";

/// As whom the gate reads. Debug output never shows the password.
#[derive(Clone)]
pub struct ServiceAccount {
    /// Its name; the root: anonymous.
    pub dn: Dn,
    /// Its password; `None`: anonymous.
    pub password: Option<Secret>,
}

impl ServiceAccount {
    /// The password's octets; empty for an anonymous account.
    pub fn password(&self) -> &[u8] {
        self.password.as_ref().map_or(&[], Secret::reveal)
    }
}

impl std::fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceAccount").field("dn", &self.dn).finish_non_exhaustive()
    }
}

/// What one round of reading found.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What the rootDSE says.
    pub facts: DirectoryFacts,
    /// What is to be asked about people. Whether groups in groups are followed is not decided here.
    pub plan: Plan,
    /// The schema, whenever the connection is a new one: as it was read, or the standard one.
    pub schema: Option<SchemaRead>,
}

/// A schema that was read.
#[derive(Debug, Clone)]
pub struct SchemaRead {
    /// What it says.
    pub schema: Arc<Schema>,
    /// The same for the same definitions.
    pub fingerprint: u64,
}

/// Where a task that reads again and again gets what it needs, and brings what it finds.
pub trait Source: Send {
    /// A connection to a directory server.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send;
    /// Connects to the directory.
    fn connect(&mut self) -> impl Future<Output = Result<Self::Stream, String>> + Send;
    /// As whom to bind.
    fn account(&mut self) -> ServiceAccount;
    /// Which groups are wanted now.
    fn groups(&mut self) -> Arc<GroupList>;
    /// Takes what was read.
    fn publish(&mut self, reading: Reading);
    /// Returns when something should be read again before its time (a reload).
    fn changed(&mut self) -> impl Future<Output = ()> + Send;
}

/// Reads again and again over one connection, for as long as the future is polled. What cannot be read is
/// not published, so that it grows old and is no longer believed.
pub async fn keep_reading<C: Source>(mut source: C) {
    let mut client = None;
    let (mut failures, mut told) = (0_u32, String::new());
    loop {
        let pause = match round(&mut source, &mut client).await {
            Ok(reading) => {
                if failures > 0 {
                    tracing::info!("the directory can be read again");
                }
                failures = 0;
                told.clear();
                source.publish(reading);
                REFRESH_INTERVAL
            }
            Err(error) => {
                client = None;
                // The same again every few seconds would bury what is new.
                if error == told {
                    tracing::debug!(%error, "the directory still cannot be read");
                } else {
                    tracing::warn!(%error, "the directory cannot be read");
                    told.clone_from(&error);
                }
                failures = failures.saturating_add(1);
                FIRST_RETRY.saturating_mul(1 << failures.min(8).saturating_sub(1)).min(REFRESH_INTERVAL)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // Perhaps it is another directory that is to be asked now.
            () = source.changed() => client = None,
        }
    }
}

/// Reads everything once, now: at start, before the first client is served.
///
/// # Errors
/// When the directory cannot be reached, or does not take the account.
pub async fn read_once<C: Source>(source: &mut C) -> Result<Reading, String> {
    round(source, &mut None).await
}

type Kept<S> = Option<(ServiceAccount, LdapClient<S>, SchemaSeen)>;

/// The schema as it was when it was last read over a connection.
#[derive(Debug, Default)]
struct SchemaSeen {
    /// What its entry says of when it was changed.
    changed: Vec<Vec<u8>>,
    fingerprint: Option<u64>,
    /// How many rounds ago.
    rounds: u32,
}

async fn round<C: Source>(source: &mut C, kept: &mut Kept<C::Stream>) -> Result<Reading, String> {
    let account = source.account();
    // An account that was changed by a reload is not the one that this connection is bound as.
    let usable =
        kept.take().filter(|(bound, _, _)| bound.dn.is_surely(&account.dn) && bound.password == account.password);
    let is_new = usable.is_none();
    let (mut client, mut seen) = match usable {
        Some((_, client, seen)) => (client, seen),
        None => (
            open(source.connect().await?, &account).await.map_err(|error| {
                format!("as {}: {error}", if account.dn.is_root() { "nobody" } else { account.dn.text() })
            })?,
            SchemaSeen::default(),
        ),
    };
    let (facts, ways) = facts(&mut client).await.map_err(|error| error.to_string())?;
    let schema = match &facts.subschema {
        Some(subschema) => {
            let read = schema_if_changed(&mut client, subschema, is_new, &mut seen).await;
            read.map_err(|error| error.to_string())?
        }
        None if is_new => Some(unread()),
        None => None,
    };
    let groups = source.groups();
    let kinds = kind::inspect(&mut client, groups.names()).await.map_err(|error| error.to_string())?;
    let plan = Plan { groups, kinds, contexts: facts.naming_contexts.clone(), ways, nested: false };
    *kept = Some((account, client, seen));
    Ok(Reading { facts, plan, schema })
}

/// Binds a new connection as `account`.
pub(super) async fn open<S>(stream: S, account: &ServiceAccount) -> Result<LdapClient<S>, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut client = LdapClient::new(stream, ANSWER_TIMEOUT);
    if !account.dn.is_root() {
        // `ldap3_proto` has no other passwords.
        let password = std::str::from_utf8(account.password()).map_err(|_| ClientError::NotText)?;
        let result = client.bind(account.dn.text(), password).await?;
        if result.code != LdapResultCode::Success {
            return Err(ClientError::Refused(result.code, result.message));
        }
    }
    Ok(client)
}

/// What the directory says of itself, and its schema where the account may read it: once, over this connection.
///
/// # Errors
/// The directory does not answer, or does not take the account.
pub async fn read_facts<S>(
    stream: S,
    account: &ServiceAccount,
) -> Result<(DirectoryFacts, Option<SchemaRead>), ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut client = open(stream, account).await?;
    let (facts, _) = facts(&mut client).await?;
    let schema = match &facts.subschema {
        Some(subschema) => {
            let read = schema(&mut client, subschema, &SchemaSeen::default()).await?;
            read.filter(|read| read.fingerprint != unread().fingerprint)
        }
        None => None,
    };
    Ok((facts, schema))
}

/// RFC 4512 5.1; and how the directory is asked about groups.
async fn facts<S>(client: &mut LdapClient<S>) -> Result<(DirectoryFacts, Ways), ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let wanted = [
        &[
            "namingContexts",
            "defaultNamingContext",
            "subschemaSubentry",
            "supportedControl",
            "supportedCapabilities",
            "objectClass",
        ],
        NAMED,
    ]
    .concat();
    let entry = client.read("", &wanted).await?;
    let names = |attribute| -> Vec<Dn> {
        let values = entry.iter().flat_map(|entry| values(entry, attribute));
        values.filter_map(|value| Dn::parse(value).ok()).filter(|dn| !dn.is_root()).collect()
    };
    let has = |attribute, oid: &[u8]| entry.iter().flat_map(|entry| values(entry, attribute)).any(|value| value == oid);
    let named = NAMED.iter().flat_map(|attribute| names(attribute).into_iter().map(|context| (context, *attribute)));
    let contexts =
        Contexts { all: names("namingContexts"), default: names("defaultNamingContext").pop(), named: named.collect() };
    let excludes = excluding::trees(client, &contexts.all).await?;
    let facts = DirectoryFacts {
        excludes,
        contexts: Some(contexts),
        subschema: names("subschemaSubentry").pop(),
        proxied_authorization: has("supportedControl", oid::PROXIED_AUTHORIZATION_V2.as_bytes()),
        ..DirectoryFacts::default()
    };
    let ways = Ways {
        in_chain: has("supportedCapabilities", ACTIVE_DIRECTORY),
        approximate: has("objectClass", b"OpenLDAProotDSE"),
    };
    Ok((facts, ways))
}

/// What is known of a schema that was not read. Over a new connection this may be another directory than before: what
/// that one said of its attributes is nothing to go by.
fn unread() -> SchemaRead {
    SchemaRead { schema: Schema::standard(), fingerprint: 0 }
}

/// The schema, over a new connection, when its entry says that it was changed, and now and then: slapd does not say it.
/// `None`: it is as it was.
async fn schema_if_changed<S>(
    client: &mut LdapClient<S>,
    subschema: &Dn,
    is_new: bool,
    seen: &mut SchemaSeen,
) -> Result<Option<SchemaRead>, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    seen.rounds += 1;
    if !is_new && seen.rounds < SCHEMA_ROUNDS {
        let changed = last_change(client, subschema).await?;
        if changed == seen.changed {
            return Ok(None);
        }
        seen.changed = changed;
    }
    let read = schema(client, subschema, seen).await?;
    seen.rounds = 0;
    let read = read.filter(|read| seen.fingerprint.replace(read.fingerprint) != Some(read.fingerprint));
    if read.is_some() && !is_new {
        tracing::info!(%subschema, "the directory's schema has changed");
    }
    Ok(read)
}

/// What the entry says of when the schema was changed: RFC 4512 3.4.1, and what 389 Directory Server has.
async fn last_change<S>(client: &mut LdapClient<S>, subschema: &Dn) -> Result<Vec<Vec<u8>>, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let names = ["modifyTimestamp", "nsSchemaCSN"];
    match client.read(subschema.text(), &names).await {
        Ok(entry) => Ok(entry
            .iter()
            .flat_map(|entry| names.map(|name| values(entry, name)))
            .flatten()
            .map(<[u8]>::to_vec)
            .collect()),
        Err(ClientError::Refused(..)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// RFC 4512 4.2. [`unread`]: it may not be read, or says nothing. `None`: it says what it said.
async fn schema<S>(
    client: &mut LdapClient<S>,
    subschema: &Dn,
    seen: &SchemaSeen,
) -> Result<Option<SchemaRead>, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let entry = match client.read(subschema.text(), &["attributeTypes", "objectClasses"]).await {
        Ok(entry) => entry,
        Err(ClientError::Refused(code, message)) => {
            tracing::warn!(%subschema, ?code, message, "the directory's schema cannot be read");
            None
        }
        Err(error) => return Err(error),
    };
    let Some(entry) = entry.filter(|entry| values(entry, "attributeTypes").next().is_some()) else {
        tracing::warn!(%subschema, "the directory does not show its schema: attributes are known by their standard names");
        return Ok(Some(unread()));
    };
    let mut hasher = DefaultHasher::new();
    let definitions = ["attributeTypes", "objectClasses"].map(|name| values(&entry, name).collect::<Vec<_>>());
    definitions.hash(&mut hasher);
    let fingerprint = hasher.finish();
    if seen.fingerprint == Some(fingerprint) {
        return Ok(None);
    }
    let [types, classes] = definitions;
    let schema = Schema::from_subschema(types, classes);
    for problem in schema.problems().iter().take(MAX_TOLD) {
        tracing::debug!(%problem, "in the directory's schema");
    }
    Ok(Some(SchemaRead { schema: Arc::new(schema), fingerprint }))
}

fn values<'a>(entry: &'a LdapSearchResultEntry, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let attribute = entry.attributes.iter().find(|attribute| attribute.atype.eq_ignore_ascii_case(name));
    attribute.into_iter().flat_map(|attribute| attribute.vals.iter().map(Vec::as_slice))
}

#[cfg(test)]
mod tests;
