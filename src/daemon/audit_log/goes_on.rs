//! Where numbers and chain continue when a log is opened: what the files say, compared with what was kept outside of them.

use super::file::Resumed;
use super::repair::Torn;
use crate::engine::audit::chain::{Kept, Link};
use serde_json::json;

/// Where a log that was opened goes on.
pub(super) struct GoesOn {
    pub(super) seq: u64,
    pub(super) chain: Link,
    pub(super) from: u64,
    pub(super) first: bool,
    /// Whether a chain begins here.
    pub(super) begins: bool,
    /// What has to be said of it.
    pub(super) event: Option<serde_json::Value>,
}

impl GoesOn {
    /// No number is given twice, whatever became of the files, and the chain goes on from the last line that the
    /// gate knows of. `keeps`: whether it should have kept one.
    pub(super) fn after(resumed: &Resumed, kept: Option<Kept>, keeps: bool) -> Result<GoesOn, getrandom::Error> {
        let gone = resumed.torn.as_ref().and_then(Torn::greatest).map_or(0, |greatest| greatest.saturating_add(1));
        let next = resumed.last.map_or(resumed.first_seq, |(last, _)| last + 1).max(resumed.first_seq).max(gone);
        let chain = resumed.last.and_then(|(_, chain)| chain);
        let (Some(kept), last) = (kept, resumed.last.map(|(last, _)| last)) else {
            let Some(chain) = chain else {
                let mut random = [0; 32];
                getrandom::fill(&mut random)?;
                let chain = Link::new(random);
                return Ok(GoesOn { seq: next, chain, from: next, first: true, begins: true, event: None });
            };
            let event = keeps.then(|| json!({"event": "audit.headless"}));
            return Ok(GoesOn { seq: next, chain, from: next, first: false, begins: false, event });
        };
        let Kept { from, head } = kept;
        let as_left = match last.unwrap_or_default() {
            last if last == head.seq => chain.is_none_or(|chain| chain == head.chain),
            last => last > head.seq,
        };
        if as_left {
            let (first, chain) = (chain.is_none(), chain.unwrap_or(head.chain));
            return Ok(GoesOn { seq: next, chain, from, first, begins: false, event: None });
        }
        let event = json!({"event": "audit.broken", "head": head.to_string(), "last": last});
        let seq = next.max(head.seq.saturating_add(1));
        Ok(GoesOn { seq, chain: head.chain, from, first: true, begins: false, event: Some(event) })
    }
}
