//! One request to an OpenAI-compatible endpoint: bounded in time and size, and checked before anything is believed.

use std::sync::Arc;
use std::time::Duration;

use helpsync_model::{Clock, Timestamp, retry_after};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Response, StatusCode, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use thiserror::Error;
use url::Url;

/// The largest answer that is read: a thousand vectors of four thousand numbers.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// An endpoint that asks for more patience is asked again after this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// The most numbers of a vector.
pub(crate) const DIMENSIONS_MAX: usize = 16_384;

/// Which endpoint, and how it is asked.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The API's base; `/embeddings` is put behind it.
    pub url: Url,
    /// Sent as a bearer token.
    pub key: Option<SecretString>,
    /// The model's name there.
    pub model: String,
    /// Asked for, and expected, when set.
    pub dimensions: Option<usize>,
    /// For one request, from looking the name up to the end of the answer.
    pub timeout: Duration,
    /// Dates are measured from its time where an answer does not tell its own.
    pub clock: Arc<dyn Clock>,
}

/// The client cannot be built.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The base takes no path.
    #[error("embeddings.url cannot be a base")]
    Url,
    /// No HTTP client.
    #[error("cannot build the http client of embeddings")]
    Http(#[source] reqwest::Error),
}

/// Why there are no vectors. The texts quote nothing that the endpoint said.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EmbedFailure {
    /// It may pass by itself.
    #[error("{reason}")]
    Passing {
        /// How long the endpoint wants to be left alone.
        after: Option<Duration>,
        /// Why.
        reason: String,
    },
    /// The same inputs would fail again.
    #[error("{reason}")]
    Refused {
        /// It may be one of several inputs that is wrong.
        of_inputs: bool,
        /// Why.
        reason: String,
    },
}

impl EmbedFailure {
    fn passing(reason: impl Into<String>) -> Self {
        Self::Passing { after: None, reason: reason.into() }
    }

    fn garbage(reason: impl Into<String>) -> Self {
        Self::Refused { of_inputs: false, reason: reason.into() }
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    index: usize,
    embedding: Vec<f32>,
}

/// Asks the endpoint. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    address: Url,
    key: Option<SecretString>,
    model: String,
    dimensions: Option<usize>,
    clock: Arc<dyn Clock>,
}

impl Client {
    /// Builds the HTTP client.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let mut address = options.url;
        address.path_segments_mut().map_err(|()| ClientError::Url)?.pop_if_empty().push("embeddings");
        let http = reqwest::Client::builder()
            .timeout(options.timeout)
            // The key goes to this host and no other.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(ClientError::Http)?;
        let (key, model, dimensions) = (options.key, options.model, options.dimensions);
        Ok(Self { http, address, key, model, dimensions, clock: options.clock })
    }

    /// What vectors of this client are marked with: others are not compared with them.
    #[must_use]
    pub fn mark(&self) -> String {
        match self.dimensions {
            Some(dimensions) => format!("{}/{dimensions}", self.model),
            None => self.model.clone(),
        }
    }

    /// The vectors of `inputs`, in their order, all of one length.
    ///
    /// # Errors
    /// [`EmbedFailure`].
    pub async fn embed(&self, inputs: &[&str]) -> Result<Vec<Vec<f32>>, EmbedFailure> {
        let mut body = json!({ "model": self.model, "input": inputs, "encoding_format": "float" });
        if let Some(dimensions) = self.dimensions {
            body["dimensions"] = dimensions.into();
        }
        let mut request = self.http.post(self.address.clone()).json(&body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let response = request.send().await.map_err(|error| EmbedFailure::passing(broken(&error)))?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(refusal(status, response.headers(), self.clock.now()));
        }
        let bytes = read(response).await?;
        let answer: Answer = serde_json::from_slice(&bytes)
            .map_err(|_unreadable| EmbedFailure::garbage("its answer is not a list of embeddings"))?;
        in_order(answer, inputs.len(), self.dimensions)
    }
}

fn broken(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "it did not answer in time"
    } else if error.is_connect() {
        "cannot connect: no such host, nothing listens there, or its certificate is not valid"
    } else {
        "the connection broke off"
    }
}

/// What an answer other than 200 means.
fn refusal(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> EmbedFailure {
    let reason = format!("it answered {}", status.as_u16());
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
        || status.is_server_error()
    {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let after = text(RETRY_AFTER).and_then(|after| retry_after(after, text(DATE), now));
        let after = after.map(|after| after.min(RETRY_AFTER_MAX));
        return EmbedFailure::Passing { after, reason };
    }
    let of_inputs = matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
    );
    EmbedFailure::Refused { of_inputs, reason }
}

