-- An event subscription is Zendesk's webhook for one connection: it tells us at once of published and unpublished articles.
create table event_subscription (
    connection_id bigint primary key references connection (id) on delete cascade,
    -- the last part of the address that Zendesk posts to; it names the connection to those who know it
    endpoint text not null unique,
    webhook_id text,
    secret_sealed blob,
    -- when it is to be made or looked after next; null = nothing to do
    due_at bigint,
    attempt bigint not null default 0,
    failures bigint not null default 0,
    lease_until bigint,
    error text,
    created_at bigint not null,
    updated_at bigint not null
);
create index event_subscription_due on event_subscription (due_at) where due_at is not null;

-- Zendesk delivers at least once: an event that is known does nothing.
create table subscription_event (
    connection_id bigint not null references connection (id) on delete cascade,
    event_id text not null,
    received_at bigint not null,
    primary key (connection_id, event_id)
);
create index subscription_event_age on subscription_event (received_at);
