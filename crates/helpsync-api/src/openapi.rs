//! The OpenAPI document, made from the endpoints themselves.

use serde_json::{Map, Value, json};
use utoipa::PartialSchema;
use utoipa::ToSchema;

use crate::ApiOptions;
use crate::endpoint::{Access, Content, Endpoint};
use crate::error::{Detail, ValidationError, Wrong};

/// The whole document.
pub(crate) fn document(endpoints: &[Endpoint], options: &ApiOptions) -> Value {
    let mut schemas = Map::new();
    let mut keep = |content: &Content| {
        for (name, schema) in &content.named {
            schemas.insert(name.clone(), json!(schema));
        }
    };
    let mut paths = Map::new();
    for endpoint in endpoints {
        endpoint.takes.iter().chain(&endpoint.gives).for_each(&mut keep);
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method] = operation(endpoint);
    }
    schemas.insert(Detail::name().into_owned(), json!(Detail::schema()));
    schemas.insert(Wrong::name().into_owned(), json!(Wrong::schema()));
    schemas.insert(ValidationError::name().into_owned(), json!(ValidationError::schema()));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Helpsync",
            "version": options.version,
            "description": "Keeps every published article of a customer's Zendesk help center in step with your \
                application. Paths outside /helpsync follow Carbon's API, so its SDKs work with another base URL.",
        },
        "servers": [{ "url": options.public_url.as_str().trim_end_matches('/') }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "apiKey": {
                    "type": "apiKey", "in": "header", "name": "authorization",
                    "description": "`Bearer <API key>`",
                },
                "accessToken": {
                    "type": "apiKey", "in": "header", "name": "authorization",
                    "description": "`Token <access token>`, from /auth/v1/access_token",
                },
                "customerId": {
                    "type": "apiKey", "in": "header", "name": "customer-id",
                    "description": "Your own id of the customer; a customer is made on first use",
                },
            },
        },
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut parameters: Vec<Value> = endpoint
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            // Ids of one table are numbers. An `id` alone says in its first word what it names, and the address of
            // Zendesk's events holds its proof.
            let kind = if name.ends_with("_id") { "integer" } else { "string" };
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": kind } })
        })
        .collect();
    parameters.extend(endpoint.parameters.iter().map(|parameter| {
        json!({
            "name": parameter.name, "in": parameter.place, "required": false,
            "description": parameter.about, "schema": { "type": parameter.kind },
        })
    }));
    let key = json!({ "apiKey": [] });
    let customer_key = json!({ "apiKey": [], "customerId": [] });
    let token = json!({ "accessToken": [] });
    let security = match endpoint.access {
        Access::Open => vec![],
        Access::Key => vec![key],
        Access::KeyAndCustomer => vec![customer_key],
        Access::Customer => vec![token, customer_key],
        Access::Either => vec![token, customer_key, key],
    };
    let mut operation = json!({
        "operationId": operation_id(endpoint),
        "tags": [endpoint.group],
        "summary": endpoint.about,
        "security": security,
        "responses": responses(endpoint),
    });
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(takes) = &endpoint.takes {
        operation["requestBody"] = json!({ "required": true, "content": content(takes) });
    }
    operation
}

fn operation_id(endpoint: &Endpoint) -> String {
    let words = endpoint.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(endpoint.method).chain(words).collect::<Vec<_>>().join("_")
}

fn content(content: &Content) -> Value {
    json!({ content.media_type: { "schema": content.schema } })
}

fn responses(endpoint: &Endpoint) -> Value {
    let error = |about: &str, name: &str| {
        let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        json!({ "description": about, "content": { "application/json": { "schema": schema } } })
    };
    let mut responses = json!({
        "200": { "description": "It worked" },
        "default": error("It did not; the detail says why", &Detail::name()),
    });
    // Pages are for people, whatever they say. What is refused before it comes to a page is answered as everywhere.
    if let Some(page) = endpoint.gives.as_ref().filter(|gives| gives.media_type == "text/html") {
        responses["default"]["description"] = "It did not; the page or the detail says why".into();
        responses["default"]["content"][page.media_type] = json!({ "schema": page.schema });
    }
    if let Some(gives) = &endpoint.gives {
        responses["200"]["content"] = content(gives);
    }
    if endpoint.access != Access::Open {
        responses["401"] = error("No credential that is known", &Detail::name());
    }
    // The customer-id header can be wrong anywhere.
    let names_customer = !matches!(endpoint.access, Access::Open | Access::Key);
    if endpoint.takes.is_some() || !endpoint.parameters.is_empty() || names_customer {
        responses["422"] = error("The request cannot be read", &ValidationError::name());
    }
    responses
}
