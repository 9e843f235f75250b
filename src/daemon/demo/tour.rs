//! The tour: what to try, step by step. The same steps are printed to be pasted, or taken here with an
//! LDAP client and the command line of this very program, and then must go as they say.

use super::DemoError;
use super::place::Place;
use crate::daemon::ldap_client::{LdapClient, base_search};
use crate::daemon::tls;
use ldap3_proto::parse_ldap_filter_str;
use ldap3_proto::proto::{
    LdapModify, LdapModifyRequest, LdapModifyType, LdapOp, LdapPartialAttribute, LdapResult, LdapSearchRequest,
    LdapSearchScope,
};
use rustls_pki_types::ServerName;
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const ALICE: &str = "uid=alice,ou=people,dc=example,dc=com";
const BOB: &str = "uid=bob,ou=people,dc=example,dc=com";
const PAYROLL: &str = "ou=payroll,dc=example,dc=com";
/// How many operations the tour sees refused.
const REFUSALS: usize = 3;
const RECORD: &str = "employeeNumber=1003,ou=payroll,dc=example,dc=com";

/// One thing to do.
enum Act {
    /// A search as Alice: base, filter, attributes.
    Search(&'static str, &'static str, &'static [&'static str]),
    /// Alice changes a telephone number.
    Modify,
    /// The command line, as somebody. `{request}` and `{grant}` stand for ids that earlier answers gave.
    Tidegate(&'static [&'static str], &'static str),
    /// The last lines of the log.
    Log,
}

/// How it must go.
enum Expected {
    /// A search finds so many entries.
    Entries(usize),
    /// An operation ends with this result code.
    Code(i64),
    /// The command does what it is told.
    Done,
}

struct Step {
    say: &'static str,
    act: Act,
    expected: Expected,
}

fn steps() -> Vec<Step> {
    const PAY: &[&str] = &["cn", "description"];
    let step = |say, act, expected| Step { say, act, expected };
    vec![
        step(
            "Alice works in HR. What is not protected she reads as ever.",
            Act::Search("ou=people,dc=example,dc=com", "(uid=bob)", &["cn", "title"]),
            Expected::Entries(1),
        ),
        step(
            "Payroll is protected and nobody holds standing access: refused, and told what opens it.",
            Act::Search(PAYROLL, "(objectClass=*)", PAY),
            Expected::Code(50),
        ),
        step(
            "A search from the top is answered, but what is in payroll is left out of it.",
            Act::Search("dc=example,dc=com", "(sn=Archer)", &["cn"]),
            Expected::Entries(1),
        ),
        step(
            "She asks for the role that opens it.",
            Act::Tidegate(
                &["request", "payroll-reader", "--reason", "question about a payslip", "--for", "10m"],
                ALICE,
            ),
            Expected::Done,
        ),
        step(
            "Bob leads HR. He sees what waits for him.",
            Act::Tidegate(&["requests", "--to-review"], BOB),
            Expected::Done,
        ),
        step("He approves exactly what he is shown.", Act::Tidegate(&["approve", "{request}"], BOB), Expected::Done),
        step(
            "The same search again: the gate is open, for Alice, for ten minutes.",
            Act::Search(PAYROLL, "(objectClass=*)", PAY),
            Expected::Entries(5),
        ),
        step("The role is for reading: writing is refused still.", Act::Modify, Expected::Code(50)),
        step(
            "She is done before the time is over, and gives it back.",
            Act::Tidegate(&["release", "{grant}"], ALICE),
            Expected::Done,
        ),
        step("Refused again, at once.", Act::Search(PAYROLL, "(objectClass=*)", PAY), Expected::Code(50)),
        step("The log has it all: who did what, under which grant, and what was refused.", Act::Log, Expected::Done),
    ]
}

