//! What would happen to an operation now: builds the operation that was described and has it
//! decided on the snapshot that sessions use. Nothing is forwarded.

use super::Control;
use super::answer::{Answer, Failure, json, read};
use super::identity::{Caller, know};
use super::requests::name;
use super::service::sees_everything;
use crate::api::{AsksView, DurationText, ExplainBody, ExplainDecision, ExplainView, HeldBy};
use crate::engine::access::{Asked, Decision, Explanation, Snapshot, Touched, explain as engine};
use crate::engine::ldap::Dn;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::request::{
    AddRequest, Attribute, Authentication, BindName, BindRequest, Change, ChangeKind, CompareRequest, DerefAliases,
    ExtendedRequest, ModifyRequest, RenameRequest, Request, SearchRequest, SearchScope,
};
use crate::engine::policy::asking::OnMissing;
use crate::engine::policy::resource::ResourceIndex;
use crate::engine::policy::role::Role;
use crate::engine::policy::{OperationKind, RefusalStyle, Subject};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use ldap3_proto::proto::LdapFilter;
use std::sync::Arc;

/// Deeper filters are not taken; real ones have a handful of levels.
const MAX_DEPTH: usize = 50;

pub(super) async fn explain(
    State(control): State<Arc<Control>>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body: ExplainBody = read(body)?;
    let subject = match body.as_subject.as_str() {
        "" => Subject::Anonymous,
        text => Subject::Dn(name(text)?),
    };
    let policy = Arc::clone(&control.shared.snapshot.load().policy);
    let is_own = |name: &Dn| caller.actor.acts.is_surely(name, policy.naming());
    let own = match &subject {
        Subject::Anonymous => true,
        Subject::Dn(dn) => is_own(dn),
    };
    // Of a bind, the rights of whoever is bound are shown.
    let own = own && (body.operation != OperationKind::Bind.name() || is_own(&name(&body.target)?));
    let sees_all = caller.owns_process || sees_everything(&control, &caller);
    if !own && !sees_all {
        let why = "only administrators and auditors see what others may do";
        return Err(caller.refused(&control, "explain", &body.as_subject, "not-yours", why));
    }
    let filter = parse_filter(body.filter.as_deref())?;
    let request = operation(&body, &filter)?;
    if let Subject::Dn(dn) = &subject {
        know(&control, Some(dn)).await;
    }
    let snapshot = control.shared.snapshot.load_full();
    let asked =
        Asked { subject: &subject, request: &request, controls: &[], now: control.clock.now(), certificate: None };
    let is_search = matches!(request, Request::Search(_));
    json(StatusCode::OK, &view(&snapshot, engine(&snapshot, &asked), is_search, sees_all))
}

/// `sees_all`: whether all names are shown, also those of what the subject can neither reach nor request.
fn view(snapshot: &Snapshot, mut explanation: Explanation, is_search: bool, sees_all: bool) -> ExplainView {
    if snapshot.policy.refusal == RefusalStyle::Opaque && !sees_all {
        explanation
            .touched
            .iter_mut()
            .for_each(|touched| (touched.roles, touched.emergency) = (Vec::new(), Vec::new()));
    }
    let is_shown = |at: &ResourceIndex| {
        let mut touched = explanation.touched.iter().filter(|touched| touched.resource == *at);
        sees_all || touched.any(|one| one.held.is_some() || !one.roles.is_empty() || !one.emergency.is_empty())
    };
    let names = |list: &[ResourceIndex]| -> Vec<String> {
        let shown = list.iter().filter(|at| is_shown(at)).filter_map(|at| snapshot.policy.resource(*at));
        shown.map(|resource| resource.name.to_string()).collect()
    };
    let touched: Vec<ResourceIndex> = explanation.touched.iter().map(|touched| touched.resource).collect();
    let lacking: Vec<ResourceIndex> =
        explanation.touched.iter().filter(|touched| touched.held.is_none()).map(|touched| touched.resource).collect();
    let role_names = |roles: fn(&Touched) -> &Vec<Arc<Role>>| {
        let mut found: Vec<String> = Vec::new();
        for role in explanation.touched.iter().filter(|touched| touched.held.is_none()).flat_map(roles) {
            if !found.iter().any(|known| **known == *role.name) {
                found.push(role.name.to_string());
            }
        }
        found
    };
    let mut view = ExplainView {
        decision: ExplainDecision::Permitted,
        code: 0,
        message: String::new(),
        reason: String::new(),
        resources: names(&touched),
        missing: Vec::new(),
        roles: role_names(|touched| &touched.roles),
        break_glass_roles: role_names(|touched| &touched.emergency),
        asks: None,
        rests_on: Vec::new(),
        redacted: Vec::new(),
        monitored: false,
    };
    match explanation.decision {
        Decision::Permitted(permit) => {
            view.rests_on = permit
                .rests_on()
                .iter()
                .map(|grant| HeldBy {
                    grant: grant.id.to_string(),
                    request: grant.request.to_string(),
                    role: grant.role.to_string(),
                    until: grant.until,
                })
                .collect();
            view.monitored = permit.monitored().is_some();
            if let Some(refusal) = permit.monitored() {
                view.reason = refusal.reason.to_owned();
                view.missing = names(&refusal.missing);
            }
            // What a permitted search reaches and does not hold is taken out of the answer.
            if is_search {
                view.redacted = names(&lacking);
                if view.reason.is_empty() && view.redacted.len() < lacking.len() {
                    view.reason = "redacted".to_owned();
                }
            }
        }
        Decision::Refused(refusal) => {
            view.decision = ExplainDecision::Refused;
            view.code = refusal.code.0;
            view.reason = refusal.reason.to_owned();
            view.missing = names(&refusal.missing);
            view.message = refusal.message;
            view.asks = refusal.asks.map(|asks| AsksView {
                role: asks.role.to_string(),
                hold_for: match asks.then {
                    OnMissing::Hold(length) => Some(DurationText(length)),
                    OnMissing::Refuse | OnMissing::Request => None,
                },
            });
        }
    }
    view
}

