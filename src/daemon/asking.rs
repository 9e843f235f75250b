//! From sessions to the broker and back: roles that operations ask for (`on_missing`). No session waits here: what it
//! asks for is put in a queue of bounded length, and what comes of it comes as [`News`].

use super::broker::{Broker, BrokerError, Doing, Done, End, Waiting};
use crate::engine::grant::history::{Actor, Identity};
use crate::engine::session::{Answer, Asking};
use crate::engine::workflow::RequestState;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// So many may be asked for at once.
const QUEUE: usize = 1024;
/// So much news of one session may be unread: two for each operation that waits, and as many that no longer do.
const NEWS: usize = 256;

/// What came of something that a session asked for.
#[derive(Debug)]
pub struct News {
    /// By which number the session knows it.
    pub number: u64,
    /// What came of it.
    pub answer: Answer,
    /// While there is more to come: to be kept for as long as anybody cares.
    pub waiting: Option<Waiting>,
}

/// A session's own queue of news.
pub type Newsagent = (mpsc::Sender<News>, mpsc::Receiver<News>);

/// A queue for a session that asks for the first time.
pub fn newsagent() -> Newsagent {
    mpsc::channel(NEWS)
}

struct Job {
    asking: Asking,
    news: mpsc::Sender<News>,
}

/// Where sessions ask.
pub struct Asker {
    jobs: mpsc::Sender<Job>,
    /// How many operations wait, of all sessions.
    held: Arc<AtomicUsize>,
}

/// What sessions have asked for.
pub struct Jobs(mpsc::Receiver<Job>);

impl Asker {
    /// Where sessions ask, and what [`Jobs::serve`] does.
    pub fn new() -> (Asker, Jobs) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Asker { jobs: sender, held: Arc::default() }, Jobs(receiver))
    }

    /// Room for what one session holds, none of it taken.
    pub fn room(&self) -> Room {
        Room { held: Arc::clone(&self.held), own: 0 }
    }

    /// Asks, if there is room in the queue.
    pub fn ask(&self, asking: Asking, news: mpsc::Sender<News>) -> bool {
        self.jobs.try_send(Job { asking, news }).is_ok()
    }
}

/// What one session takes of the bound on all that wait; dropping it gives it back.
pub struct Room {
    held: Arc<AtomicUsize>,
    own: usize,
}

impl Room {
    /// Takes room for one more, unless `most` wait already.
    pub fn take(&mut self, most: usize) -> bool {
        let more = |all: usize| (all < most).then_some(all + 1);
        let taken = self.held.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok();
        self.own += usize::from(taken);
        taken
    }

    /// Gives all back but for so many.
    pub fn keep(&mut self, still: usize) {
        let gone = self.own.saturating_sub(still);
        if gone > 0 {
            self.own -= gone;
            self.held.fetch_sub(gone, Ordering::AcqRel);
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.keep(0);
    }
}

impl Jobs {
    /// Has the broker do one after the other, until nobody can ask any more.
    pub async fn serve(mut self, broker: Arc<Broker>) {
        while let Some(job) = self.0.recv().await {
            let broker = Arc::clone(&broker);
            if let Err(error) = tokio::task::spawn_blocking(move || job.perform(&broker)).await {
                tracing::error!(%error, "asking for a role by doing has failed");
            }
        }
    }
}

impl Job {
    fn perform(self, broker: &Broker) {
        let Job { asking, news } = self;
        let Asking { number, role, subject, certificate, from, reason, seen } = asking;
        let identity = Identity { certificate: certificate.map(Box::new), ..Identity::of_dn(subject.clone()) };
        let actor = Actor::own(identity, &from);
        let doing = Doing { role: &role, reason: &reason, actor: &actor, subject: &subject, seen: &seen };
        let later = news.clone();
        let tell = move |request: &str, end| {
            // A session that is gone, or has not looked for so long, is told nothing: its operations end by themselves.
            let _ = later.try_send(News { number, answer: ended(request.to_owned(), end), waiting: None });
        };
        let (answer, waiting) = match broker.ask_by_doing(&doing, tell) {
            Ok(Done::Waits { request, waiting }) => (Answer::Waits { request }, Some(waiting)),
            Ok(Done::Granted { request }) => (Answer::Granted { request }, None),
            Ok(Done::Lately { request, state }) => (Answer::Ended { request, how: word(state), before: true }, None),
            Err(error) => (Answer::Refused { why: why(&error) }, None),
        };
        let _ = news.try_send(News { number, answer, waiting });
    }
}

fn ended(request: String, end: End) -> Answer {
    match end {
        End::Decided(RequestState::Approved) => Answer::Granted { request },
        End::Decided(state) => Answer::Ended { request, how: word(state), before: false },
        End::Locked => Answer::Ended { request, how: "stopped by a lock", before: false },
    }
}

fn word(state: RequestState) -> &'static str {
    match state {
        RequestState::Pending => "pending",
        RequestState::Approved => "approved",
        RequestState::Denied => "denied",
        RequestState::Cancelled => "cancelled",
        RequestState::Lapsed => "lapsed",
    }
}

/// What a client may know of it.
fn why(error: &BrokerError) -> String {
    match error {
        BrokerError::Workflow(error) => error.to_string(),
        BrokerError::NotRecording => error.to_string(),
        BrokerError::NotFound(_) | BrokerError::Store(_) | BrokerError::EndNotKept(_) | BrokerError::Random(_) => {
            "nothing can be kept at the moment".to_owned()
        }
    }
}
