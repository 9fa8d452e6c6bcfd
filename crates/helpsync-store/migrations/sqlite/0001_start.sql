-- Times are milliseconds since 1970 UTC; JSON is text; sealed columns hold ciphertext of the key ring.
-- The same tables stand in ../postgres; only the types of keys and bytes differ.

create table organization (
    id integer primary key autoincrement,
    name text not null unique,
    auto_sync text,
    interval_hours bigint,
    created_at bigint not null,
    updated_at bigint not null
);

create table api_key (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    key_hash text not null unique,
    created_at bigint not null
);

create table oauth_client (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    client_id text not null,
    client_secret_sealed blob,
    redirect_uri text not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (organization_id, client_id)
);

create table customer (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    external_id text not null,
    auto_sync text,
    interval_hours bigint,
    limits text not null default '{}',
    created_at bigint not null,
    updated_at bigint not null,
    unique (organization_id, external_id)
);

create table connection (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    customer_id bigint not null references customer (id),
    subdomain text not null,
    account_label text not null,
    state text not null check (state in ('active', 'paused', 'revoked')),
    epoch bigint not null default 1,
    -- the grant
    oauth_client_id text,
    scopes text not null default '',
    access_token_sealed blob,
    refresh_token_sealed blob,
    token_version bigint not null default 0,
    token_expires_at bigint,
    refresh_expires_at bigint,
    refresh_holder text,
    refresh_lease_until bigint,
    -- what outside programs read
    sync_status text not null,
    last_sync_action text not null,
    last_synced_at bigint not null,
    source_items_synced_at bigint,
    files_synced_at bigint,
    tags text not null default '{}',
    sync_options text not null default '{}',
    pause_reason text,
    -- where the engine stands
    high_water bigint,
    last_audit_at bigint,
    next_sync_at bigint,
    removals_allowed bigint not null default 0,
    created_at bigint not null,
    updated_at bigint not null,
    disconnected_at bigint,
    check ((state = 'revoked') = (disconnected_at is not null)),
    unique (customer_id, subdomain)
);
-- One workspace per customer_id: the constraint that two grants finishing at once run into.
create unique index connection_one_workspace on connection (customer_id) where disconnected_at is null;
create index connection_due on connection (next_sync_at) where next_sync_at is not null;

create table oauth_state (
    state_hash text primary key,
    organization_id bigint not null references organization (id),
    customer_id bigint not null references customer (id),
    subdomain text not null,
    client_id text not null,
    redirect_uri text not null,
    verifier_sealed blob not null,
    sync_options text not null,
    tags text not null,
    created_at bigint not null,
    expires_at bigint not null,
    consumed_at bigint
);
create index oauth_state_expiry on oauth_state (expires_at);

create table run (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    customer_id bigint not null references customer (id),
    connection_id bigint not null references connection (id),
    kind text not null check (kind in ('full', 'delta', 'resync')),
    trigger_name text not null,
    lane text not null,
    epoch bigint not null,
    state text not null check (state in ('queued', 'running', 'finalizing', 'done', 'failed', 'cancelled')),
    stage text not null check (stage in ('plan', 'walk', 'removal', 'finalize')),
    plan text,
    params text not null default '{}',
    again bigint not null default 0,
    request_id text not null,
    upload_id text not null,
    listed bigint not null default 0,
    created bigint not null default 0,
    updated bigint not null default 0,
    unchanged bigint not null default 0,
    drafts bigint not null default 0,
    skipped bigint not null default 0,
    removed bigint not null default 0,
    held bigint not null default 0,
    requests bigint not null default 0,
    bytes bigint not null default 0,
    budget_wait_ms bigint not null default 0,
    remote_count bigint,
    waiting_for text,
    error text,
    created_at bigint not null,
    started_at bigint,
    progress_at bigint not null,
    finished_at bigint,
    check ((state in ('done', 'failed', 'cancelled')) = (finished_at is not null))
);
-- One sync of a connection at a time; single-article resyncs run beside it.
create unique index run_one_sync on run (connection_id)
    where kind in ('full', 'delta') and state in ('queued', 'running', 'finalizing');
create index run_by_connection on run (connection_id, id);

create table shard (
    id integer primary key autoincrement,
    run_id bigint not null references run (id),
    connection_id bigint not null references connection (id),
    key text not null,
    kind text not null,
    lane text not null,
    state text not null
        check (state in ('pending', 'released', 'running', 'done', 'failed', 'cancelled')),
    params text not null default '{}',
    cursor text,
    attempt bigint not null default 0,
    failures bigint not null default 0,
    due_at bigint not null,
    released_at bigint,
    lease_until bigint,
    holder text,
    error text,
    created_at bigint not null,
    updated_at bigint not null,
    unique (run_id, key),
    check ((state = 'running') = (lease_until is not null))
);
create index shard_due on shard (due_at) where state = 'pending';
create index shard_open on shard (state) where state in ('released', 'running', 'failed');

create table outbox (
    id integer primary key autoincrement,
    dedup text not null unique,
    lane text not null,
    body text not null,
    created_at bigint not null,
    attempt bigint not null default 0,
    lease_until bigint
);

create table item (
    id integer primary key autoincrement,
    connection_id bigint not null references connection (id),
    kind text not null check (kind in ('CATEGORY', 'SECTION')),
    external_id bigint not null,
    parent_kind text,
    parent_id bigint,
    name text not null,
    external_url text,
    synced_at bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (connection_id, kind, external_id)
);

-- Every article that the grant can see, drafts included (without their content): what counts are compared with.
create table remote_article (
    connection_id bigint not null references connection (id),
    article_id bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    published bigint not null,
    seen_run bigint not null,
    primary key (connection_id, article_id)
);

create table file (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    customer_id bigint not null references customer (id),
    connection_id bigint not null references connection (id),
    article_id bigint not null,
    status text not null,
    error text,
    name text not null,
    external_url text,
    source_locale text not null,
    section_id bigint,
    author_id bigint,
    user_segment_id bigint,
    labels text not null default '[]',
    metadata text not null default '{}',
    source_created_at bigint not null,
    source_updated_at bigint not null,
    tags text not null default '{}',
    sync_options text not null default '{}',
    request_id text not null,
    upload_id text not null,
    content_hash text,
    metadata_hash text,
    html_bytes bigint not null default 0,
    characters bigint not null default 0,
    content_deleted bigint not null default 0,
    hidden_at bigint,
    held_at bigint,
    last_sync bigint,
    created_at bigint not null,
    updated_at bigint not null,
    unique (connection_id, article_id)
);
create index file_by_customer on file (customer_id, updated_at, id);
create index file_hidden on file (connection_id) where hidden_at is not null;

create table translation (
    file_id bigint not null references file (id) on delete cascade,
    locale text not null,
    title text not null,
    external_url text,
    html text not null,
    markdown text not null,
    plain text not null,
    hash text not null,
    source_updated_at bigint not null,
    primary key (file_id, locale)
);

-- Articles that could not be stored, with the reason. Nothing is dropped silently.
create table skipped (
    id integer primary key autoincrement,
    run_id bigint not null references run (id),
    article_id bigint,
    reason text not null,
    created_at bigint not null
);
create index skipped_by_run on skipped (run_id);

-- Announcements, written in the transaction of the change they announce.
create table event (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    customer_id bigint not null references customer (id),
    connection_id bigint not null references connection (id),
    kind text not null,
    object_type text not null,
    object_id text not null,
    detail text not null default '{}',
    created_at bigint not null
);
create index event_by_customer on event (customer_id, id);
