//! Users: an organization's customers and their schedules.

use axum::Json;
use axum::extract::State;
use helpsync_model::KeyScope;
use helpsync_store::audit;
use helpsync_store::{Customer, CustomerQuery, ScheduleChange};
use serde::Deserialize;
use utoipa::ToSchema;

use super::finish::{end, revoke};
use super::oauth_url::live_connection;
use crate::Api;
use crate::auth::{ByKey, Caller};
use crate::body::Body;
use crate::endpoint::{Access, Endpoint, get, post};
use crate::error::ApiError;
use crate::wire::user::{
    DeleteUsersInput, ListUsersRequest, ListedUser, UpdateUsersInput, UserListResponse, UserOrder,
    UserRequestContent, UserResponse, check_customer_ids,
};
use crate::wire::{GenericSuccessResponse, LIST_MAX, OrderDir, Pagination, SUCCESS, bounded, ids};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/update_users", Access::Key, "Switch the schedules of up to 100 customers", update)
            .needs(KeyScope::Sync)
            .told_as("Set whether and when customers are synced by themselves")
            .takes::<UpdateUsersInput>()
            .gives::<GenericSuccessResponse>(),
        post("/user", Access::Key, "One customer", user)
            .needs(KeyScope::Read)
            .takes::<UserRequestContent>()
            .gives::<UserResponse>(),
        get("/whoami", Access::Customer, "The calling customer", whoami).gives::<UserResponse>(),
        post("/list_users", Access::Key, "The organization's customers", list)
            .needs(KeyScope::Read)
            .takes::<ListUsersRequest>()
            .gives::<UserListResponse>(),
        post(
            "/delete_users",
            Access::Key,
            "Delete customers with their files, and revoke their tokens at Zendesk",
            delete,
        )
        .takes::<DeleteUsersInput>()
        .gives::<GenericSuccessResponse>(),
        post(
            "/modify_user_configuration",
            Access::Customer,
            "Accepted for old clients; changes nothing",
            modify_configuration,
        )
        .takes::<ModifyUserConfigurationInput>()
        .gives::<GenericSuccessResponse>(),
    ]
}

async fn update(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Body(input): Body<UpdateUsersInput>,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    check_customer_ids(&input.customer_ids)?;
    let configuration = &input.configuration;
    let change = ScheduleChange {
        auto_sync: configuration.auto_sync()?,
        interval_hours: configuration.interval()?,
        limits: configuration.limits()?,
    };
    api.store().admin().set_schedules(organization, &input.customer_ids, &change).await?;
    Ok(SUCCESS)
}

async fn answer(api: &Api, customer: Customer) -> Result<Json<UserResponse>, ApiError> {
    let totals = api.store().admin().customer_totals(customer.id).await?;
    let tags = api.store().admin().unique_file_tags(customer.id).await?;
    let settings = api.store().admin().organization(customer.organization).await?.connector_settings;
    Ok(Json(UserResponse::new(customer, &totals, tags, settings)))
}

async fn user(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Body(input): Body<UserRequestContent>,
) -> Result<Json<UserResponse>, ApiError> {
    let found = api.store().admin().find_customer(organization, &input.customer_id).await?;
    answer(&api, found.ok_or_else(|| ApiError::missing("user"))?).await
}

async fn whoami(State(api): State<Api>, Caller(customer): Caller) -> Result<Json<UserResponse>, ApiError> {
    answer(&api, customer).await
}

async fn list(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Body(input): Body<ListUsersRequest>,
) -> Result<Json<UserListResponse>, ApiError> {
    let paging = Pagination::check(input.pagination)?;
    let filters = input.filters.unwrap_or_default();
    let query = CustomerQuery {
        organization,
        external_ids: bounded(filters.customer_ids, "filters.customer_ids", LIST_MAX)?,
        ids: ids(filters.carbon_user_ids, "filters.carbon_user_ids")?,
        starting_id: paging.starting_id,
        by_updated_at: matches!(input.order_by, Some(UserOrder::UpdatedAt)),
        descending: input.order_dir != Some(OrderDir::Asc),
        limit: paging.limit,
        offset: paging.offset,
        counted: input.include_count == Some(true),
    };
    let (found, count) = api.store().admin().customers_matching(&query).await?;
    Ok(Json(UserListResponse { users: found.into_iter().map(ListedUser::from).collect(), count }))
}

async fn delete(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Body(input): Body<DeleteUsersInput>,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    check_customer_ids(&input.customer_ids)?;
    for external_id in &input.customer_ids {
        // Of a customer that is not there nothing is left to delete.
        let Some(customer) = api.store().admin().find_customer(organization, external_id).await? else {
            continue;
        };
        audit::next_about(external_id);
        if let Some(connected) = live_connection(&api, customer.organization, customer.id).await? {
            end(&api, &connected).await?;
        }
        let Some(deleted) = api.store().admin().delete_customer(organization, external_id).await? else {
            continue;
        };
        tracing::info!(customer = external_id, "customer deleted");
        for (subdomain, token) in deleted.tokens {
            revoke(&api, external_id, &subdomain, token);
        }
    }
    Ok(SUCCESS)
}

#[derive(Deserialize, ToSchema)]
struct ModifyUserConfigurationInput {
    /// `sparse_vectors`.
    #[expect(dead_code, reason = "its presence is checked")]
    configuration_key_name: String,
}

async fn modify_configuration(
    Caller(_customer): Caller,
    Body(_input): Body<ModifyUserConfigurationInput>,
) -> Json<GenericSuccessResponse> {
    SUCCESS
}
