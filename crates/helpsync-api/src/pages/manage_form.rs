//! What the managing page shows of a workspace, and the form of its selection.

use helpsync_model::{ConnectionState, DataSourceStatus, SelectionFilter, WaitKind};
use helpsync_pages::{CATEGORY, Fields, Folder, SECTION, folders};
use helpsync_store::{Connection, CustomerState, Item, ItemListKind, ItemOrder, ItemQuery, Run};
use maud::{Markup, html};

use super::progress::{self, ProgressClaim, Remark};
use super::texts;
use crate::Api;
use crate::error::ApiError;
use crate::wire::Int;
use crate::wire::selection::SelectionInput;

/// Categories and sections that the page shows; what is selected beyond them stays selected.
const FOLDERS_MAX: i64 = 500;

/// Lines of a list that are seen at once.
const LINES_SHOWN: u32 = 3;

/// What the fields of the selection hold.
struct Chosen {
    categories: Vec<i64>,
    sections: Vec<i64>,
    /// One a line, as are the labels.
    locales: String,
    labels: String,
    public_only: bool,
    attachments: bool,
}

impl Chosen {
    fn kept(selection: &SelectionFilter) -> Self {
        Self {
            categories: selection.categories.clone(),
            sections: selection.sections.clone(),
            locales: selection.locales.join("\n"),
            labels: selection.labels.join("\n"),
            public_only: selection.public_only,
            attachments: selection.attachments,
        }
    }

    fn typed(fields: &Fields) -> Self {
        let ids = |name: &str| fields.all(name).filter_map(|id| id.trim().parse().ok()).collect();
        let text = |name: &str| fields.one(name).unwrap_or_default().to_owned();
        Self {
            categories: ids(CATEGORY),
            sections: ids(SECTION),
            locales: text("locales"),
            labels: text("labels"),
            public_only: fields.has("public_only"),
            attachments: fields.has("attachments"),
        }
    }
}

/// Whether nothing new begins until a person lets it: its customer is paused, or what its sync stands in.
pub(super) fn is_held_back(connection: &Connection) -> bool {
    connection.is_customer_paused || connection.waiting_kind == Some(WaitKind::Person)
}

/// What is shown of a connected workspace.
pub(super) struct Shown {
    connection: Connection,
    state: Option<CustomerState>,
    last: Option<Run>,
    /// What stopped that, where a person can do something about it.
    stopped: Option<Remark>,
    selection: SelectionFilter,
    folders: Vec<Item>,
    has_more: bool,
}

impl Shown {
    pub(super) async fn read(api: &Api, connection: &Connection) -> Result<Self, ApiError> {
        let admin = api.store().admin();
        let organization = connection.organization;
        let query = ItemQuery {
            organization,
            connection: connection.id,
            parent: None,
            roots_only: false,
            ids: None,
            name: None,
            kinds: Some(vec![
                ItemListKind::Category.as_str().to_owned(),
                ItemListKind::Section.as_str().to_owned(),
            ]),
            starting_id: 0,
            order: ItemOrder::Name,
            descending: false,
            limit: FOLDERS_MAX,
            offset: 0,
            viewer: None,
        };
        let (folders, count) = admin.items(&query).await?;
        let last = admin.runs(organization, Some(connection.id), 1).await?.into_iter().next();
        Ok(Self {
            connection: connection.clone(),
            state: admin.customer_state(organization, &connection.customer_external_id).await?,
            stopped: match &last {
                Some(run) => Remark::of_stopped(api, run).await?,
                None => None,
            },
            last,
            selection: admin.selection(organization, connection.id).await?,
            folders,
            has_more: count > FOLDERS_MAX,
        })
    }

    /// Files that are here.
    pub(super) fn files(&self) -> i64 {
        self.state.as_ref().map_or(0, |state| state.files)
    }

    /// The page that shows its sync.
    pub(super) fn watch(&self, api: &Api, key: i64) -> String {
        let claim = ProgressClaim {
            o: self.connection.organization.0,
            d: self.connection.id.0,
            c: self.connection.created_at,
            r: None,
            b: None,
            k: Some(key),
        };
        format!("progress?token={}", progress::token(api, claim))
    }

