//! Locks, kills, extensions, sign-offs and pages over the socket.

use super::*;

#[tokio::test]
async fn locks_are_set_listed_and_lifted_by_administrators() {
    let door = Door::open();
    let (_, grant) = door.granted().await;
    let body = json!({ "subject": "UID = Anna,ou=people,dc=x", "reason": "laptop lost" });
    for who in ["anna", "lars", "rita"] {
        assert_eq!(door.post(who, routes::LOCKS, &body).await.0, 403, "{who}");
    }
    assert_eq!(door.get("lars", routes::LOCKS).await.0, 403);
    let (status, lock) = door.post("root", routes::LOCKS, &body).await;
    assert_eq!((status, &lock["locked"], &lock["reason"]), (201, &json!(true), &json!("laptop lost")), "{lock}");
    assert_eq!(door.get("anna", &routes::grant(&grant)).await.1["state"], "revoked");
    assert_eq!(door.post("root", routes::LOCKS, &body).await.0, 409);
    assert_eq!(door.get("rita", routes::LOCKS).await.1.as_array().map(Vec::len), Some(1));
    let ask = json!({ "role": "editor", "reason": "payslips" });
    let (status, problem) = door.post("anna", routes::REQUESTS, &ask).await;
    assert_eq!((status, problem["type"].as_str()), (403, Some("urn:tidegate:problem:locked")));
    let path = routes::lock("uid=\\61nna,OU=People,dc=x");
    let lift = |who: &'static str| door.send(who, request("DELETE", &path, &[], ""));
    assert_eq!(lift("lars").await.0, 403);
    assert_eq!(lift("root").await.1["locked"], false);
    assert_eq!(lift("root").await.0, 404);
    assert_eq!(door.post("anna", routes::REQUESTS, &ask).await.0, 201);
    assert_eq!(door.post("root", routes::LOCKS, &json!({ "subject": "", "reason": "x" })).await.0, 400);
}

#[tokio::test]
async fn a_lock_of_nobody_is_refused() {
    let door = Door::open();
    let lock = |subject: &str, force: bool| json!({ "subject": subject, "reason": "lost", "force": force });
    for (subject, force, word) in [
        ("uid=nobody,ou=people,dc=x", false, "unknown-subject"),
        ("cn=hr,ou=groups,dc=x", false, "not-a-subject"),
        ("cn=hr,ou=groups,dc=x", true, "not-a-subject"),
        ("ou=people,dc=x", false, "not-a-subject"),
    ] {
        let (status, problem) = door.post("root", routes::LOCKS, &lock(subject, force)).await;
        assert_eq!(
            (status, problem["type"].as_str()),
            (422, Some(&*format!("urn:tidegate:problem:{word}"))),
            "{subject}"
        );
    }
    assert_eq!(door.get("root", routes::LOCKS).await.1, json!([]));
    // Whoever may lock nobody cannot find out either who is there.
    let (status, problem) = door.post("lars", routes::LOCKS, &lock("uid=nobody,ou=people,dc=x", false)).await;
    assert_eq!((status, problem["type"].as_str()), (403, Some("urn:tidegate:problem:not-administrator")));
    let (status, locked) = door.post("root", routes::LOCKS, &lock("uid=nobody,ou=people,dc=x", true)).await;
    assert_eq!((status, &locked["note"]), (201, &Value::Null), "{locked}");
    // While the directory is down, people are kept out all the same.
    *door.hooks.directory_away.lock().unwrap() = true;
    let (status, locked) = door.post("root", routes::LOCKS, &lock("uid=bert,ou=people,dc=x", false)).await;
    assert!(status == 201 && locked["note"].to_string().contains("could not be asked"), "{locked}");
}