fn operation<'a>(body: &'a ExplainBody, filter: &'a LdapFilter) -> Result<Request<'a>, Failure> {
    let target = Dn::parse(body.target.as_bytes())
        .map_err(|error| Failure::bad_request(format!("target {:?}: {error}", body.target)))?;
    let kind: OperationKind =
        body.operation.parse().map_err(|error| Failure::bad_request(format!("{:?}: {error}", body.operation)))?;
    let attributes = || body.attributes.iter().map(|name| AttributeDescription(name.as_bytes()));
    let valued = || attributes().map(|description| Attribute { description, values: vec![b"x"] });
    Ok(match kind {
        OperationKind::Bind => Request::Bind(BindRequest {
            version: 3,
            name: BindName::Dn(target),
            // Any password: whether it is the right one, only the directory would know.
            authentication: Authentication::Simple(b"x"),
        }),
        OperationKind::Search => Request::Search(SearchRequest {
            base: target,
            scope: scope(body.scope.as_deref())?,
            deref: DerefAliases::Never,
            size_limit: 0,
            time_limit: 0,
            types_only: false,
            filter: convert(filter, 0)?,
            attributes: attributes().collect(),
        }),
        OperationKind::Compare => Request::Compare(CompareRequest {
            entry: target,
            attribute: attributes().next().ok_or_else(|| Failure::bad_request("a compare needs an attribute"))?,
            value: b"x",
        }),
        OperationKind::Add => Request::Add(AddRequest { entry: target, attributes: valued().collect() }),
        OperationKind::Modify => Request::Modify(ModifyRequest {
            entry: target,
            changes: valued().map(|attribute| Change { kind: ChangeKind::Replace, attribute }).collect(),
        }),
        OperationKind::Delete => Request::Delete(target),
        OperationKind::Rename => Request::Rename(RenameRequest {
            new_rdn: new_rdn(body.new_rdn.as_deref())?,
            new_superior: body.new_superior.as_deref().map(name).transpose()?,
            entry: target,
            delete_old_rdn: true,
        }),
        OperationKind::Password => Request::Extended(ExtendedRequest::Password {
            identity: Some(body.target.as_bytes()),
            old: None,
            new: None,
        }),
    })
}

fn new_rdn(text: Option<&str>) -> Result<Dn, Failure> {
    let rdn = name(text.ok_or_else(|| Failure::bad_request("a rename needs new_rdn"))?)?;
    if rdn.depth() == 1 { Ok(rdn) } else { Err(Failure::bad_request("new_rdn has one part")) }
}

fn scope(text: Option<&str>) -> Result<SearchScope, Failure> {
    match text {
        None | Some("subtree") => Ok(SearchScope::Subtree),
        Some("base") => Ok(SearchScope::Base),
        Some("one") => Ok(SearchScope::One),
        Some(other) => Err(Failure::bad_request(format!("{other:?} is not a scope: base, one or subtree"))),
    }
}

fn parse_filter(text: Option<&str>) -> Result<LdapFilter, Failure> {
    let text = text.unwrap_or("(objectClass=*)");
    ldap3_proto::parse_ldap_filter_str(text).map_err(|_| Failure::bad_request(format!("{text:?} is not a filter")))
}

fn convert(filter: &LdapFilter, depth: usize) -> Result<Filter<'_>, Failure> {
    if depth > MAX_DEPTH {
        return Err(Failure::bad_request("the filter is nested too deeply"));
    }
    Ok(match filter {
        LdapFilter::And(list) => Filter::And(list.iter().map(|f| convert(f, depth + 1)).collect::<Result<_, _>>()?),
        LdapFilter::Or(list) => Filter::Or(list.iter().map(|f| convert(f, depth + 1)).collect::<Result<_, _>>()?),
        LdapFilter::Not(inner) => Filter::Not(Box::new(convert(inner, depth + 1)?)),
        LdapFilter::Equality(name, value) => Filter::Equality { attribute: described(name), value: value.as_bytes() },
        LdapFilter::Substring(name, parts) => Filter::Substrings {
            attribute: described(name),
            initial: parts.initial.as_deref().map(str::as_bytes),
            any: parts.any.iter().map(String::as_bytes).collect(),
            last: parts.final_.as_deref().map(str::as_bytes),
        },
        LdapFilter::GreaterOrEqual(name, value) => {
            Filter::GreaterOrEqual { attribute: described(name), value: value.as_bytes() }
        }
        LdapFilter::LessOrEqual(name, value) => {
            Filter::LessOrEqual { attribute: described(name), value: value.as_bytes() }
        }
        LdapFilter::Present(name) => Filter::Present(described(name)),
        LdapFilter::Approx(name, value) => Filter::Approximate { attribute: described(name), value: value.as_bytes() },
        LdapFilter::Extensible(assertion) => Filter::Extensible {
            rule: assertion.matching_rule.as_deref().map(str::as_bytes),
            attribute: assertion.type_.as_deref().map(|name| AttributeDescription(name.as_bytes())),
            value: assertion.match_value.as_bytes(),
            dn_attributes: assertion.dn_attributes,
        },
    })
}

fn described(name: &str) -> AttributeDescription<'_> {
    AttributeDescription(name.as_bytes())
}
