//! Who may read the log, and that it is recorded.

use super::*;
use crate::engine::audit::record::Weight;

#[tokio::test]
async fn only_auditors_and_administrators_read_and_it_is_recorded() {
    let door = Door::open();
    door.audit.handle().event(&json!({ "event": "test" }));
    door.house.sink.take();
    for who in ["anna", "lars", ""] {
        let (status, problem) = door.get(who, routes::AUDIT_VERIFY).await;
        assert_eq!((status, word(&problem)), (403, "not-auditor"), "{who}");
        let events = door.house.sink.take();
        assert_eq!((&events[0]["event"], &events[0]["attempt"]), (&json!("refused"), &json!("read the log")));
    }
    for who in ["rita", "root"] {
        let (status, verified) = door.get(who, routes::AUDIT_VERIFY).await;
        assert_eq!((status, &verified["sound"], &verified["lines"]), (200, &json!(true), &json!(1)), "{verified}");
        let head = verified["head"].as_str().expect("a head");
        let (_, again) = door.get(who, &format!("{}?head={head}", routes::AUDIT_VERIFY)).await;
        assert_eq!(again["sound"], true);
        let events = door.house.sink.take();
        assert_eq!(events.len(), 2);
        let read = &events[1];
        assert_eq!((&read["event"], &read["what"]), (&json!("audit.read"), &json!("verify")), "{read}");
        assert_eq!((&read["acting_as"], &read["query"]), (&json!(as_name(who)), &json!({ "head": head })));
        assert!(read["by"].is_string() && read["connection_from"].is_string(), "{read}");
    }
    let other = format!("{}?head=1:nxhuQgL7Kz9gyq8gwOq1Z6ZIoL9jthBeJ5T6YkwN0R0", routes::AUDIT_VERIFY);
    let (status, verified) = door.get("rita", &other).await;
    assert_eq!((status, &verified["sound"], &verified["found"]), (200, &json!(false), &json!(1)), "{verified}");
    for query in ["head=1", "head=", "heads=1", "file=x"] {
        assert_eq!(door.get("rita", &format!("{}?{query}", routes::AUDIT_VERIFY)).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn nobody_reads_what_cannot_be_recorded() {
    let door = Door::open();
    door.house.shared.update(|snapshot| Snapshot { recording: false, ..snapshot.clone() });
    let (status, problem) = door.get("rita", routes::AUDIT_VERIFY).await;
    assert_eq!((status, word(&problem)), (503, "not-recording"));
}

/// A record of an operation of this subject, as the log has it.
fn operation(subject: &str, decision: &str) -> Vec<u8> {
    format!(
        "\"time\":\"2026-11-20T17:48:13.000412Z\",\"operation\":\"search\",\"subject\":\"{subject}\",\"decision\":\"{decision}\",\"resources\":[\"payroll\"]}}\n"
    )
    .into_bytes()
}

fn seqs(page: &Value) -> Vec<u64> {
    let records = page["records"].as_array().expect("records");
    records.iter().map(|record| record["seq"].as_u64().expect("a number")).collect()
}

#[tokio::test]
async fn lines_are_found_in_both_directions_page_by_page() {
    let door = Door::open();
    let log = door.audit.handle();
    for number in 0..10 {
        let subject = if number % 3 == 0 { "UID=Anna,ou=people,dc=x" } else { "uid=lars,ou=people,dc=x" };
        log.append(&operation(subject, if number % 2 == 0 { "refused" } else { "permitted" }), Weight::Plain);
    }
    let ask = |query: &str| {
        let path = format!("{}?{query}", routes::AUDIT);
        let door = &door;
        async move { door.get("rita", &path).await }
    };
    for (query, expected, more) in [
        ("", vec![10, 9, 8, 7, 6, 5, 4, 3, 2, 1], false),
        ("order=oldest", vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10], false),
        ("subject=uid%3Danna%2Cou%3Dpeople%2Cdc%3Dx", vec![10, 7, 4, 1], false),
        ("subject=uid%3Danna%2Cou%3Dpeople%2Cdc%3Dx&decision=refused", vec![7, 1], false),
        ("limit=2", vec![10, 9], true),
        ("limit=2&before=9", vec![8, 7], true),
        ("order=oldest&limit=2&after=9", vec![10], false),
        ("order=oldest&limit=2&after=3", vec![4, 5], true),
        ("resource=payroll&operation=search&decision=permitted&limit=1", vec![10], true),
        ("since=2026-11-20T17:48:13Z&until=2026-11-20T17:48:14Z&limit=1", vec![10], true),
        ("since=2026-11-20T17:48:14Z", vec![], false),
    ] {
        let (status, page) = ask(query).await;
        assert_eq!((status, seqs(&page), &page["more"]), (200, expected, &json!(more)), "{query}");
    }
    for query in [
        "operation=read",
        "decision=no",
        "order=random",
        "limit=0",
        "limit=1001",
        "since=yesterday",
        "subject=rita",
        "after=1",
        "order=oldest&before=1",
        "wait=1s",
        "order=oldest&wait=21s",
        "user=rita",
        "resource=payrol",
        "role=nope",
        "event=aproved",
        "grant=7f3k",
        "request=grant-1",
        "since=2026-11-20T17:48:14Z&until=2026-11-20T17:48:13Z",
    ] {
        assert_eq!(ask(query).await.0, 400, "{query}");
    }
    // Octet for octet: what was read can be verified.
    let text = std::fs::read_to_string(
        door.path.parent().and_then(Path::parent).expect("a folder").join("audit/audit-00000000000000000001.jsonl"),
    )
    .expect("a log");
    let (_, page) = ask("limit=1").await;
    let read: Value = serde_json::from_str(text.lines().nth(9).expect("a line")).expect("JSON");
    assert_eq!(page["records"][0], read);
    assert_eq!(door.get("anna", routes::AUDIT).await.0, 403);
}

#[tokio::test]
async fn following_is_woken_and_recorded_once() {
    let door = Door::open();
    door.audit.handle().append(&operation("uid=anna,ou=people,dc=x", "refused"), Weight::Plain);
    door.house.sink.take();
    let follow = |after: u64| format!("{}?order=oldest&decision=refused&wait=15s&after={after}", routes::AUDIT);
    let (_, page) = door.get("rita", &follow(0)).await;
    assert_eq!((seqs(&page), &page["next"]), (vec![1], &json!(1)));
    let (first, second) = (follow(1), follow(3));
    let (page, ()) = tokio::join!(door.get("rita", &first), async {
        door.audit.handle().append(&operation("uid=anna,ou=people,dc=x", "permitted"), Weight::Plain);
        door.audit.handle().append(&operation("uid=anna,ou=people,dc=x", "refused"), Weight::Plain);
    });
    assert_eq!(seqs(&page.1), [3]);
    let (page, ()) = tokio::join!(door.get("rita", &second), async {
        door.audit.handle().append(&operation("uid=anna,ou=people,dc=x", "refused"), Weight::Plain);
    });
    assert_eq!(seqs(&page.1), [4]);
    assert_eq!(door.house.sink.take().len(), 1, "one reading");
    // Elsewhere, by another query, or by somebody else: another one.
    door.get("rita", &follow(1)).await;
    door.get("root", &follow(3)).await;
    door.get("rita", &format!("{}?order=oldest&wait=1s&after=3", routes::AUDIT)).await;
    assert_eq!(door.house.sink.take().len(), 3);
}

#[tokio::test]
async fn what_cannot_match_is_an_error_and_says_what_could_be_meant() {
    let door = Door::open();
    door.audit.handle().append(&operation("uid=anna,ou=people,dc=x", "refused"), Weight::Plain);
    door.audit.handle().event(&json!({ "event": "granted", "request": "req-1", "grant": "grant-1", "role": "former", "scope": [{ "resource": "gone" }] }));
    let report = |name: &str, query: &str| format!("{}?{query}", routes::report(name));
    for (path, meant) in [
        (format!("{}?resource=payrol", routes::AUDIT), "payroll"),
        (format!("{}?role=editr", routes::AUDIT), "editor"),
        (format!("{}?event=aproved", routes::AUDIT), "approved"),
        (report("access", "resource=payrol"), "payroll"),
        (report("grants", "role=editr"), "editor"),
    ] {
        let (status, problem) = door.get("rita", &path).await;
        assert_eq!(status, 400, "{path}");
        assert!(problem["detail"].as_str().expect("why").contains(&format!("did you mean \"{meant}\"?")), "{problem}");
    }
    // What only the log knows was there once.
    for path in [
        format!("{}?resource=gone", routes::AUDIT),
        format!("{}?role=former", routes::AUDIT),
        report("access", "resource=gone"),
    ] {
        assert_eq!(door.get("rita", &path).await.0, 200, "{path}");
    }
    for path in [
        report("access", ""),
        report("grants", "at=2026-11-20T17:48:14Z&since=2026-11-20T17:48:13Z"),
        report("grants", "subject=rita"),
    ] {
        assert_eq!(door.get("rita", &path).await.0, 400, "{path}");
    }
    assert_eq!(door.get("rita", &report("nothing", "")).await.0, 404);
    let (_, refused) = door.get("rita", &report("refused", "subject=uid%3Danna%2Cou%3Dpeople%2Cdc%3Dx")).await;
    assert_eq!((&refused["refused"][0]["by"], &refused["read"]["first"]), (&json!("gate"), &json!(1)), "{refused}");
}

#[tokio::test]
async fn every_event_that_is_recorded_can_be_searched_for() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/daemon")];
    let (mut known, mut files) = (0, 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") || path.ends_with("tests.rs") {
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            files += 1;
            let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned();
            for mark in [
                "\"event\": \"",
                "\"event\":\"",
                "record_call(\"",
                "record_done(\"",
                "of_call(\"",
                "of_notification(\"",
            ] {
                for rest in text.split(mark).skip(1) {
                    let word = rest.split('"').next().unwrap_or_default();
                    assert!(crate::engine::audit::query::EVENTS.contains(&word), "{word:?} of {}", path.display());
                    known += 1;
                }
            }
        }
    }
    assert!(known > 20 && files > 50, "{known} in {files}");
    for happened in ["requested", "signed-off", "locked"] {
        assert!(crate::engine::audit::query::EVENTS.contains(&happened));
    }
}