/// Writes what to paste. `program` is how this program is called.
///
/// # Errors
/// When it cannot be written.
pub fn print(out: &mut dyn Write, place: &Place, program: &Path) -> std::io::Result<()> {
    writeln!(out, "\nIn another terminal, first:\n")?;
    if place.directory.is_relative() {
        writeln!(out, "  cd {}", quoted(&std::env::current_dir()?.to_string_lossy()))?;
    }
    writeln!(out, "  export LDAPTLS_CACERT={}", quoted(&place.ca().to_string_lossy()))?;
    writeln!(out, "  export TIDEGATE_CONTROL={}", quoted(&place.socket().to_string_lossy()))?;
    writeln!(out, "  tidegate() {{ {} \"$@\"; }}", quoted(&program.to_string_lossy()))?;
    for (number, step) in steps().iter().enumerate() {
        writeln!(out, "\n{}. {}\n", number + 1, step.say)?;
        writeln!(out, "  {}", step.act.shell(place))?;
    }
    writeln!(out, "\nPasswords of the people are their names with \"-demo\": alice-demo, bob-demo, and so on.")
}

/// Takes the tour and shows each step. `program` is this program.
///
/// # Errors
/// When a step goes another way than it should.
pub async fn take(out: &mut (dyn Write + Send), place: &Place, program: &Path) -> Result<(), DemoError> {
    let mut tour = Tour { place, program: program.to_owned(), request: None, grant: None };
    for (number, step) in steps().iter().enumerate() {
        let shown = format!("\n{}. {}\n\n  $ {}\n", number + 1, step.say, tour.fill(&step.act.shell(place)));
        show(out, &shown)?;
        let (text, as_expected) = tour.act(step).await?;
        let indented: String = text.lines().map(|line| format!("  {line}\n")).collect();
        show(out, &indented)?;
        if !as_expected {
            return Err(DemoError::Tour(format!("step {} should have gone another way", number + 1)));
        }
    }
    show(out, "\nThat was the tour.\n")
}

fn show(out: &mut (dyn Write + Send), text: &str) -> Result<(), DemoError> {
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| DemoError::Tour(error.to_string()))
}

/// For a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

impl Act {
    /// What to paste.
    fn shell(&self, place: &Place) -> String {
        let ldaps = place.ports.ldaps;
        let ldap = |tool| format!("{tool} -x -H ldaps://{ldaps} -D {ALICE} -w alice-demo");
        match self {
            Act::Search(base, filter, attributes) => {
                format!("{} -LLL -b {base} {} {}", ldap("ldapsearch"), quoted(filter), attributes.join(" "))
            }
            Act::Modify => {
                let change =
                    format!("dn: {RECORD}\\nchangetype: modify\\nreplace: telephoneNumber\\ntelephoneNumber: 1\\n");
                format!("printf '{change}' | {}", ldap("ldapmodify"))
            }
            Act::Tidegate(arguments, who) => {
                let ids = |argument: &str| match argument {
                    "{request}" => format!(
                        "$(tidegate requests --to-review --as {who} --output json | grep -o 'req-[0-9a-z]*' | head -n 1)"
                    ),
                    "{grant}" => format!(
                        "$(tidegate grants --active --as {who} --output json | grep -o 'grant-[0-9a-z]*' | head -n 1)"
                    ),
                    plain => quoted(plain),
                };
                let arguments: Vec<String> = arguments.iter().map(|argument| ids(argument)).collect();
                format!("tidegate {} --as {who}", arguments.join(" "))
            }
            Act::Log => format!("cat {}/*.jsonl", quoted(&place.audit().to_string_lossy())),
        }
    }
}

/// A tour that is being taken.
struct Tour<'a> {
    place: &'a Place,
    program: PathBuf,
    request: Option<String>,
    grant: Option<String>,
}

