//! Who may read the log, and that it is recorded.

use super::*;

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
