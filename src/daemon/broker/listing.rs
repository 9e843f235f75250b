//! Pages of lists. What has not ended is at hand; of all else only what is on the page is read: lists of the person,
//! of the roles that they review, or of everything are gone through side by side, in the order of time.

use super::read::Window;
use super::{Broker, BrokerError, Document, Page, Paged};
use crate::daemon::store::{GrantStore, Indexed, Kind, List, Listed, Person, StoreError};
use crate::engine::grant::history::Actor;
use crate::engine::grant::lifecycle::Grant;
use crate::engine::workflow::{Match, Request, RequestState};
use std::collections::VecDeque;

/// How many entries of a list are read at once.
const AT_ONCE: usize = 100;

/// Which requests are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestList {
    /// Only those that wait: the store is not read.
    pub waiting: bool,
    /// Only those that the actor made, or that are for them.
    pub mine: bool,
    /// Only those in this state.
    pub state: Option<RequestState>,
    /// Those in the archive, too.
    pub archived: bool,
}

/// Which grants are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that have not ended.
    Active,
    /// Break-glass grants that no auditor has signed off.
    Unsigned,
    /// All that are not in the archive.
    All,
    /// Those in the archive, too.
    Archived,
}

impl Broker {
    /// A page of the requests that the actor may see and `wanted` takes, oldest first.
    ///
    /// # Errors
    /// They cannot be read, or what the page begins after is not there.
    pub fn requests_page(
        &self,
        actor: &Actor,
        list: RequestList,
        page: &Page,
        wanted: impl Fn(&Request) -> bool,
    ) -> Result<Paged<Request>, BrokerError> {
        let after = match &page.after {
            Some(id) => Some(self.request(id, actor).map(|request| (request.created, request.id))?),
            None => None,
        };
        let shown = |request: &Request| wanted(request) && self.sees_request(request, actor) == Match::Yes;
        if list.waiting {
            let mut window = Window::new(page.limit, after);
            for request in self.live.pending() {
                let key = (request.created, request.id.clone());
                if window.is_for(&key) && shown(&request) {
                    window.take(key, request);
                }
            }
            return Ok(window.finish());
        }
        let fits = |state| match (list.state, state) {
            // Over by the clock may not have been written down yet.
            (Some(RequestState::Lapsed), Indexed::Request(RequestState::Pending)) => true,
            (Some(wanted), Indexed::Request(state)) => wanted == state,
            (Some(_) | None, Indexed::Request(_) | Indexed::Grant(_) | Indexed::Other) => true,
        };
        let lists = self.lists(actor, Kind::Requests, list.mine, list.archived);
        let after = after.map(|(created, id)| List::key(Some(created), &id)).unwrap_or_default();
        self.page(lists, after, page.limit, fits, |document| match document {
            Document::Request(request) => Some(request).filter(&shown),
            Document::Grant(_) | Document::Lock(_) | Document::Notification(_) => None,
        })
    }

    /// A page of the grants that the actor may see, oldest first.
    ///
    /// # Errors
    /// They cannot be read, or what the page begins after is not there.
    pub fn grants_page(&self, actor: &Actor, which: Which, page: &Page) -> Result<Paged<Grant>, BrokerError> {
        let after = match &page.after {
            Some(id) => Some(self.grant(id, actor).map(|grant| (grant.from, grant.id))?),
            None => None,
        };
        let now = self.clock.now().wall;
        let shown = |grant: &Grant| self.sees_grant(grant, actor) == Match::Yes;
        let live = match which {
            Which::Active => self.live.grants().into_iter().filter(|grant| !grant.state_at(now).is_end()).collect(),
            Which::Unsigned => self.live.unsigned(),
            Which::All | Which::Archived => {
                let lists = self.lists(actor, Kind::Grants, false, which == Which::Archived);
                let after = after.map(|(from, id)| List::key(Some(from), &id)).unwrap_or_default();
                return self.page(
                    lists,
                    after,
                    page.limit,
                    |_| true,
                    |document| match document {
                        Document::Grant(grant) => Some(grant).filter(shown),
                        Document::Request(_) | Document::Lock(_) | Document::Notification(_) => None,
                    },
                );
            }
        };
        let mut window = Window::new(page.limit, after);
        for grant in live {
            let key = (grant.from, grant.id.clone());
            if window.is_for(&key) && shown(&grant) {
                window.take(key, grant);
            }
        }
        Ok(window.finish())
    }

    /// The lists in which everything is that the actor may see, and perhaps more.
    fn lists(&self, actor: &Actor, kind: Kind, mine: bool, archived: bool) -> Vec<List> {
        let places: &[bool] = if archived { &[false, true] } else { &[false] };
        self.with_context(|context| {
            let mut lists = Vec::new();
            for &archived in places {
                if !mine && context.sees_everything(actor) {
                    lists.push(List::All { kind, archived });
                    continue;
                }
                let own = actor.acts.dn.iter().map(|dn| List::Of { person: Person::of(dn), kind, archived });
                lists.extend(own);
                if mine || context.check_unlocked(actor).is_err() {
                    continue;
                }
                let reviewed = context.policy.roles.iter().filter(|role| context.is(&role.approvers, &actor.acts));
                lists.extend(reviewed.map(|role| List::Role { role: role.name.to_string(), kind, archived }));
            }
            lists
        })
    }

    /// Goes through lists until a page is full. Only entries that fit are read.
    fn page<T>(
        &self,
        lists: Vec<List>,
        after: Vec<u8>,
        limit: usize,
        fits: impl Fn(Indexed) -> bool,
        take: impl Fn(Document) -> Option<T>,
    ) -> Result<Paged<T>, BrokerError> {
        let mut merged = Merged::new(&*self.store, lists, &after);
        let mut items = Vec::new();
        while let Some(listed) = merged.next()? {
            if !fits(listed.state) {
                continue;
            }
            let Some(item) = self.load(&listed.id)?.and_then(&take) else { continue };
            if items.len() == limit {
                return Ok(Paged { items, more: true });
            }
            items.push(item);
        }
        Ok(Paged { items, more: false })
    }
}

/// Several lists as one, in the order of their keys; what stands in more than one comes once.
struct Merged<'a> {
    store: &'a dyn GrantStore,
    lists: Vec<Part>,
}

/// One of them, read as far as it was needed.
struct Part {
    list: List,
    read: VecDeque<Listed>,
    after: Vec<u8>,
    over: bool,
}

impl<'a> Merged<'a> {
    fn new(store: &'a dyn GrantStore, lists: Vec<List>, after: &[u8]) -> Merged<'a> {
        let part = |list| Part { list, read: VecDeque::new(), after: after.to_vec(), over: false };
        Merged { store, lists: lists.into_iter().map(part).collect() }
    }

    fn next(&mut self) -> Result<Option<Listed>, StoreError> {
        for part in self.lists.iter_mut().filter(|part| part.read.is_empty() && !part.over) {
            part.read = self.store.list(&part.list, &part.after, AT_ONCE)?.into();
            part.over = part.read.len() < AT_ONCE;
            if let Some(last) = part.read.back() {
                part.after.clone_from(&last.key);
            }
        }
        let first = self.lists.iter().filter_map(|part| part.read.front()).map(|listed| &listed.key).min().cloned();
        let Some(key) = first else { return Ok(None) };
        let mut found = None;
        for part in &mut self.lists {
            if part.read.front().is_some_and(|listed| listed.key == key) {
                found = part.read.pop_front();
            }
        }
        Ok(found)
    }
}
