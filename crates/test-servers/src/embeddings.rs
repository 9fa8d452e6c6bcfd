//! An OpenAI-compatible embeddings endpoint over a real socket: hashed bags of words, so that texts with the same words
//! point the same way. Counts what it is asked, and misbehaves when told to.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::task::AbortHandle;

/// Numbers of a vector.
pub const DIMENSIONS: usize = 256;

/// How a request is answered out of turn.
#[derive(Debug, Clone)]
pub enum Misbehavior {
    /// With this status; a `Retry-After` in seconds if given.
    Status(u16, Option<u64>),
    /// 200 and this text.
    Text(String),
    /// Not at all, while the connection stays open.
    Silence,
}

#[derive(Debug, Default)]
struct Seen {
    /// The inputs of each request.
    requests: Vec<Vec<String>>,
    inputs: Vec<String>,
    keys: Vec<String>,
    next: VecDeque<Misbehavior>,
    always: Option<Misbehavior>,
    refused: Option<String>,
}

/// A running endpoint; ends with its handle.
#[derive(Debug)]
pub struct EmbeddingsServer {
    /// Its base URL.
    pub url: String,
    seen: Arc<Mutex<Seen>>,
    serving: AbortHandle,
}

impl EmbeddingsServer {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start() -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/v1/embeddings", axum::routing::post(embed))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(Arc::clone(&seen));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, seen, serving: serving.abort_handle() }
    }

    /// Requests so far.
    #[must_use]
    pub fn requests(&self) -> usize {
        lock(&self.seen).requests.len()
    }

    /// Requests so far that had this input.
    #[must_use]
    pub fn requests_for(&self, input: &str) -> usize {
        lock(&self.seen).requests.iter().filter(|inputs| inputs.iter().any(|it| it == input)).count()
    }

    /// Inputs that got a vector so far, in their order.
    #[must_use]
    pub fn inputs(&self) -> Vec<String> {
        lock(&self.seen).inputs.clone()
    }

    /// What `authorization` the requests had.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        lock(&self.seen).keys.clone()
    }

    /// Forgets what it was asked.
    pub fn forget(&self) {
        let mut seen = lock(&self.seen);
        (seen.requests, seen.inputs, seen.keys) = (Vec::new(), Vec::new(), Vec::new());
    }

    /// The next requests are answered so.
    pub fn next(&self, answers: impl IntoIterator<Item = Misbehavior>) {
        lock(&self.seen).next.extend(answers);
    }

    /// Every request is answered so from here on; `None`: as it should be.
    pub fn always(&self, answer: Option<Misbehavior>) {
        lock(&self.seen).always = answer;
    }

    /// Requests with an input that holds this are answered with 400.
    pub fn refuse(&self, part: &str) {
        lock(&self.seen).refused = Some(part.to_owned());
    }
}

impl Drop for EmbeddingsServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The vector of a text.
#[must_use]
pub fn vector(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0; DIMENSIONS];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let mut hasher = DefaultHasher::new();
        word.to_lowercase().hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % DIMENSIONS as u64).unwrap();
        vector[place] += 1.0;
    }
    // No text is without a direction.
    vector[0] += 0.01;
    vector
}

async fn embed(
    State(seen): State<Arc<Mutex<Seen>>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let inputs: Vec<String> = serde_json::from_value(body["input"].clone()).unwrap();
    let out_of_turn = {
        let mut seen = lock(&seen);
        seen.requests.push(inputs.clone());
        let key = headers.get("authorization").map(|key| key.to_str().unwrap().to_owned());
        seen.keys.push(key.unwrap_or_default());
        let refused =
            seen.refused.as_ref().is_some_and(|part| inputs.iter().any(|input| input.contains(part)));
        let answer = seen.next.pop_front().or_else(|| seen.always.clone());
        let answer = answer.or(refused.then_some(Misbehavior::Status(400, None)));
        if answer.is_none() {
            seen.inputs.extend(inputs.iter().cloned());
        }
        answer
    };
    match out_of_turn {
        Some(Misbehavior::Status(status, after)) => {
            let mut response = StatusCode::from_u16(status).unwrap().into_response();
            if let Some(after) = after {
                response.headers_mut().insert("retry-after", after.into());
            }
            response
        }
        Some(Misbehavior::Text(text)) => text.into_response(),
        Some(Misbehavior::Silence) => std::future::pending().await,
        None => {
            // Out of order: only the numbers say which is which.
            let data = inputs.iter().enumerate().rev();
            let data = data.map(|(index, input)| json!({ "index": index, "embedding": vector(input) }));
            Json(json!({ "object": "list", "model": body["model"], "data": data.collect::<Vec<_>>() }))
                .into_response()
        }
    }
}
