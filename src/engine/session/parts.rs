//! A search for which the directory is asked more than once: stages one after the other, and pages that are
//! filled up here. Knows what comes next and what has to be kept for it, not how it is sent.

use super::pages::Page;
use super::trial::Trial;
use crate::engine::ldap::ResultCode;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::control::{self, Control, oid};
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::request::{Request, SearchRequest, SearchScope};
use crate::engine::redaction::Stages;
use sha2::{Digest as _, Sha256};

/// One stage's request.
#[derive(Debug)]
struct StageRequest {
    /// By this number the redaction knows it.
    number: usize,
    body: Vec<u8>,
    /// The same without what it is not asked of, which changes with what is open.
    as_searched: Option<Vec<u8>>,
    /// Only whether the base is there is asked.
    probe: bool,
}

impl StageRequest {
    fn of(number: usize, body: Vec<u8>) -> StageRequest {
        StageRequest { number, body, as_searched: None, probe: false }
    }

    fn octets(&self) -> usize {
        self.body.len() + self.as_searched.as_ref().map_or(0, Vec::len)
    }
}

/// A search in parts.
#[derive(Debug)]
pub(super) struct Parts {
    stages: Vec<StageRequest>,
    /// Which stage runs.
    at: usize,
    /// The content of a controls element, without paging.
    controls: Vec<u8>,
    /// For whom it is done, where a control says so.
    acts_for: Vec<u8>,
    /// How often the directory was asked.
    requests: u32,
    pub(super) page: Option<Page>,
    /// What is asked before all stages.
    pub(super) trial: Option<Box<Trial>>,
}

/// Whether a control is about the order of all that is found: of stages each has its own, and a view of it (VLV)
/// would count what belongs to another.
pub(super) fn orders(control: &Control<'_>) -> bool {
    matches!(control.oid, oid::SORT_REQUEST | oid::VLV_REQUEST)
}

/// The size limit that the directory gets, where what is shown is counted here: hidden entries must not be felt in the
/// client's own. Directories tell a client that sets one from a client that sets none (RFC 4511 4.5.1.4: 0), and may allow
/// it more, so where there is one it becomes the largest that there is.
pub(super) fn most(size_limit: i32) -> i32 {
    if size_limit == 0 { 0 } else { i32::MAX }
}

/// What comes after an answer of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The directory is asked again.
    Ask,
    /// The page is full, and there is another.
    Another,
    /// There is nothing more; this is how it ended.
    End(ResultCode),
}

impl Parts {
    /// `controls` are those that are forwarded. The client's size limit is not: what is shown is counted here.
    pub(super) fn new<'c>(
        search: &SearchRequest<'_>,
        stages: Stages<'_>,
        controls: impl Iterator<Item = Control<'c>>,
    ) -> Parts {
        let unlimited = |search: &SearchRequest<'_>| {
            let mut body = Vec::new();
            let size_limit = most(search.size_limit);
            Request::Search(SearchRequest { size_limit, ..search.clone() }).write_body(&mut body);
            body
        };
        let mut asked = Vec::new();
        match stages {
            Stages::AsAsked => asked.push(StageRequest::of(0, unlimited(search))),
            Stages::Several(stages) => {
                for (number, stage) in stages.into_iter().enumerate() {
                    let body = |filter| unlimited(&SearchRequest { filter, ..search.clone() });
                    let Some(to_ask) = stage.to_ask() else { continue };
                    let as_searched = stage.filter.filter(|_| !stage.excluded.is_empty()).map(body);
                    asked.push(StageRequest { as_searched, ..StageRequest::of(number, body(to_ask)) });
                }
            }
        }
        if asked.is_empty() {
            let probe = SearchRequest {
                scope: SearchScope::Base,
                filter: Filter::Present(AttributeDescription(b"objectClass")),
                attributes: vec![AttributeDescription(b"1.1")],
                ..search.clone()
            };
            asked.push(StageRequest { probe: true, ..StageRequest::of(0, unlimited(&probe)) });
        }
        let several = asked.len() > 1;
        let fits = |control: &Control<'_>| control.oid != oid::PAGED_RESULTS && !(several && orders(control));
        let controls: Vec<Control<'_>> = controls.filter(fits).collect();
        let mut encoded = Vec::new();
        control::write_controls(&mut encoded, &controls);
        let assertion = controls.iter().find(|control| control.oid == oid::PROXIED_AUTHORIZATION_V2);
        let acts_for = assertion.and_then(|control| control.value).unwrap_or_default().to_vec();
        Parts { stages: asked, at: 0, controls: encoded, acts_for, requests: 0, page: None, trial: None }
    }

    /// Whether there is more than one stage.
    pub(super) fn are_several(&self) -> bool {
        self.stages.len() > 1
    }

    /// What tells this search from others, whatever page it is and whatever controls come with it (RFC 2696 3) that do not say for whom it is.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for stage in &self.stages {
            hash.update((stage.number as u64).to_be_bytes());
            let body = stage.as_searched.as_ref().unwrap_or(&stage.body);
            hash.update((body.len() as u64).to_be_bytes());
            hash.update(body);
        }
        // What one has been shown, or is about to be, is nobody else's.
        hash.update(&self.acts_for);
        hash.finalize().into()
    }

    /// Has the search go on with a page.
    pub(super) fn turn_page(&mut self, page: Page) {
        self.at = page.cursor.at;
        self.page = Some(page);
    }

    /// How often the directory was asked.
    pub(super) fn requests(&self) -> u32 {
        self.requests
    }

    /// Has no stage exclude anything.
    pub(super) fn exclude_nothing(&mut self) {
        for stage in &mut self.stages {
            if let Some(body) = stage.as_searched.take() {
                stage.body = body;
            }
        }
    }

    /// How many octets of requests are kept.
    pub(super) fn kept(&self) -> usize {
        let trial = self.trial.as_ref().map_or(0, |trial| trial.body.len() + trial.controls.len());
        trial + self.controls.len() + self.stages.iter().map(StageRequest::octets).sum::<usize>()
    }

    /// The number by which the redaction knows the stage that runs.
    pub(super) fn stage(&self) -> usize {
        self.stages.get(self.at).map_or(0, |stage| stage.number)
    }

    /// Whether only the code of the answer is of interest.
    pub(super) fn is_probe(&self) -> bool {
        self.stages.get(self.at).is_some_and(|stage| stage.probe)
    }

    /// The request that comes next: its body, and the content of its controls.
    pub(super) fn request(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        self.requests = self.requests.saturating_add(1);
        if let Some(trial) = &self.trial {
            return Some((trial.body.clone(), trial.controls.clone()));
        }
        let stage = self.stages.get(self.at)?;
        let mut controls = self.controls.clone();
        if let Some(page) = self.page.as_mut().filter(|_| !stage.probe) {
            page.write_control(&mut controls);
        }
        Some((stage.body.to_vec(), controls))
    }

    /// The directory has answered the request that ran.
    pub(super) fn answered(&mut self, code: ResultCode, controls: Option<&[u8]>) -> Next {
        let Some(page) = &mut self.page else {
            if code == ResultCode::SUCCESS && self.at + 1 < self.stages.len() {
                self.at += 1;
                return Next::Ask;
            }
            return Next::End(code);
        };
        page.answered(code, controls, self.stages.len());
        self.at = page.cursor.at;
        page.next()
    }
}
