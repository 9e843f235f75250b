//! What waits to be told, over the socket.

use super::*;
use crate::daemon::broker::Wanted;
use crate::engine::workflow::NoticeKind;
use crate::engine::workflow::telling::Outcome;

#[tokio::test]
async fn notifications_are_listed_by_auditors_and_retried_by_administrators() {
    let door = Door::open();
    door.house.broker.tell_of(Wanted { kinds: NoticeKind::ALL.into(), warn_before: None });
    for _ in 0..3 {
        door.house.ask();
    }
    let listed = async |path: String| door.get("rita", &path).await.1.as_array().cloned().unwrap_or_default();
    let waiting = listed(routes::NOTIFICATIONS.to_owned()).await;
    assert_eq!(waiting.len(), 3);
    assert_eq!((&waiting[0]["event"], &waiting[0]["state"]), (&json!("waits"), &json!("pending")));
    for who in ["anna", "lars"] {
        assert_eq!(door.get(who, routes::NOTIFICATIONS).await.0, 403, "{who}");
    }
    let one = door.house.pending().remove(0);
    door.house.broker.told(&one, &Outcome::Never { why: "gone".to_owned() }).expect("kept");
    let dead = listed(format!("{}?state=dead", routes::NOTIFICATIONS)).await;
    assert_eq!((dead.len(), &dead[0]["error"], &dead[0]["next"]), (1, &json!("gone"), &json!(null)));
    let first = listed(format!("{}?limit=1", routes::NOTIFICATIONS)).await;
    let after = first[0]["id"].as_str().expect("an id");
    assert_eq!(listed(format!("{}?limit=1&after={after}", routes::NOTIFICATIONS)).await.len(), 1);
    assert_eq!(door.get("rita", &format!("{}?state=lost", routes::NOTIFICATIONS)).await.0, 400);
    assert_eq!(door.get("rita", &format!("{}?after=note-none", routes::NOTIFICATIONS)).await.0, 404);
    let path = routes::retry(&one.id);
    for who in ["anna", "rita"] {
        assert_eq!(door.post(who, &path, &json!({})).await.0, 403, "{who}");
    }
    let (status, again) = door.post("root", &path, &json!({})).await;
    assert_eq!((status, &again["state"], &again["attempts"]), (200, &json!("pending"), &json!(0)), "{again}");
    assert_eq!(door.post("root", &routes::retry("note-none"), &json!({})).await.0, 404);
}
