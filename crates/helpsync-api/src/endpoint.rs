//! What an endpoint is: how it is reached, what it takes and gives, and who carries it out.

use std::sync::Arc;

use axum::Extension;
use axum::handler::Handler;
use axum::middleware;
use axum::routing::{self, MethodRouter};
use helpsync_model::KeyScope;
use utoipa::openapi::schema::ArrayItems;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::Api;
use crate::audit::{Operation, write_down};

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anyone.
    Open,
    /// A customer: an access token, or an API key with `customer-id`.
    Customer,
    /// An API key alone.
    Key,
    /// An API key alone, or a customer.
    Either,
    /// An API key with `customer-id`.
    KeyAndCustomer,
}

/// A parameter of the query string, or a header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    /// `query` or `header`.
    pub(crate) place: &'static str,
    pub(crate) name: &'static str,
    /// `string`, `integer` or `boolean`.
    pub(crate) kind: &'static str,
    pub(crate) about: &'static str,
}

type Named = (String, RefOr<Schema>);

/// A body, in a request or an answer.
#[derive(Clone)]
pub(crate) struct Content {
    pub(crate) media_type: &'static str,
    pub(crate) schema: RefOr<Schema>,
    pub(crate) named: Vec<Named>,
}

impl Content {
    fn json<T: ToSchema>() -> Self {
        let mut named = Vec::new();
        T::schemas(&mut named);
        let schema = if T::name().is_empty() || is_inline::<T>() {
            T::schema()
        } else {
            named.push((T::name().into_owned(), T::schema()));
            RefOr::Ref(utoipa::openapi::Ref::from_schema_name(T::name()))
        };
        Self { media_type: "application/json", schema, named }
    }
}

impl Content {
    /// The names of an object's members.
    pub(crate) fn members(&self) -> Vec<String> {
        let mut members = Vec::new();
        self.note_members(&self.schema, &mut members);
        members
    }

    fn note_members(&self, schema: &RefOr<Schema>, members: &mut Vec<String>) {
        match schema {
            RefOr::Ref(to) => {
                let name = to.ref_location.rsplit('/').next().unwrap_or_default();
                if let Some((_, schema)) = self.named.iter().find(|(named, _)| named == name) {
                    self.note_members(schema, members);
                }
            }
            RefOr::T(Schema::Object(object)) => members.extend(object.properties.keys().cloned()),
            RefOr::T(Schema::AllOf(all)) => {
                all.items.iter().for_each(|part| self.note_members(part, members));
            }
            RefOr::T(Schema::Array(list)) => {
                if let ArrayItems::RefOrSchema(one) = &list.items {
                    self.note_members(one, members);
                }
            }
            RefOr::T(_) => {}
        }
    }
}

/// Lists and plain values have no name of their own.
fn is_inline<T: ToSchema>() -> bool {
    !matches!(
        T::schema(),
        RefOr::T(Schema::Object(_) | Schema::AllOf(_) | Schema::OneOf(_) | Schema::AnyOf(_))
    )
}

/// One method of one path.
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) group: &'static str,
    pub(crate) about: &'static str,
    pub(crate) access: Access,
    /// What the API key must be good for, or the one that the access token was made with.
    pub(crate) scope: KeyScope,
    /// Whether the audit log tells of it; `None`: if it is no GET and takes more than reading.
    changes: Option<bool>,
    /// What the audit log says that it does, where `about` says it to callers.
    told_as: Option<&'static str>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) takes: Option<Content>,
    pub(crate) gives: Option<Content>,
    pub(crate) handler: MethodRouter<Api>,
}

fn endpoint(
    method: &'static str,
    path: &'static str,
    access: Access,
    about: &'static str,
    handler: MethodRouter<Api>,
) -> Endpoint {
    Endpoint {
        method,
        path,
        group: "",
        about,
        access,
        scope: if method == "get" { KeyScope::Read } else { KeyScope::Admin },
        changes: None,
        told_as: None,
        parameters: Vec::new(),
        takes: None,
        gives: None,
        handler,
    }
}