impl Tour<'_> {
    /// Puts the ids that are known where the shell would look them up.
    fn fill(&self, shell: &str) -> String {
        let known = [("req-", &self.request), ("grant-", &self.grant)];
        let replaced = known.iter().find_map(|(kind, id)| {
            let id = id.as_ref()?;
            let (before, rest) = shell.split_once("$(")?;
            let (lookup, after) = rest.split_once(')')?;
            lookup.contains(&format!("'{kind}")).then(|| format!("{before}{id}{after}"))
        });
        replaced.unwrap_or_else(|| shell.to_owned())
    }

    /// What it showed, and whether it went as it should.
    async fn act(&mut self, step: &Step) -> Result<(String, bool), DemoError> {
        match &step.act {
            Act::Search(base, filter, attributes) => {
                let wanted = LdapSearchRequest {
                    scope: LdapSearchScope::Subtree,
                    filter: parse_ldap_filter_str(filter).map_err(failed)?,
                    ..base_search(base, attributes.iter().map(|name| (*name).to_owned()).collect())
                };
                let (entries, result) = self.client().await?.search(wanted).await.map_err(failed)?;
                let mut text = String::new();
                for entry in &entries {
                    _ = writeln!(text, "dn: {}", entry.dn);
                    for attribute in &entry.attributes {
                        let values = attribute.vals.iter().map(|value| String::from_utf8_lossy(value));
                        values.for_each(|value| _ = writeln!(text, "{}: {value}", attribute.atype));
                    }
                    text.push('\n');
                }
                Ok((text + &end(&result), step.expected.fits(entries.len(), &result)))
            }
            Act::Modify => {
                let modification =
                    LdapPartialAttribute { atype: "telephoneNumber".to_owned(), vals: vec![b"1".to_vec()] };
                let changes = vec![LdapModify { operation: LdapModifyType::Replace, modification }];
                let request = LdapOp::ModifyRequest(LdapModifyRequest { dn: RECORD.to_owned(), changes });
                match self.client().await?.request(request).await.map_err(failed)? {
                    LdapOp::ModifyResponse(result) => Ok((end(&result), step.expected.fits(0, &result))),
                    other => Err(failed(format!("{other:?}"))),
                }
            }
            Act::Tidegate(arguments, who) => self.tidegate(arguments, who).await,
            Act::Log => self.log().await,
        }
    }

    /// A client that is bound as Alice through the gate.
    async fn client(&self) -> Result<LdapClient<TlsStream<TcpStream>>, DemoError> {
        let connector = TlsConnector::from(Arc::new(tls::client_config(&self.place.ca()).map_err(failed)?));
        let stream = TcpStream::connect(self.place.ports.ldaps).await.map_err(failed)?;
        let name = ServerName::from(self.place.ports.ldaps.ip());
        let stream = connector.connect(name, stream).await.map_err(failed)?;
        let mut client = LdapClient::new(stream, Duration::from_secs(10));
        let result = client.bind(ALICE, "alice-demo").await.map_err(failed)?;
        match result.code.clone() as i64 {
            0 => Ok(client),
            _ => Err(failed(end(&result))),
        }
    }

    /// Runs this program's command line as a process of its own, as a person would.
    async fn tidegate(&mut self, arguments: &[&str], who: &str) -> Result<(String, bool), DemoError> {
        let filled = arguments.iter().map(|argument| match *argument {
            "{request}" => self.request.clone().ok_or_else(|| failed("no request was made")),
            "{grant}" => self.grant.clone().ok_or_else(|| failed("no grant was made")),
            plain => Ok(plain.to_owned()),
        });
        let mut command = Command::new(&self.program);
        command.args(filled.collect::<Result<Vec<_>, _>>()?).args(["--as", who]).arg("--control");
        command.arg(self.place.socket()).stdin(std::process::Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output()).await.map_err(failed)?.map_err(failed)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        self.request = id(&text, "req-").or(self.request.take());
        self.grant = id(&text, "grant-").or(self.grant.take());
        Ok((text, output.status.success()))
    }

    /// What was recorded, in short. The last record reaches the disk a moment after its operation.
    async fn log(&self) -> Result<(String, bool), DemoError> {
        let mut tries = 0;
        loop {
            let shown = self.records()?;
            let refused = shown.matches("decision=\"refused\"").count();
            let complete = refused >= REFUSALS && shown.contains("decision=\"permitted\" grant=\"grant-");
            tries += 1;
            if complete || tries > 100 {
                return Ok((shown, complete));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn records(&self) -> Result<String, DemoError> {
        const FIELDS: &[&str] = &[
            "time",
            "event",
            "by",
            "acting_as",
            "subject",
            "operation",
            "target",
            "decision",
            "grant",
            "entries",
            "withheld",
        ];
        let entries = std::fs::read_dir(self.place.audit()).map_err(failed)?;
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        files.sort();
        let mut shown = String::new();
        for path in files {
            let text = std::fs::read_to_string(path).map_err(failed)?;
            // The last line may be half written.
            for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
                let record: serde_json::Value = serde_json::from_str(line).map_err(failed)?;
                // The ended line says it all.
                if record["phase"] == "begun" {
                    continue;
                }
                let present = FIELDS.iter().filter(|field| !record[**field].is_null() && record[**field] != 0);
                let fields: Vec<String> = present.map(|field| format!("{field}={}", record[*field])).collect();
                _ = writeln!(shown, "{}", fields.join(" "));
            }
        }
        Ok(shown)
    }
}

impl Expected {
    fn fits(&self, entries: usize, result: &LdapResult) -> bool {
        let code = result.code.clone() as i64;
        match self {
            Expected::Entries(wanted) => code == 0 && entries == *wanted,
            Expected::Code(wanted) => code == *wanted,
            Expected::Done => true,
        }
    }
}

/// How an operation ended, as `ldapsearch` would say it.
fn end(result: &LdapResult) -> String {
    match result.code.clone() as i64 {
        0 => String::new(),
        50 => format!("Insufficient access (50)\n{}\n", result.message),
        code => format!("{:?} ({code})\n{}\n", result.code, result.message),
    }
}

/// The first id of this kind in a text.
fn id(text: &str, kind: &str) -> Option<String> {
    let (_, rest) = text.split_once(kind)?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    Some(format!("{kind}{}", rest.get(..end)?))
}

fn failed(error: impl ToString) -> DemoError {
    DemoError::Tour(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::clock::Clock;
    use crate::daemon::demo::place::Ports;
    use std::process::Stdio;

    #[test]
    fn what_is_printed_can_be_pasted() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("it's here");
        let behind = ([127, 0, 0, 1], 1).into();
        let place = Place::prepare(Some(&directory), Ports::default(), behind, Clock::new().now()).unwrap();
        let mut printed = Vec::new();
        print(&mut printed, &place, Path::new("/usr/bin/true")).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        for part in
            ["ldaps://127.0.0.1:1636 -D uid=alice", "request payroll-reader --reason 'question", "/usr/bin/true"]
        {
            assert!(printed.contains(part), "{part} is not in {printed}");
        }
        let commands: String =
            printed.lines().filter_map(|line| line.strip_prefix("  ")).map(|line| format!("{line}\n")).collect();
        assert_eq!(commands.lines().count(), 3 + steps().len());
        let mut shell = Command::new("sh").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success(), "{commands}");
    }

    #[test]
    fn ids_are_found_and_filled_in() {
        assert_eq!(id("made req-0a1z.\n", "req-"), Some("req-0a1z".to_owned()));
        assert_eq!(id("nothing", "req-"), None);
        let parent = tempfile::tempdir().unwrap();
        let behind = ([127, 0, 0, 1], 1).into();
        let place = Place::prepare(Some(parent.path()), Ports::default(), behind, Clock::new().now()).unwrap();
        let tour = Tour {
            place: &place,
            program: PathBuf::new(),
            request: Some("req-7".to_owned()),
            grant: Some("grant-8".to_owned()),
        };
        let approve = Act::Tidegate(&["approve", "{request}"], BOB).shell(&place);
        assert_eq!(tour.fill(&approve), format!("tidegate approve req-7 --as {BOB}"));
        let release = Act::Tidegate(&["release", "{grant}"], ALICE).shell(&place);
        assert_eq!(tour.fill(&release), format!("tidegate release grant-8 --as {ALICE}"));
    }
}
