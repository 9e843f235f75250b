//! Callers over TLS, as the port presents them, with a clock that can be set.

use super::*;
use crate::daemon::control::guard::Names;
use crate::engine::grant::fixture::policy_of;
use chrono::TimeDelta;

/// A house in which nothing is protected from binding.
fn open() -> Door {
    let door = Door::open();
    let policy = Arc::new(policy_of(Vec::new(), Vec::new()));
    door.house.shared.update(|snapshot| Snapshot { policy: Arc::clone(&policy), ..snapshot.clone() });
    door
}

/// Calls as whoever is at that address, with a token unless it is empty.
async fn call(door: &Door, last: u8, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let certified = rcgen::generate_simple_self_signed(["tidegate".to_owned()]).expect("a certificate");
    let names = Arc::new(Names::new(certified.cert.der().clone(), Vec::new()));
    let remote = Remote { address: ([192, 0, 2, last], 4444).into(), certificate: None };
    let router = door.router().layer(axum::Extension(remote)).layer(axum::Extension(names));
    let authorization = format!("Bearer {token}");
    let mut headers = vec![("content-type", "application/json")];
    if !token.is_empty() {
        headers.push(("authorization", authorization.as_str()));
    }
    let body = if body.is_null() { String::new() } else { body.to_string() };
    served_by(router, request(method, path, &headers, &body)).await
}

/// Tries a password; everybody's is their name.
async fn log_in(door: &Door, last: u8, name: &str, password: &str) -> (u16, Value) {
    call(door, last, "", "POST", routes::LOGIN, &json!({ "name": name, "password": password })).await
}

#[tokio::test]
async fn a_token_ends_with_its_time() {
    let door = open();
    let (status, login) = log_in(&door, 1, "anna", "anna").await;
    assert_eq!(status, 200, "{login}");
    let token = login["token"].as_str().expect("a token");
    door.house.clock.set_wall_offset(TimeDelta::seconds(3000));
    assert_eq!(call(&door, 1, token, "GET", routes::ME, &Value::Null).await.0, 200);
    assert_eq!(call(&door, 2, token, "GET", routes::ME, &Value::Null).await.0, 200, "from wherever");
    door.house.clock.set_wall_offset(TimeDelta::seconds(3600));
    let (status, problem) = call(&door, 1, token, "GET", routes::ME, &Value::Null).await;
    assert_eq!((status, word(&problem)), (401, "bad-token"));
    assert_eq!(call(&door, 1, "", "GET", routes::ME, &Value::Null).await.0, 401);
}

#[tokio::test]
async fn a_directory_that_is_away_neither_counts_nor_forgives() {
    let door = open();
    for _ in 0..4 {
        assert_eq!(log_in(&door, 1, "anna", "wrong").await.0, 401);
    }
    *door.hooks.directory_away.lock().unwrap() = true;
    for _ in 0..3 {
        let (status, problem) = log_in(&door, 1, "anna", "anna").await;
        assert_eq!((status, word(&problem)), (503, "directory-away"));
    }
    *door.hooks.directory_away.lock().unwrap() = false;
    assert_eq!(log_in(&door, 1, "anna", "wrong").await.0, 401, "the fifth");
    let asked = door.hooks.asked.lock().unwrap().len();
    let (status, problem) = log_in(&door, 1, "anna", "anna").await;
    assert_eq!((status, word(&problem)), (429, "too-many-attempts"));
    assert!(problem["retry_after"].as_u64().is_some_and(|seconds| (1..=5).contains(&seconds)), "{problem}");
    assert_eq!(door.hooks.asked.lock().unwrap().len(), asked, "the directory is not asked");
    assert_eq!(log_in(&door, 2, "anna", "anna").await.0, 200, "from elsewhere");
}

#[tokio::test]
async fn what_is_broken_is_for_those_at_the_socket() {
    let door = Door::open();
    *door.hooks.not_ready.lock().unwrap() = Some("/var/lib/tidegate/store: no space left".to_owned());
    let (status, problem) = call(&door, 1, "", "GET", routes::READYZ, &Value::Null).await;
    assert_eq!(status, 503);
    assert!(!problem.to_string().contains("space"), "{problem}");
    let (_, problem) = door.get("", routes::READYZ).await;
    assert_eq!(problem["detail"], json!("/var/lib/tidegate/store: no space left"));
}

#[tokio::test]
async fn a_call_has_to_be_by_the_ports_name_and_of_json() {
    let door = Door::open();
    let remote = || axum::Extension(Remote { address: ([192, 0, 2, 1], 4444).into(), certificate: None });
    let nameless = door.router().layer(remote());
    assert_eq!(served_by(nameless, request("GET", routes::ME, &[], "")).await.0, 421);
    let no_type = door.router().layer(remote());
    assert_eq!(served_by(no_type, request("POST", routes::LOGIN, &[], "{}")).await.0, 421, "before anything else");
    assert_eq!(call(&door, 1, "", "POST", routes::LOGIN, &json!({ "name": "anna" })).await.0, 400);
}