async fn read(mut response: Response) -> Result<Vec<u8>, EmbedFailure> {
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| EmbedFailure::passing(broken(&error)))? {
        if bytes.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(EmbedFailure::garbage(format!("its answer is longer than {ANSWER_BYTES_MAX} bytes")));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// One vector for every input, all of one length, of numbers that can be reckoned with.
fn in_order(answer: Answer, inputs: usize, dimensions: Option<usize>) -> Result<Vec<Vec<f32>>, EmbedFailure> {
    if answer.data.len() != inputs {
        return Err(EmbedFailure::garbage("it answered with another number of embeddings"));
    }
    let length = dimensions.or(answer.data.first().map(|one| one.embedding.len())).unwrap_or_default();
    let mut vectors = vec![Vec::new(); inputs];
    for One { index, embedding } in answer.data {
        let usable = embedding.iter().all(|number| number.is_finite())
            && embedding.iter().any(|number| *number != 0.0);
        if embedding.len() != length || length > DIMENSIONS_MAX || !usable {
            return Err(EmbedFailure::garbage("an embedding has another length, or is no direction"));
        }
        match vectors.get_mut(index) {
            Some(place) if place.is_empty() => *place = embedding,
            _ => return Err(EmbedFailure::garbage("its embeddings are not numbered as the inputs are")),
        }
    }
    Ok(vectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(list: &[(usize, &[f32])]) -> Answer {
        Answer {
            data: list.iter().map(|(index, it)| One { index: *index, embedding: it.to_vec() }).collect(),
        }
    }

    #[test]
    fn vectors_are_put_in_the_order_of_their_inputs() {
        let vectors = in_order(answer(&[(1, &[0.0, 1.0]), (0, &[1.0, 0.0])]), 2, None).unwrap();
        assert_eq!(vectors, [[1.0, 0.0], [0.0, 1.0]]);
        assert!(in_order(answer(&[]), 0, None).unwrap().is_empty());
    }

    #[test]
    fn what_was_not_asked_for_is_not_believed() {
        let long = vec![1.0; DIMENSIONS_MAX + 1];
        for (list, inputs, dimensions) in [
            (vec![(0, [1.0].as_slice())], 2, None),
            (vec![(0, &[1.0]), (0, &[1.0])], 2, None),
            (vec![(0, &[1.0]), (2, &[1.0])], 2, None),
            (vec![(0, &[1.0]), (1, &[1.0, 2.0])], 2, None),
            (vec![(0, &[1.0, 2.0])], 1, Some(3)),
            (vec![(0, &[])], 1, None),
            (vec![(0, &[0.0, 0.0])], 1, None),
            (vec![(0, &[f32::NAN])], 1, None),
            (vec![(0, long.as_slice())], 1, None),
        ] {
            assert!(in_order(answer(&list), inputs, dimensions).is_err(), "{inputs} {dimensions:?}");
        }
        assert!(in_order(answer(&[(0, &long[1..])]), 1, None).is_ok());
    }

    #[test]
    fn statuses_say_whether_to_try_again_and_when() {
        let of = |status: u16, after: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(after) = after {
                headers.insert(RETRY_AFTER, after.parse().unwrap());
            }
            refusal(StatusCode::from_u16(status).unwrap(), &headers, "1994-11-06T08:49:00Z".parse().unwrap())
        };
        let passing = |failure| match failure {
            EmbedFailure::Passing { after, .. } => after,
            EmbedFailure::Refused { .. } => panic!("refused"),
        };
        assert_eq!(passing(of(429, Some("7"))), Some(Duration::from_secs(7)));
        assert_eq!(passing(of(503, Some("9999"))), Some(RETRY_AFTER_MAX));
        assert_eq!(passing(of(500, Some("tomorrow"))), None);
        assert_eq!(passing(of(503, Some("Sun, 06 Nov 1994 08:49:37 GMT"))), Some(Duration::from_secs(37)));
        for (status, inputs) in
            [(400, true), (413, true), (422, true), (401, false), (404, false), (302, false)]
        {
            assert!(
                matches!(of(status, None), EmbedFailure::Refused { of_inputs, .. } if of_inputs == inputs)
            );
        }
    }
}
