//! What the log itself says is no longer in it: files that were moved, emptied or deleted while they were written, and what a
//! crash has torn. Each is a finding until it is settled: by a HUP, by somebody who acknowledges it, or by a repair.

use super::{Finding, Head, Vanished, Verifier, What};
use serde::Deserialize;

/// Lines that the log itself says are not in it.
#[derive(Debug)]
pub(super) struct Gone {
    /// The file in which they were.
    pub(super) file: String,
    pub(super) from: u64,
    pub(super) to: u64,
    /// The head that it is acknowledged by as well.
    pub(super) head: Option<Head>,
    /// By what that is settled; `None`: the log is not sound.
    pub(super) settled: Option<String>,
}

/// What the gate says of the log in the log.
#[derive(Debug, Deserialize)]
pub(super) struct OwnEvent {
    pub(super) event: String,
    pub(super) torn_bytes: Option<u64>,
    pub(super) torn_digest: Option<String>,
    pub(super) lost: Option<u64>,
    pub(super) head: Option<String>,
    file: Option<String>,
    from_line: Option<u64>,
    to_line: Option<u64>,
    about: Option<String>,
    by: Option<String>,
    acting_as: Option<String>,
    reason: Option<String>,
}

impl OwnEvent {
    /// Lines of the writer itself begin with what happened; what somebody acknowledges, with what it is about.
    pub(super) fn read(line: &[u8]) -> Option<OwnEvent> {
        const ACKNOWLEDGED: &[u8] = b",\"event\":\"audit.acknowledged\"";
        let time = line.iter().position(|octet| *octet == b',')?;
        let rest = line.get(time..)?.strip_prefix(b",\"time\":\"")?;
        let rest = rest.get(rest.iter().position(|octet| *octet == b',')?..)?;
        let own = rest.starts_with(b",\"event\":\"audit.")
            || rest.starts_with(b",\"about\":") && rest.windows(ACKNOWLEDGED.len()).any(|part| part == ACKNOWLEDGED);
        own.then(|| serde_json::from_slice(line).ok()).flatten()
    }
}

impl Verifier {
    /// Takes back what is settled: what is known to be gone, and by whom.
    pub(super) fn explain(&mut self) {
        for Gone { file, from, to, head, settled } in std::mem::take(&mut self.gone) {
            let Some(settled) = settled else { continue };
            let explained = |finding: &Finding| match finding.what {
                What::Missing { from: first, to: last } => from <= first && last <= to,
                What::Empty | What::Unended | What::Vanished { .. } => finding.file == file,
                What::Broken(broken) => head == Some(broken) && file == broken.to_string(),
                What::Altered
                | What::Order { .. }
                | What::NotChained
                | What::NoLine
                | What::Inserted { .. }
                | What::NoBeginning
                | What::CutOff { .. }
                | What::Rewritten { .. } => false,
            };
            let before = self.out.findings.len();
            self.out.findings.retain(|finding| !explained(finding));
            self.out.found -= (before - self.out.findings.len()) as u64;
            self.note(match from <= to {
                true => format!("lines {from} to {to} were in {file}: {settled}"),
                false => format!("{file}: {settled}"),
            });
        }
    }

    /// Whether an event says that something is gone, or that this is settled.
    pub(super) fn is_gone(&mut self, seq: u64, own: &OwnEvent, head: Option<Head>, before: Option<Head>) -> bool {
        match (&*own.event, head) {
            ("audit.repaired", _) if own.file.is_some() => {
                let file = own.file.clone().unwrap_or_default();
                let settled = "a crash or a power cut has torn what was there; the gate has set it aside".to_owned();
                let (from, to) = (own.from_line.unwrap_or(1), own.to_line.unwrap_or(0));
                self.gone.push(Gone { file, from, to, head: None, settled: Some(settled) });
            }
            ("audit.lost", Some(head)) => self.vanished(seq, own, head, before, Vanished::Deleted),
            ("audit.emptied", Some(head)) => self.vanished(seq, own, head, before, Vanished::Emptied),
            ("audit.moved", Some(head)) => self.vanished(seq, own, head, before, Vanished::Moved),
            ("audit.reopened", Some(head)) => {
                let file = own.file.clone().unwrap_or_default();
                let settled = "it was moved away while the gate ran, and the gate was notified (HUP)".to_owned();
                self.gone
                    .iter_mut()
                    .filter(|gone| gone.file == file)
                    .for_each(|gone| gone.settled = Some(settled.clone()));
                if before != Some(head) && !self.gone.iter().any(|gone| gone.file == file) {
                    let from = own.from_line.unwrap_or(head.seq);
                    self.gone.push(Gone { file, from, to: head.seq, head: None, settled: Some(settled) });
                }
            }
            ("audit.acknowledged", _) => {
                let name = own.about.as_deref().unwrap_or_default();
                let who = own.acting_as.as_deref().or(own.by.as_deref()).unwrap_or_default();
                let settled =
                    format!("acknowledged by {who} in line {seq}: {}", own.reason.as_deref().unwrap_or_default());
                for gone in self.gone.iter_mut().filter(|gone| gone.file == name && gone.settled.is_none()) {
                    gone.settled = Some(settled.clone());
                }
            }
            (_, _) => return false,
        }
        true
    }

    /// A file that was being written is gone, and what was in it: unless all of it is here.
    fn vanished(&mut self, seq: u64, own: &OwnEvent, head: Head, before: Option<Head>, how: Vanished) {
        if before == Some(head) {
            return;
        }
        let (file, from) = (own.file.clone().unwrap_or_default(), own.from_line.unwrap_or(head.seq));
        let what = What::Vanished { how, from, to: head.seq };
        self.tell(Finding { file: file.clone(), line: 0, seq: Some(seq), what });
        self.gone.push(Gone { file, from, to: head.seq, head: None, settled: None });
    }
}