pub(crate) fn get<H, T>(path: &'static str, access: Access, about: &'static str, handler: H) -> Endpoint
where
    H: Handler<T, Api>,
    T: 'static,
{
    endpoint("get", path, access, about, routing::get(handler))
}

pub(crate) fn post<H, T>(path: &'static str, access: Access, about: &'static str, handler: H) -> Endpoint
where
    H: Handler<T, Api>,
    T: 'static,
{
    endpoint("post", path, access, about, routing::post(handler))
}

pub(crate) fn put<H, T>(path: &'static str, access: Access, about: &'static str, handler: H) -> Endpoint
where
    H: Handler<T, Api>,
    T: 'static,
{
    endpoint("put", path, access, about, routing::put(handler))
}

pub(crate) fn delete<H, T>(path: &'static str, access: Access, about: &'static str, handler: H) -> Endpoint
where
    H: Handler<T, Api>,
    T: 'static,
{
    endpoint("delete", path, access, about, routing::delete(handler))
}

impl Endpoint {
    /// Asks for another scope than its method does: GET reads, and everything else is an administrator's.
    pub(crate) fn needs(self, scope: KeyScope) -> Self {
        Self { scope, ..self }
    }

    /// Says whether the audit log tells of it, where its method and scope do not.
    pub(crate) fn audited(self, changes: bool) -> Self {
        Self { changes: Some(changes), ..self }
    }

    /// Says what was done where it was called, for the audit log.
    pub(crate) fn told_as(self, what: &'static str) -> Self {
        Self { told_as: Some(what), ..self }
    }

    /// What it does, in a few words.
    pub(crate) fn summary(&self) -> &'static str {
        let about = self.about;
        self.told_as.unwrap_or_else(|| about.split_once([':', ';']).map_or(about, |(what, _)| what))
    }

    /// Its name in the audit log.
    pub(crate) fn operation(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    /// Whether it changes something that the audit log tells of.
    pub(crate) fn is_change(&self) -> bool {
        self.changes.unwrap_or(self.method != "get" && self.scope != KeyScope::Read)
    }

    /// What the router calls: the handler, told what scope it needs, with its changes written down.
    pub(crate) fn route(self) -> MethodRouter<Api> {
        let operation = Arc::new(Operation {
            name: self.operation(),
            is_change: self.is_change(),
            acts_for_customer: !matches!(self.access, Access::Open | Access::Key),
            members: self.takes.as_ref().map(Content::members).unwrap_or_default(),
        });
        let written_down: MethodRouter<Api> =
            self.handler.layer(middleware::from_fn_with_state(Arc::clone(&operation), write_down));
        let told: MethodRouter<Api> = written_down.layer(Extension(operation));
        told.layer(Extension(self.scope))
    }

    /// Its JSON body.
    pub(crate) fn takes<T: ToSchema + PartialSchema>(mut self) -> Self {
        self.takes = Some(Content::json::<T>());
        self
    }

    /// Its JSON answer.
    pub(crate) fn gives<T: ToSchema + PartialSchema>(mut self) -> Self {
        self.gives = Some(Content::json::<T>());
        self
    }

    /// Its answer, when that is a text of another kind.
    pub(crate) fn gives_text(mut self, media_type: &'static str) -> Self {
        self.gives = Some(Content { media_type, schema: String::schema(), named: Vec::new() });
        self
    }

    pub(crate) fn parameter(mut self, name: &'static str, kind: &'static str, about: &'static str) -> Self {
        self.parameters.push(Parameter { place: "query", name, kind, about });
        self
    }

    /// Takes the header that names on whose behalf files are read.
    pub(crate) fn viewed(mut self) -> Self {
        let (name, about) = (crate::viewer::VIEWER_SEGMENTS, crate::viewer::ABOUT);
        self.parameters.push(Parameter { place: "header", name, kind: "string", about });
        self
    }
}

/// Puts endpoints into a group of the document.
pub(crate) fn group(name: &'static str, endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    endpoints.into_iter().map(|endpoint| Endpoint { group: name, ..endpoint }).collect()
}
