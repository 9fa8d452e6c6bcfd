//! What a request changes, for the audit log: the store writes it down with the change. `told.rs` has what is told of a body.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use helpsync_store::ApiKey;
use helpsync_store::audit::{self, Actor, Audited};
use percent_encoding::percent_decode_str;

use crate::layers::REQUEST_ID;
use crate::told::Told;

/// Of a path so much is told: an id may be written with any number of zeros.
const TARGET_CHARS_MAX: usize = 1_000;

/// What an endpoint does, as the audit log names it.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) is_change: bool,
    /// Whether the header `customer-id` says for whom: elsewhere nobody reads it, and it is not believed here either.
    pub(crate) acts_for_customer: bool,
    /// What its body may hold. What else somebody sends is read over by the handler, and was not done.
    pub(crate) members: Vec<String>,
}

/// Has the store write down what the request changes.
pub(crate) async fn write_down(
    State(operation): State<Arc<Operation>>,
    request: Request,
    next: Next,
) -> Response {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let path = request.uri().path();
    let customer = customer_in(&operation.name, path);
    let target = path.chars().take(TARGET_CHARS_MAX).collect();
    let audited = Audited::new(operation.name.clone(), target, id, operation.is_change);
    let answered = async {
        if let Some(customer) = customer {
            audit::about(&[customer]);
        }
        next.run(request).await
    };
    audit::audited(audited, answered).await
}

/// The customer that a path names, where its operation (`POST /…/{customer_id}/…`) says that it names one.
fn customer_in(operation: &str, target: &str) -> Option<String> {
    let (_, path) = operation.split_once(' ')?;
    let (_, customer) = path.split('/').zip(target.split('/')).find(|(name, _)| *name == "{customer_id}")?;
    Some(percent_decode_str(customer).decode_utf8().ok()?.into_owned())
}

/// The request is made with this key, for a customer where it names one.
pub(crate) fn by_key(key: &ApiKey, customer: Option<&str>) {
    let actor = Actor { kind: "api_key", id: key.id.to_string(), name: key.name.clone() };
    audit::acts(key.organization, actor);
    if let Some(customer) = customer {
        audit::about(&[customer.to_owned()]);
    }
}

/// The request is made by a customer, with a token that this key made.
pub(crate) fn by_customer(key: &ApiKey, customer: &str) {
    let name = format!("by a token of the key {}", key.name);
    audit::acts(key.organization, Actor { kind: "customer", id: customer.to_owned(), name });
    audit::about(&[customer.to_owned()]);
}

/// Keeps of a body what the audit log tells of it. A customer who `speaks_for_itself` is whom it is about, whatever its
/// body says.
pub(crate) fn told(operation: &Operation, speaks_for_itself: bool, body: &[u8]) {
    if !audit::is_change() {
        return;
    }
    let Some(told) = Told::of(operation, body) else { return };
    if !speaks_for_itself && !told.customers.is_empty() {
        audit::about(&told.customers);
    }
    for (name, value) in told.detail {
        audit::detail(&name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_customer_where_the_operation_says_so() {
        let operation = "POST /helpsync/v1/customers/{customer_id}/pause";
        for (target, customer) in [
            ("/helpsync/v1/customers/ada/pause", Some("ada")),
            ("/helpsync/v1/customers/ada%2F1/pause", Some("ada/1")),
            ("/helpsync/v1/customers/%ff/pause", None),
        ] {
            assert_eq!(customer_in(operation, target).as_deref(), customer, "{target}");
        }
        assert_eq!(
            customer_in("POST /helpsync/v1/lanes/{lane}/pause", "/helpsync/v1/lanes/backfill/pause"),
            None
        );
    }
}