#[tokio::test]
async fn the_last_administrator_is_not_locked() {
    let door = Door::open();
    let administrators = |list: &[&str]| {
        let authority =
            Authority { administrators: selectors(list), ..Authority::clone(&door.house.shared.authority.load()) };
        door.house.shared.authority.store(Arc::new(authority));
    };
    let own = json!({ "subject": "UID=Root,ou=people,dc=x", "reason": "oops", "force": true });
    let root = "dn:uid=root,ou=people,dc=x";
    for others in [&[root][..], &[root, "dn:uid=nobody,ou=people,dc=x"], &[root, "subtree:ou=admins,dc=x"]] {
        administrators(others);
        let (status, problem) = door.post("root", routes::LOCKS, &own).await;
        assert_eq!(
            (status, problem["type"].as_str()),
            (409, Some("urn:tidegate:problem:last-administrator")),
            "{others:?}"
        );
    }
    // Two who lock each other at once: the one is locked before the other locks.
    administrators(&[root, "dn:uid=olaf,ou=people,dc=x"]);
    let olaf = json!({ "subject": "uid=olaf,ou=people,dc=x", "reason": "x" });
    let (one, other) = tokio::join!(door.post("root", routes::LOCKS, &olaf), door.post("olaf", routes::LOCKS, &own));
    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403]);
    // Another is known by the group's members, or at the socket.
    for others in [&[root, "group:cn=admins,ou=groups,dc=x"], &[root, "local:operator"]] {
        let door = Door::open();
        let authority = Authority::clone(&door.house.shared.authority.load());
        let authority = Authority { administrators: selectors(others), ..authority };
        door.house.shared.authority.store(Arc::new(authority));
        assert_eq!(door.post("root", routes::LOCKS, &own).await.0, 201, "{others:?}");
    }
}

#[tokio::test]
async fn extending_is_asked_for_and_reviewed() {
    let door = Door::open();
    let (_, grant) = door.granted().await;
    let body = json!({ "duration": "30m", "reason": "not done yet" });
    assert_eq!(door.post("lars", &routes::extend(&grant), &body).await.0, 403);
    let (status, asked) = door.post("anna", &routes::extend(&grant), &body).await;
    assert_eq!((status, &asked["extends"], &asked["state"]), (201, &json!(grant), &json!("pending")), "{asked}");
    let id = asked["id"].as_str().expect("an id");
    let (_, approved) = door.post("lars", &routes::reviews(id), &yes(&asked)).await;
    let next = door.get("anna", &routes::grant(approved["grant"].as_str().expect("a grant"))).await.1;
    assert_eq!((&next["state"], &next["extends"]), (&json!("scheduled"), &json!(grant)));
    assert_eq!(next["from"], door.get("anna", &routes::grant(&grant)).await.1["until"]);
    assert_eq!(door.post("rita", &routes::sign_off(&grant), &json!({})).await.0, 409, "nobody broke the glass");
}

#[tokio::test]
async fn lists_are_paged() {
    let door = Door::open();
    for _ in 0..3 {
        assert_eq!(door.post("anna", routes::REQUESTS, &json!({ "role": "editor", "reason": "x" })).await.0, 201);
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = door.get("lars", &format!("{}?state=pending&limit=2{after}", routes::REQUESTS)).await.1;
        let page = page.as_array().expect("a list").clone();
        let Some(last) = page.last() else { break };
        after = format!("&after={}", last["id"].as_str().expect("an id"));
        seen.extend(page.iter().map(|request| request["id"].clone()));
    }
    seen.dedup();
    assert_eq!(seen.len(), 3);
    for limit in ["0", "1001", "x"] {
        assert_eq!(door.get("lars", &format!("{}?limit={limit}", routes::GRANTS)).await.0, 400, "{limit}");
    }
}

#[tokio::test]
async fn only_administrators_end_sessions() {
    let door = Door::open();
    for (who, status) in [("rita", 403), ("anna", 403), ("root", 404)] {
        assert_eq!(door.post(who, &routes::kill("1-1"), &json!({})).await.0, status, "{who}");
    }
    assert_eq!(door.post("root", &routes::kill("1-1"), &json!({ "reason": "\u{1b}[2J" })).await.0, 422);
}
