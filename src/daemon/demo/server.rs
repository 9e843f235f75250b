//! The built-in directory as a server: LDAP messages in, LDAP messages out.
//!
//! For the demo and for trying things, on this machine only: no TLS, everybody who is bound may do
//! everything, what is written is gone when it stops.

use super::entry::{Attribute, Entry, Fault, canonical};
use super::tree::{LoadError, Tree};
use crate::engine::ldap::Dn;
use crate::engine::ldap::schema::{ATTRIBUTE_TYPES, Rule};
use futures_util::{SinkExt, StreamExt};
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapBindCred, LdapBindRequest, LdapBindResponse, LdapExtendedRequest, LdapExtendedResponse, LdapMsg, LdapOp,
    LdapPartialAttribute, LdapPasswordModifyRequest, LdapPasswordModifyResponse, LdapResult, LdapResultCode,
    LdapSearchRequest, LdapSearchResultEntry, LdapSearchScope, OID_PASSWORD_MODIFY, OID_WHOAMI,
};
use ldap3_proto::{DisconnectionNotice, LdapCodec};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::Framed;

const MAX_MESSAGE: usize = 1 << 20;
const SUBSCHEMA: &str = "cn=subschema";
const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
const TREE_DELETE: &str = "1.2.840.113556.1.4.805";

/// A directory in memory. Clones are the same directory.
#[derive(Debug, Clone)]
pub struct BuiltInDirectory {
    tree: Arc<Mutex<Tree>>,
}

impl BuiltInDirectory {
    /// A directory with what an LDIF holds. Its first entry is the naming context.
    ///
    /// # Errors
    /// When the LDIF is not one, or an entry has no place.
    pub fn load(ldif: &str) -> Result<BuiltInDirectory, LoadError> {
        Ok(BuiltInDirectory { tree: Arc::new(Mutex::new(Tree::load(ldif)?)) })
    }

    /// Serves everybody who connects, for as long as the future is polled.
    pub async fn serve(self, listener: TcpListener) {
        let mut sessions = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => _ = sessions.spawn(Session::new(self.clone()).run(stream)),
                    Err(error) => {
                        tracing::warn!(%error, "the built-in directory cannot accept a connection");
                        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    }
                },
                Some(_) = sessions.join_next() => {}
            }
        }
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection.
struct Session {
    directory: BuiltInDirectory,
    /// Whom it is bound as.
    bound: Option<Dn>,
}

impl Session {
    fn new(directory: BuiltInDirectory) -> Session {
        Session { directory, bound: None }
    }

    async fn run(mut self, stream: TcpStream) {
        let mut framed = Framed::new(stream, LdapCodec::new(Some(MAX_MESSAGE), None));
        while let Some(message) = framed.next().await {
            let answers = match message {
                Ok(LdapMsg { op: LdapOp::UnbindRequest, .. }) => return,
                Ok(message) => self.answer(message),
                Err(_) => {
                    let notice = DisconnectionNotice::gen_response(LdapResultCode::ProtocolError, "not understood");
                    // The connection ends here, whether it can be told so or not.
                    _ = framed.send(notice).await;
                    return;
                }
            };
            for answer in answers {
                if framed.feed(answer).await.is_err() {
                    return;
                }
            }
            if framed.flush().await.is_err() {
                return;
            }
        }
    }

