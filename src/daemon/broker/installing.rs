//! A new configuration: what of the grants it does not allow, and what becomes of them.

use super::{Broker, Moment};
use crate::engine::access::Snapshot;
use crate::engine::grant::lifecycle::Grant;
use crate::engine::policy::Policy;
use crate::engine::workflow::{Authority, Context, ending};
use std::sync::Arc;

/// A grant that a configuration does not allow.
#[derive(Debug, Clone)]
pub struct Ending {
    /// The grant, before its end.
    pub grant: Grant,
    /// Why it is not allowed.
    pub why: String,
}

impl Broker {
    /// Takes over a new configuration. From the same instant on, grants that it does not allow
    /// open nothing; they are ended, and returned.
    pub fn install(&self, policy: Arc<Policy>, authority: Authority) -> Vec<Ending> {
        self.shared.authority.store(Arc::new(authority));
        self.live.install(policy, &self.shared, self.clock.now());
        let doubtful = self.live.due(self.clock.now().wall).doubtful;
        let mut endings = self.endings(&self.moment());
        endings.retain(|ending| doubtful.contains(&ending.grant.id));
        self.settle();
        self.changed.notify_one();
        endings
    }

    /// What [`Broker::install`] would end now.
    pub fn would_end(&self, policy: &Policy) -> Vec<Ending> {
        let moment = self.moment();
        // What the directory's attributes are called does not change with the configuration.
        let policy = Arc::new(policy.with_schema(Arc::clone(moment.snapshot.policy.schema())));
        let snapshot = Arc::new(Snapshot { policy, ..Snapshot::clone(&moment.snapshot) });
        self.endings(&Moment { snapshot, ..moment })
    }

    fn endings(&self, moment: &Moment) -> Vec<Ending> {
        let context: Context<'_> = moment.context();
        let ending = |grant: Grant| {
            let why = ending::why_disallowed(&grant, &context)?.to_string();
            Some(Ending { grant, why })
        };
        self.live.grants().into_iter().filter_map(ending).collect()
    }
}
