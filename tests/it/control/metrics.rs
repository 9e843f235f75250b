//! `GET /metrics`: what Prometheus makes of it, who may read it, and that the documented way to read it works.

use super::{open_with, person};
use crate::support::certs::Authority;
use crate::support::command::{feed, run};
use crate::support::eventually;
use crate::support::gate::Setup;
use crate::support::https::Https;
use crate::support::ldap::{SCOPE_BASE, Search};
use crate::support::slapd::{BASE, Slapd, free_port};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample}:\n{text}")).parse().unwrap()
}

#[test]
fn it_counts_what_was_done_and_prometheus_reads_it() {
    let (_slapd, gate) = open_with("");
    let grant = gate.granted("alice", "payroll-reader", &[]);
    let mut client = gate.client_as("alice");
    let payroll = Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE);
    assert_eq!(client.search(&payroll).answer.code, 0);
    assert_eq!(gate.client_as("carol").search(&payroll).answer.code, 50);
    assert_eq!(client.search(&Search::new(BASE).filter("(sn=Employee)")).answer.code, 0);
    gate.cli("alice", &["approve", "req-none"]).expect(1);
    assert_ne!(Https::new(&gate).log_in("alice", "wrong").status, 200);
    let administrator = person(&gate, "root-admin");
    let read = || {
        let answer = administrator.get("/metrics");
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        answer.text
    };
    let text = eventually("it is counted", || {
        let text = read();
        (value(&text, r#"tidegate_operations_total{operation="search",decision="permitted"}"#) >= 2.0).then_some(text)
    });
    for (sample, least) in [
        (r#"tidegate_operations_total{operation="search",decision="refused"}"#, 1.0),
        (r#"tidegate_operations_total{operation="bind",decision="permitted"}"#, 2.0),
        (r#"tidegate_results_total{code="50"}"#, 1.0),
        (r#"tidegate_operation_duration_seconds_count{operation="search"}"#, 2.0),
        ("tidegate_entries_total", 1.0),
        (r#"tidegate_sessions{listener="ldaps"}"#, 1.0),
        (r#"tidegate_sessions_total{listener="ldaps"}"#, 2.0),
        ("tidegate_upstream_connections", 1.0),
        (r#"tidegate_grants{state="active"}"#, 1.0),
        (r#"tidegate_notifications{state="dead"}"#, 0.0),
        (r#"tidegate_events_total{event="approved"}"#, 1.0),
        (r#"tidegate_events_total{event="logged in"}"#, 1.0),
        (r#"tidegate_refusals_total{attempt="log in",reason="login-failed"}"#, 1.0),
        ("tidegate_config_last_reload_success_timestamp_seconds", 1_600_000_000.0),
        (r#"tidegate_certificate_expiry_timestamp_seconds{port="ldap"}"#, 1_600_000_000.0),
        (r#"tidegate_certificate_expiry_timestamp_seconds{port="control"}"#, 1_600_000_000.0),
        ("tidegate_log_recording", 1.0),
    ] {
        assert!(value(&text, sample) >= least, "{sample}:\n{text}");
    }
    assert_eq!(
        text.lines().filter(|line| line.starts_with("tidegate_upstream_up{") && line.ends_with(" 1")).count(),
        1
    );
    for name in ["alice", "carol", "payroll", "employee", grant.as_str()] {
        assert!(!text.to_lowercase().contains(name), "{name} is nobody's but theirs:\n{text}");
    }
    let checked = feed(Command::new("promtool").args(["check", "metrics"]), text.as_bytes());
    assert_eq!((checked.code, checked.stdout.as_str(), checked.stderr.as_str()), (0, "", ""), "{text}");

    std::fs::write(&gate.configuration, "nothing").unwrap();
    gate.cli("root-admin", &["reload"]).expect(1);
    assert_eq!(value(&read(), "tidegate_config_last_reload_successful"), 0.0);
    drop(client);
    eventually("sessions end", || (value(&read(), r#"tidegate_sessions{listener="ldaps"}"#) == 0.0).then_some(()));
}

#[test]
fn not_everybody_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let people = Authority::new(folder.path());
    let lines = format!("client_ca = {:?}\nmetrics = [\"certificate:cn=prometheus\"]", people.ca);
    let (_slapd, gate) = open_with(&lines);
    let certificate = |name: &str| Https::new(&gate).with_certificate(people.person(name));
    for (caller, status) in [
        (Https::new(&gate), 401),
        (person(&gate, "alice"), 403),
        (certificate("alice"), 403),
        (certificate("prometheus"), 200),
        (person(&gate, "erin"), 200),
        (person(&gate, "root-admin"), 200),
    ] {
        let answer = caller.get("/metrics");
        assert_eq!(answer.status, status, "{answer:#?}");
    }
    // What it may read, and nothing else.
    assert_eq!(certificate("prometheus").get("/v1/requests").json(), serde_json::json!([]));
    // Whoever may open the socket.
    let mut socket = std::os::unix::net::UnixStream::connect(&gate.control).unwrap();
    socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.contains("tidegate_build_info"), "{text}");
}

fn block(first: &str) -> String {
    let manual = include_str!("../../../docs/operations.md");
    let begin = format!("```yaml\n{first}");
    let at = manual.find(&begin).unwrap_or_else(|| panic!("no {first} in the manual")) + "```yaml\n".len();
    manual[at..].split("```").next().unwrap().to_owned()
}

fn ask(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// The lines of the manual, with the places of this machine in them, in a Prometheus.
#[test]
fn the_manual_says_how_prometheus_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let people = Authority::new(folder.path());
    let slapd = Slapd::start();
    let lines = format!("client_ca = {:?}\nmetrics = [\"certificate:cn=prometheus\"]", people.ca);
    let gate = Setup::default().https().control_lines(&lines).start(&slapd);
    let (certificate, key) = people.person("prometheus");
    let mut text = block("scrape_configs:");
    for (written, here) in [
        ("gate.example.com:8443", format!("127.0.0.1:{}", gate.https)),
        ("/etc/prometheus/gate-ca.pem", gate.authority.ca.display().to_string()),
        ("/etc/prometheus/prometheus.pem", certificate.display().to_string()),
        ("/etc/prometheus/prometheus.key", key.display().to_string()),
    ] {
        assert!(text.contains(written), "{written}");
        text = text.replace(written, &here);
    }
    let rules = folder.path().join("rules.yml");
    std::fs::write(&rules, block("groups:")).unwrap();
    run(Command::new("promtool").args(["check", "rules"]).arg(&rules)).expect(0);
    let configuration = folder.path().join("prometheus.yml");
    std::fs::write(&configuration, format!("global: {{ scrape_interval: 1s }}\nrule_files: [{rules:?}]\n{text}"))
        .unwrap();
    run(Command::new("promtool").args(["check", "config"]).arg(&configuration)).expect(0);
    let port = free_port();
    let mut prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", configuration.display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let found = std::panic::catch_unwind(|| {
        eventually("a sample", || {
            ask(port, "/api/v1/query?query=tidegate_build_info").filter(|answer| answer.contains("\"instance\""))
        })
    });
    let _ = prometheus.kill();
    let _ = prometheus.wait();
    assert!(found.is_ok_and(|answer| answer.contains("\"success\"")));
}
