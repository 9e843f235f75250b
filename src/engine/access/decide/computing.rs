//! Writes that make the directory compute, or look something up: what their subject must hold for it.
//!
//! What is computed stands where nothing protects it, whatever it was made of; so nothing may be hidden from whoever says what
//! it is made of. What is looked up is told of by the answer.

use super::super::asking;
use super::super::holding::{Held, longest};
use super::super::refusal::{not_held, protected_by};
use super::super::{Asks, Refusal};
use super::openness::{IDENTIFIERS, everywhere};
use super::{Deciding, rest_on, searching};
use crate::engine::access::controls::Openness;
use crate::engine::ldap::request::Request;
use crate::engine::ldap::{Dn, ResultCode};
use crate::engine::policy::OperationKind;
use crate::engine::policy::computing::Written;
use crate::engine::policy::requirement::{Need, Spot};

impl<'a> Deciding<'a> {
    /// Refuses what the directory would compute, or look up, from what is hidden from the subject.
    pub(super) fn check_written(&mut self, request: &'a Request<'a>) -> Option<Refusal> {
        let policy = &*self.snapshot.policy;
        if !policy.protects(OperationKind::Search) {
            return None;
        }
        if let Some(refusal) = self.check_configuration() {
            return Some(refusal);
        }
        if !matches!(request, Request::Add(_) | Request::Modify(_) | Request::Rename(_) | Request::Compare(_)) {
            return None;
        }
        let mut found = Vec::new();
        policy.computing().written(request, policy.schema(), &mut |written| {
            if !found.contains(&written) {
                found.push(written);
            }
        });
        let (mut computes, mut identifies, mut unreadable) = (false, false, false);
        for written in found {
            let refusal = match written {
                Written::Computes(name) if !std::mem::replace(&mut computes, true) => self.check_computes(&name),
                Written::Identifies(name) if !std::mem::replace(&mut identifies, true) => self.check_identifies(&name),
                Written::Names(name, dn) => self.check_names(&name, &dn),
                Written::Unreadable(name) if !std::mem::replace(&mut unreadable, true) => self.check_unreadable(&name),
                Written::Computes(_) | Written::Identifies(_) | Written::Unreadable(_) => None,
            };
            if refusal.is_some() {
                return refusal;
            }
        }
        None
    }

    /// Writes to the directory's own configuration, where that is served.
    fn check_configuration(&mut self) -> Option<Refusal> {
        let requirement = self.requirement?;
        let writes = match requirement.kind {
            OperationKind::Add | OperationKind::Modify | OperationKind::Delete | OperationKind::Rename => true,
            OperationKind::Bind | OperationKind::Search | OperationKind::Compare | OperationKind::Password => false,
        };
        let is_special = |name: &Dn| self.snapshot.directory.special.iter().any(|tree| name.is_within(tree));
        if !writes || !requirement.targets().any(is_special) {
            return None;
        }
        self.check_computes("the directory's configuration")
    }

    /// What may be computed from any entry takes access to all of them.
    fn check_computes(&mut self, what: &str) -> Option<Refusal> {
        let policy = &*self.snapshot.policy;
        let closed: Vec<Need<'_>> = everywhere(policy)
            .map(|resource| Need { resource, spot: Spot::Everywhere, attributes: None, leaving: false })
            .filter(|need| !self.is_held(*need, OperationKind::Search))
            .collect();
        let why = format!("{what} makes the directory compute, from anything that it holds: ");
        (!closed.is_empty()).then(|| self.refuse_written(&why, &closed, "computes"))
    }

    /// Names that only the directory can tell: whose they are would be told by the answer.
    fn check_identifies(&mut self, what: &str) -> Option<Refusal> {
        (!self.list_is_open_anywhere(&IDENTIFIERS)).then(|| unreadable(what))
    }

    /// What may be a name to the directory, and of which it is not known whose.
    fn check_unreadable(&mut self, what: &str) -> Option<Refusal> {
        let policy = &*self.snapshot.policy;
        let is_held = |resource| {
            self.is_held(
                Need { resource, spot: Spot::Everywhere, attributes: None, leaving: false },
                OperationKind::Search,
            )
        };
        (!policy.protecting(OperationKind::Search).all(is_held)).then(|| unreadable(what))
    }

    /// Whether an entry is there, and by which name, is for those who may see it.
    fn check_names(&mut self, what: &str, dn: &Dn) -> Option<Refusal> {
        let policy = &*self.snapshot.policy;
        let dn = &*dn.resolved(policy.naming());
        // Their own name, and that of the entry that is written, are known to them.
        let own = self.holder.name().is_some_and(|name| name.is_surely(dn));
        if own || self.requirement.is_some_and(|requirement| requirement.targets().any(|target| target.is_surely(dn))) {
            return None;
        }
        let mut closed = Vec::new();
        for resource in policy.touched(dn, OperationKind::Search) {
            let Some(protected) = policy.resource(resource) else { continue };
            let spans = |held: &Held<'_>| held.spans(Spot::Entry(dn), &protected.base);
            match longest(self.holder.openings(resource, searching).filter(spans)) {
                Some(held) => rest_on(&mut self.permit, policy, held, OperationKind::Search),
                None => closed.push(Need { resource, spot: Spot::Entry(dn), attributes: None, leaving: false }),
            }
        }
        let why = format!("{what} names an entry that is hidden: ");
        (!closed.is_empty()).then(|| self.refuse_written(&why, &closed, "hidden name"))
    }

    /// The same whether or not anything is there.
    fn refuse_written(&self, why: &str, closed: &[Need<'_>], reason: &'static str) -> Refusal {
        let (snapshot, kind) = (self.snapshot, OperationKind::Search);
        let asks = asking::asks(snapshot, self.asked, self.holder, kind, closed);
        let asks = asks.map(|asks| {
            let told = format!("{why}{}", protected_by(&snapshot.policy, kind, closed));
            Box::new(Asks { told, ..*asks })
        });
        let refusal = not_held(snapshot, self.holder, kind, closed, reason);
        Refusal { message: format!("{why}{}", refusal.message), asks, ..refusal }
    }
}

fn unreadable(what: &str) -> Refusal {
    Refusal {
        code: ResultCode::INVALID_ATTRIBUTE_SYNTAX,
        message: format!("{what}: write names as RFC 4514 has them; identifiers and older forms are not served"),
        reason: "unreadable name",
        missing: Vec::new(),
        asks: None,
    }
}
