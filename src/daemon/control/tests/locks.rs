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
