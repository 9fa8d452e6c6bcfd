//! Everything that is kept of a customer's files, as JSON lines.

use std::collections::{HashMap, VecDeque};

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream;
use helpsync_model::{ConnectionId, CustomerId, OrganizationId, chain};
use helpsync_store::{File, FileFilters, FileOrder, FileQuery};

use super::file_detail::detail;
use crate::Api;
use crate::auth::{Reader, Spoken, check_key_lives};
use crate::body::Query;
use crate::endpoint::{Access, Endpoint, get};
use crate::error::ApiError;
use crate::viewer::Viewing;
use crate::wire::native::ExportQuery;

/// Files read from the store at once; their texts are read one by one.
const PAGE: i64 = 200;
/// Paths remembered while exporting; a help center has some hundred sections.
const PATHS_MAX: usize = 10_000;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(
            "/helpsync/v1/export",
            Access::Either,
            "Every file of a customer with its text, one JSON object a line, by id; a broken export breaks off",
            export,
        )
        .parameter("customer_id", "string", "Whose; needed with an API key that sends no customer-id header")
        .viewed()
        .gives_text("application/x-ndjson"),
    ]
}

/// Where an export stands.
struct Cursor {
    api: Api,
    organization: OrganizationId,
    /// The API key that it was asked for with, or that made the access token.
    key: i64,
    customer: CustomerId,
    viewing: Viewing,
    after: i64,
    page: VecDeque<File>,
    ended: bool,
    paths: HashMap<(ConnectionId, Option<i64>), Vec<String>>,
}

async fn export(
    State(api): State<Api>,
    reader: Reader,
    Extension(spoken): Extension<Spoken>,
    viewing: Viewing,
    Query(query): Query<ExportQuery>,
) -> Result<Response, ApiError> {
    let organization = match &reader {
        Reader::ByKey(organization) => *organization,
        Reader::Caller(customer) => customer.organization,
    };
    let customer = match (reader, query.customer_id) {
        (Reader::Caller(customer), None) => customer.id,
        (Reader::Caller(customer), Some(id)) if customer.external_id == id => customer.id,
        (Reader::ByKey(organization), Some(id)) => {
            let found = api.store().admin().find_customer(organization, &id).await?;
            found.ok_or_else(|| ApiError::missing("customer"))?.id
        }
        (Reader::ByKey(_), None) => {
            return Err(ApiError::bad("say whose files: send customer_id, or the customer-id header"));
        }
        (Reader::Caller(_), Some(_)) => return Err(ApiError::missing("customer")),
    };
    let cursor = Cursor {
        api,
        organization,
        key: spoken.key,
        customer,
        viewing,
        after: 0,
        page: VecDeque::new(),
        ended: false,
        paths: HashMap::new(),
    };
    let lines = stream::try_unfold(cursor, |mut cursor| async move {
        match cursor.line().await {
            Ok(line) => Ok(line.map(|line| (line, cursor))),
            Err(error) => {
                tracing::error!(error = error.text(), "an export broke off");
                Err(std::io::Error::other(error.text()))
            }
        }
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

impl Cursor {
    /// The next file's line; `None` at the end.
    async fn line(&mut self) -> Result<Option<Bytes>, ApiError> {
        if self.page.is_empty() && !self.ended {
            self.read_page().await?;
        }
        let Some(file) = self.page.pop_front() else { return Ok(None) };
        let path = self.path(&file).await?;
        let detail = detail(&self.api, file, path, &self.viewing).await?;
        let mut line = serde_json::to_vec(&detail).map_err(|error| {
            tracing::error!(error = chain(&error), "a file could not be written");
            ApiError::bad("a file could not be written")
        })?;
        line.push(b'\n');
        Ok(Some(line.into()))
    }

    async fn read_page(&mut self) -> Result<(), ApiError> {
        // A long export ends with its key.
        check_key_lives(&self.api, self.organization, Some(self.key)).await?;
        let query = FileQuery {
            customer: self.customer,
            filters: FileFilters { viewer: self.viewing.viewer.clone(), ..FileFilters::default() },
            starting_id: self.after,
            order: FileOrder::Id,
            descending: false,
            limit: PAGE,
            offset: 0,
        };
        self.page = self.api.store().admin().files(&query).await?.0.into();
        match self.page.back() {
            Some(last) => self.after = last.id.0,
            None => self.ended = true,
        }
        Ok(())
    }

    async fn path(&mut self, file: &File) -> Result<Vec<String>, ApiError> {
        let key = (file.connection, file.section_id);
        if let Some(known) = self.paths.get(&key) {
            return Ok(known.clone());
        }
        let path = self.api.store().admin().path(file).await?;
        if self.paths.len() < PATHS_MAX {
            self.paths.insert(key, path.clone());
        }
        Ok(path)
    }
}