    fn answer(&mut self, message: LdapMsg) -> Vec<LdapMsg> {
        let LdapMsg { msgid, op, ctrl } = message;
        let one = |op| vec![LdapMsg::new(msgid, op)];
        if let LdapOp::SearchRequest(request) = op {
            return self.search(msgid, &request, &ctrl);
        }
        let checked = check_controls(&ctrl, matches!(op, LdapOp::DelRequest(_)));
        match op {
            LdapOp::BindRequest(request) => one(LdapOp::BindResponse(self.bind(&request))),
            LdapOp::ModifyRequest(request) => one(LdapOp::ModifyResponse(result(
                checked.and(self.writer()).and_then(|()| self.directory.tree().modify(&request.dn, &request.changes)),
            ))),
            LdapOp::AddRequest(request) => {
                let attributes: Vec<_> = request.attributes.into_iter().map(|a| (a.atype, a.vals)).collect();
                let added = checked.and(self.writer());
                one(LdapOp::AddResponse(result(
                    added.and_then(|()| self.directory.tree().add(&request.dn, &attributes)),
                )))
            }
            LdapOp::DelRequest(name) => {
                let with_children = ctrl.iter().any(|control| oid(control) == TREE_DELETE);
                let may = checked.and(self.writer());
                one(LdapOp::DelResponse(result(may.and_then(|()| self.directory.tree().delete(&name, with_children)))))
            }
            LdapOp::ModifyDNRequest(request) => one(LdapOp::ModifyDNResponse(result(
                checked.and(self.writer()).and_then(|()| self.directory.tree().rename(&request)),
            ))),
            LdapOp::CompareRequest(request) => {
                let compared = checked
                    .and_then(|()| secret(&request.atype))
                    .and_then(|()| self.directory.tree().compare(&request.dn, &request.atype, &request.val));
                let code = |equal| if equal { LdapResultCode::CompareTrue } else { LdapResultCode::CompareFalse };
                let answer = compared.map(|equal| LdapResult { code: code(equal), ..success() });
                one(LdapOp::CompareResult(answer.unwrap_or_else(failure)))
            }
            LdapOp::ExtendedRequest(request) => one(LdapOp::ExtendedResponse(self.extended(&request))),
            // RFC 4511 4.11: no answer. Everything here is done before the next message is read.
            LdapOp::AbandonRequest(_) => Vec::new(),
            _ => vec![DisconnectionNotice::gen_response(LdapResultCode::ProtocolError, "not a request")],
        }
    }

    fn bind(&mut self, request: &LdapBindRequest) -> LdapBindResponse {
        // RFC 4511 4.2.1: anonymous from here on, unless this succeeds.
        self.bound = None;
        let outcome = match &request.cred {
            _ if request.version != 3 => Err(Fault::new(LdapResultCode::ProtocolError, "only version 3")),
            LdapBindCred::Simple(password) if request.dn.is_empty() && password.is_empty() => Ok(None),
            // RFC 4513 5.1.2.
            LdapBindCred::Simple(password) if password.is_empty() => {
                Err(Fault::new(LdapResultCode::UnwillingToPerform, "a name without a password"))
            }
            LdapBindCred::Simple(password) => match self.directory.tree().bind(&request.dn, password) {
                Some(dn) => Ok(Some(dn)),
                None => Err(Fault::new(LdapResultCode::InvalidCredentials, "")),
            },
            LdapBindCred::SASL(_) | LdapBindCred::Unsupported => {
                Err(Fault::new(LdapResultCode::AuthMethodNotSupported, "only simple binds"))
            }
        };
        let outcome = outcome.map(|dn| self.bound = dn);
        LdapBindResponse { res: result(outcome), saslcreds: None }
    }

    fn writer(&self) -> Result<(), Fault> {
        match self.bound {
            Some(_) => Ok(()),
            None => Err(Fault::new(LdapResultCode::StrongerAuthRequired, "bind before you write")),
        }
    }

    fn extended(&mut self, request: &LdapExtendedRequest) -> LdapExtendedResponse {
        let failed = |fault| LdapExtendedResponse { res: failure(fault), name: None, value: None };
        match request.name.as_str() {
            OID_WHOAMI => {
                let identity = self.bound.as_ref().map_or_else(String::new, |dn| format!("dn:{dn}"));
                LdapExtendedResponse { res: success(), name: None, value: Some(identity.into_bytes()) }
            }
            OID_PASSWORD_MODIFY => self.password(request).unwrap_or_else(failed),
            _ => failed(Fault::new(LdapResultCode::ProtocolError, "an extension that is not known here")),
        }
    }

    /// RFC 3062.
    fn password(&mut self, request: &LdapExtendedRequest) -> Result<LdapExtendedResponse, Fault> {
        self.writer()?;
        let own = LdapPasswordModifyRequest { user_identity: None, old_password: None, new_password: None };
        let wanted = match &request.value {
            None => own,
            Some(_) => LdapPasswordModifyRequest::try_from(request)
                .map_err(|_| Fault::new(LdapResultCode::ProtocolError, "not understood"))?,
        };
        let bound = self.bound.as_ref().map(|dn| dn.text().to_owned());
        let name = wanted.user_identity.or(bound).unwrap_or_default();
        let name = name.strip_prefix("dn:").unwrap_or(&name);
        let generated = match wanted.new_password {
            Some(_) => None,
            None => Some(random_password()?),
        };
        let new = wanted.new_password.as_ref().or(generated.as_ref()).map_or("", String::as_str);
        if new.is_empty() {
            return Err(Fault::new(LdapResultCode::ConstraintViolation, "an empty password"));
        }
        self.directory.tree().set_password(name, wanted.old_password.as_deref(), new)?;
        match generated {
            None => Ok(LdapExtendedResponse { res: success(), name: None, value: None }),
            Some(password) => Ok(LdapPasswordModifyResponse { res: success(), gen_password: Some(password) }.into()),
        }
    }