    pub(super) fn facts(&self) -> Markup {
        let workspace = self.state.as_ref().and_then(|state| state.workspace.as_ref());
        let state = match (self.connection.state, self.connection.sync_status) {
            (ConnectionState::Paused | ConnectionState::Revoked, _) => texts::STATE_PAUSED,
            _ if is_held_back(&self.connection) => texts::STATE_HELD_BACK,
            (_, DataSourceStatus::Queued | DataSourceStatus::Syncing) => texts::STATE_WORKING,
            (_, DataSourceStatus::Error) => texts::STATE_ERROR,
            (_, DataSourceStatus::Ready) => texts::STATE_READY,
        };
        let complete = workspace.and_then(|workspace| workspace.complete_at).map(texts::moment);
        let next = self.connection.next_sync_at.map(texts::moment);
        let held = workspace.map_or(0, |workspace| workspace.held);
        html! {
            dl {
                dt { (texts::FACT_WORKSPACE) } dd { (self.connection.subdomain) ".zendesk.com" }
                // Where Zendesk did not say who it was, the label is the workspace's.
                @if self.connection.account_label != self.connection.subdomain {
                    dt { (texts::FACT_BY) } dd { (self.connection.account_label) }
                }
                dt { (texts::FACT_ARTICLES) }
                dd { (texts::thousands(self.files())) }
                dt { (texts::FACT_STATE) }
                dd {
                    (state)
                    // A person's pause is the state already.
                    @if let Some(kind) = self.connection.waiting_kind.filter(|kind| *kind != WaitKind::Person) {
                        br; (texts::waits_for(kind))
                    }
                }
                dt { (texts::FACT_COMPLETE) } dd { (complete.as_deref().unwrap_or(texts::NEVER)) }
                dt { (texts::FACT_NEXT) } dd { (next.as_deref().unwrap_or(texts::NOT_SCHEDULED)) }
            }
            @if held > 0 { div.note.warn { p { (texts::HELD) } } }
            @if let Some(stopped) = self.stopped {
                div.note.warn { p { (stopped.text(self.connection.next_sync_at.is_some())) } }
            }
            @if let Some(skipped) = self.last.as_ref().map(|run| run.counters.skipped).filter(|count| *count > 0) {
                div.note { p { (texts::skipped(skipped)) } }
            }
        }
    }

    /// The fields of the selection, with its button; `typed` is what could not be saved, to be put right.
    pub(super) fn selection(&self, typed: Option<&Fields>) -> Markup {
        let chosen = typed.map_or_else(|| Chosen::kept(&self.selection), Chosen::typed);
        let check = |name: &str, text: &str, checked: bool| {
            html! {
                label.check { input type="checkbox" name=(name) value="yes" checked[checked]; span { (text) } }
            }
        };
        let list = |name: &str, label: &str, hint: &str, lines: &str| {
            let hint_id = format!("{name}-hint");
            html! {
                label for=(name) { (label) }
                textarea id=(name) name=(name) rows=(LINES_SHOWN) autocomplete="off" autocapitalize="none"
                    spellcheck="false" aria-describedby=(hint_id) { (lines) }
                p.hint id=(hint_id) { (hint) }
            }
        };
        html! {
            h2 { (texts::WHAT_IS_SYNCED) }
            p.soft { (texts::WHAT_IS_SYNCED_HINT) }
            (self.places(&chosen))
            (list("locales", texts::LOCALES, texts::LOCALES_HINT, &chosen.locales))
            (list("labels", texts::LABELS, texts::LABELS_HINT, &chosen.labels))
            (check("public_only", texts::PUBLIC_ONLY, chosen.public_only))
            (check("attachments", texts::ATTACHMENTS, chosen.attachments))
            div.row { button type="submit" name="do" value="select" { (texts::SAVE) } }
        }
    }

    fn places(&self, chosen: &Chosen) -> Markup {
        let folder = |item: &Item| Folder {
            id: item.external_id,
            parent: item.parent,
            name: item.name.clone(),
            is_category: item.kind == ItemListKind::Category,
        };
        let all: Vec<Folder> = self.folders.iter().map(folder).collect();
        html! {
            fieldset {
                legend { (texts::PLACES) }
                p.hint { @if all.is_empty() { (texts::PLACES_UNKNOWN) } @else { (texts::PLACES_HINT) } }
                (folders(&all, &chosen.categories, &chosen.sections, false))
                @if self.has_more { p.hint { (texts::PLACES_MANY) } }
            }
        }
    }
}

/// The selection that a form says. What the page does not show stays as it was.
///
/// # Errors
/// What is wrong with it.
pub(super) fn selection_of(fields: &Fields, before: &SelectionFilter) -> Result<SelectionFilter, ApiError> {
    let ids = |name: &str| -> Result<Vec<Int>, ApiError> {
        let wrong = |_| ApiError::bad("an id is no number");
        fields.all(name).map(|text| text.trim().parse().map(Int).map_err(wrong)).collect()
    };
    let texts = |name: &str| -> Vec<String> {
        let text = fields.one(name).unwrap_or_default();
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect()
    };
    let input = SelectionInput {
        brand_ids: Some(before.brands.iter().copied().map(Int).collect()),
        category_ids: Some(ids(CATEGORY)?),
        section_ids: Some(ids(SECTION)?),
        labels: Some(texts("labels")),
        locales: Some(texts("locales")),
        public_only: Some(fields.has("public_only")),
        attachments: Some(fields.has("attachments")),
    };
    input.check()
}
