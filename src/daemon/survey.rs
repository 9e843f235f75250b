//! What a gate with a configuration would find in its directory: read once, over one connection, nothing published.

use super::assemble;
use super::directory::{self, ServiceAccount};
use crate::config::Config;
use crate::engine::ldap::Dn;
use crate::engine::ldap::schema::Schema;
use crate::engine::policy::trees::Trees;
use std::sync::Arc;

/// What was found.
#[derive(Debug)]
pub struct Survey {
    /// The server that answered: its URL.
    pub server: String,
    /// Which trees would be served.
    pub trees: Trees,
    /// In which trees the directory excludes hidden entries from searches, as far as the gate's account can see.
    pub excludes: Vec<Dn>,
    /// The directory's schema; `None`: the gate's account may not read it.
    pub schema: Option<Arc<Schema>>,
}

/// Reads it as the gate's own account.
///
/// # Errors
/// The directory cannot be reached, or does not take the account; says which.
pub async fn survey(config: &Config) -> Result<Survey, String> {
    let upstream = assemble::upstream(&config.directory).map_err(|error| error.to_string())?;
    let account = match &config.directory.service {
        Some(service) => assemble::account_of(service),
        None => ServiceAccount { dn: Dn::root(), password: None },
    };
    let (stream, server) = upstream.connect().await.map_err(|error| error.to_string())?;
    let (facts, schema) =
        directory::read_facts(stream, &account).await.map_err(|error| format!("{server}: {error}"))?;
    let contexts = facts.contexts.unwrap_or_default();
    let trees = contexts.trees(config.directory.naming_contexts.as_deref(), config.policy.resources.iter());
    let (server, schema) = (server.to_string(), schema.map(|read| read.schema));
    Ok(Survey { server, trees, excludes: facts.excludes, schema })
}