    fn search(&self, msgid: i32, request: &LdapSearchRequest, controls: &[LdapControl]) -> Vec<LdapMsg> {
        let tree = self.directory.tree();
        let mut answers = Vec::new();
        let done = match check_controls(controls, false).and_then(|()| find(&tree, request)) {
            Err(fault) => LdapMsg::new(msgid, LdapOp::SearchResultDone(failure(fault))),
            Ok(found) => {
                let (page, ctrl) = page(found, controls);
                let limit = usize::try_from(request.sizelimit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
                let exceeded = page.len() > limit;
                let entries = page.into_iter().take(limit).map(|entry| select(&tree, &entry, request));
                answers.extend(entries.map(|entry| LdapMsg::new(msgid, LdapOp::SearchResultEntry(entry))));
                let code = if exceeded { LdapResultCode::SizeLimitExceeded } else { LdapResultCode::Success };
                let res = LdapResult { code, ..success() };
                LdapMsg::new_with_ctrls(msgid, LdapOp::SearchResultDone(res), ctrl)
            }
        };
        answers.push(done);
        answers
    }
}

/// Entries of the tree, and the two that are not in it: rootDSE and subschema.
fn find(tree: &Tree, request: &LdapSearchRequest) -> Result<Vec<Entry>, Fault> {
    let base = Dn::parse(request.base.as_bytes());
    let special = match base {
        Ok(dn) if dn.is_root() && request.scope == LdapSearchScope::Base => Some(root_dse(tree)),
        Ok(dn) if dn.text().eq_ignore_ascii_case(SUBSCHEMA) => Some(subschema(dn)),
        Ok(_) | Err(_) => None,
    };
    if let Some(entry) = special {
        let matched = super::filter::matches(&request.filter, &entry) == Some(true);
        return Ok(if matched { vec![entry] } else { Vec::new() });
    }
    let found = tree.search(&request.base, &request.scope, &request.filter)?;
    Ok(found.into_iter().cloned().collect())
}

/// RFC 2696. The cookie is how many entries were passed already.
fn page(mut found: Vec<Entry>, controls: &[LdapControl]) -> (Vec<Entry>, Vec<LdapControl>) {
    let asked = controls.iter().find_map(|control| match control {
        LdapControl::SimplePagedResults { size, cookie } => Some((*size, cookie.clone())),
        _ => None,
    });
    let Some((size, cookie)) = asked else { return (found, Vec::new()) };
    let passed = std::str::from_utf8(&cookie).ok().and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    found.drain(..passed.min(found.len()));
    let size = usize::try_from(size).unwrap_or(0);
    let more = found.len() > size;
    found.truncate(size);
    let cookie = if more && size > 0 { (passed + size).to_string().into_bytes() } else { Vec::new() };
    (found, vec![LdapControl::SimplePagedResults { size: 0, cookie }])
}

/// What of an entry was asked for (RFC 4511 4.5.1.8, RFC 3673). Passwords are never shown.
fn select(tree: &Tree, entry: &Entry, request: &LdapSearchRequest) -> LdapSearchResultEntry {
    let wanted: Vec<String> = request.attrs.iter().map(|name| canonical(name)).collect();
    let all = wanted.is_empty() || wanted.iter().any(|name| name == "*");
    let operational = wanted.iter().any(|name| name == "+");
    let named = |name: &str| {
        let own = canonical(name);
        wanted.iter().any(|wanted| own == *wanted || own.strip_prefix(wanted).is_some_and(|o| o.starts_with(';')))
    };
    let mut attributes: Vec<Attribute> = entry.attributes.iter().filter(|a| all || named(&a.name)).cloned().collect();
    let children = if tree.has_children(&entry.dn) { "TRUE" } else { "FALSE" };
    for (name, value) in [("entryDN", entry.dn.text()), ("subschemaSubentry", SUBSCHEMA), ("hasSubordinates", children)]
    {
        if (operational || named(name)) && entry.values(name).is_empty() {
            attributes.push(Attribute { name: name.to_owned(), values: vec![value.as_bytes().to_vec()] });
        }
    }
    attributes.retain(|attribute| secret(&attribute.name).is_ok());
    let values = |attribute: &Attribute| if request.typesonly { Vec::new() } else { attribute.values.clone() };
    let attributes =
        attributes.iter().map(|a| LdapPartialAttribute { atype: a.name.clone(), vals: values(a) }).collect();
    LdapSearchResultEntry { dn: entry.dn.text().to_owned(), attributes }
}

fn attribute(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Attribute {
    let values = values.into_iter().map(|value| value.into().into_bytes()).collect();
    Attribute { name: name.to_owned(), values }
}

/// RFC 4512 5.1.
fn root_dse(tree: &Tree) -> Entry {
    let contexts = tree.suffixes().iter().map(|dn| dn.text().to_owned());
    let attributes = vec![
        attribute("objectClass", ["top"]),
        attribute("namingContexts", contexts),
        attribute("subschemaSubentry", [SUBSCHEMA]),
        attribute("supportedLDAPVersion", ["3"]),
        attribute("supportedControl", [PAGED_RESULTS, MANAGE_DSA_IT, TREE_DELETE]),
        attribute("supportedExtension", [OID_WHOAMI, OID_PASSWORD_MODIFY]),
        attribute("supportedFeatures", ["1.3.6.1.4.1.4203.1.5.1", "1.3.6.1.1.14"]),
        attribute("vendorName", ["Tidegate built-in directory, for demonstrations only"]),
    ];
    Entry { dn: Dn::root(), attributes }
}

/// RFC 4512 4.2, as far as names go.
fn subschema(dn: Dn) -> Entry {
    let types = ATTRIBUTE_TYPES.iter().map(|known| {
        let rule = equality(known.rule).map(|rule| format!("EQUALITY {rule} ")).unwrap_or_default();
        format!("( {} NAME '{}' {rule})", known.oid, known.name)
    });
    let attributes = vec![
        attribute("objectClass", ["top", "subentry", "subschema"]),
        attribute("cn", ["subschema"]),
        attribute("attributeTypes", types),
    ];
    Entry { dn, attributes }
}

/// What RFC 4517 and RFC 4530 call the rule by which values are compared; `None`: no standard one.
fn equality(rule: Rule) -> Option<&'static str> {
    match rule {
        Rule::CaseIgnore => Some("caseIgnoreMatch"),
        Rule::CaseExact => Some("caseExactMatch"),
        Rule::Compact => Some("telephoneNumberMatch"),
        Rule::Integer => Some("integerMatch"),
        Rule::Dn => Some("distinguishedNameMatch"),
        Rule::Time => Some("generalizedTimeMatch"),
        Rule::Uuid => Some("uuidMatch"),
        Rule::Bits => Some("bitStringMatch"),
        Rule::Other => None,
    }
}

fn oid(control: &LdapControl) -> &str {
    match control {
        LdapControl::Unknown { oid, .. } => oid,
        _ => "",
    }
}

fn check_controls(controls: &[LdapControl], deleting: bool) -> Result<(), Fault> {
    let unknown = controls.iter().any(|control| match control {
        LdapControl::Unknown { oid, criticality, .. } => *criticality && !(deleting && oid == TREE_DELETE),
        LdapControl::SyncRequest { criticality, .. } => *criticality,
        LdapControl::AdDirsync { .. } => true,
        _ => false,
    });
    match unknown {
        true => Err(Fault::new(LdapResultCode::UnavailableCriticalExtension, "a critical control")),
        false => Ok(()),
    }
}

fn secret(name: &str) -> Result<(), Fault> {
    match canonical(name).split(';').next() {
        Some("userpassword") => Err(Fault::new(LdapResultCode::InsufficentAccessRights, "")),
        _ => Ok(()),
    }
}

fn success() -> LdapResult {
    LdapResult { code: LdapResultCode::Success, matcheddn: String::new(), message: String::new(), referral: Vec::new() }
}

fn failure(fault: Fault) -> LdapResult {
    LdapResult { code: fault.code, matcheddn: fault.matched, message: fault.message, referral: Vec::new() }
}

fn result(outcome: Result<(), Fault>) -> LdapResult {
    outcome.map_or_else(failure, |()| success())
}

fn random_password() -> Result<String, Fault> {
    let mut octets = [0; 12];
    getrandom::fill(&mut octets).map_err(|_| Fault::new(LdapResultCode::Other, "no randomness"))?;
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect())
}
