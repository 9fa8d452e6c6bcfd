-- Every table of Helpsync. Times are milliseconds since 1970 UTC unless a comment says seconds; JSON is text; truth is 0 or 1;
-- sealed columns hold ciphertext of the key ring. Zendesk's ids are its own.
-- The same tables stand in ../postgres; only the types of keys and bytes and the index of words differ.
--
-- Six tables are lease queues (docs/leases.md): shard, outbox, webhook_delivery, chunking, chunk, event_subscription. Their
-- columns have the same meaning everywhere:
--   attempt      number of the latest claim; whoever settles a row names the attempt that it claimed
--   failures     tries spent since the work last got anywhere; a claim counts as one
--   due_at       not to be claimed before
--   lease_until  claimed until then; null or passed = nobody holds the row

-- ---------------------------------------------------------------------------------------------------------------------
-- Tenants

create table organization (
    id integer primary key autoincrement,
    name text not null unique,
    -- the schedule of its customers' syncs, unless they have their own
    auto_sync text,
    interval_hours bigint,
    -- what it sets for all its customers, as JSON
    limits text not null default '{}',
    connector_settings text not null default '{}',
    -- when its statistics were last asked for
    statistics_at bigint,
    created_at bigint not null,
    updated_at bigint not null
);

create table api_key (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    name text not null,
    key_hash text not null unique,
    -- what people know it by: its first letters; empty = it was not made here
    prefix text not null default '',
    scope text not null check (scope in ('read', 'sync', 'admin', 'operator')),
    -- the one that the settings name, or that the embedded shape made for itself
    is_bootstrap bigint not null default 0,
    expires_at bigint,
    -- to the minute
    last_used_at bigint,
    created_at bigint not null,
    unique (organization_id, name)
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
    -- since when a person has paused its work
    paused_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    unique (organization_id, external_id)
);

-- ---------------------------------------------------------------------------------------------------------------------
-- Connections

create table connection (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    customer_id bigint not null references customer (id),
    subdomain text not null,
    account_label text not null,
    state text not null check (state in ('active', 'paused', 'revoked')),
    -- raised with every change of state: what was begun under an earlier epoch is refused
    epoch bigint not null default 1,
    -- the grant; a refresh is claimed by one process, which refresh_holder names, until refresh_lease_until
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
    -- the selection filter: what of the help center is kept; {} = everything
    selection text not null default '{}',
    -- where the engine stands: everything changed up to the high-water mark (epoch seconds) is stored
    high_water bigint,
    last_audit_at bigint,
    next_sync_at bigint,
    -- removals that a person has let through although a run held them
    removals_allowed bigint not null default 0,
    -- 'allowed', 'refused' or 'lost' (allowed once, refused now); null = not yet tried
    export_access text,
    -- what changed up to this second (epoch) was read by a listing since, also where it is more than a page of the export
    passed_second bigint,
    -- what tells whether sections and categories are as they were last read, as JSON
    tree_mark text,
    -- the locales by which lists are asked for, as JSON, where they are refused without; null = they are not
    list_locales text,
    -- how many articles each of them had when all was last read, as JSON
    locale_counts text,
    -- brands of a connected account: further help centers, each a connection below the one that holds the grant
    parent_id bigint references connection (id),
    brand_id bigint,
    brand_name text,
    -- Zendesk has it no more
    brand_gone bigint not null default 0,
    -- when the account was last asked for its brands
    brands_asked_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    disconnected_at bigint,
    check ((state = 'revoked') = (disconnected_at is not null)),
    unique (customer_id, subdomain)
);
-- One workspace per customer: two grants that finish at once run into this constraint.
create unique index connection_one_workspace on connection (customer_id)
    where disconnected_at is null and parent_id is null;
create index connection_due on connection (next_sync_at) where next_sync_at is not null;
create index connection_by_age on connection (coalesce(source_items_synced_at, created_at))
    where state = 'active' and parent_id is null;
create index connection_by_parent on connection (parent_id) where parent_id is not null;

-- Grants under way: from the redirect to Zendesk until its callback.
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

-- An event subscription is Zendesk's webhook for one connection: it tells us at once of published and unpublished
-- articles. A lease queue.
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
    updated_at bigint not null,
    check (due_at is not null or lease_until is null)
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

-- ---------------------------------------------------------------------------------------------------------------------
-- Runs

create table run (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    customer_id bigint not null references customer (id),
    connection_id bigint not null references connection (id),
    -- where it is of a brand: the connection that people know, and the brand's name
    source_id bigint,
    brand text,
    kind text not null check (kind in ('full', 'delta', 'resync')),
    trigger_name text not null,
    lane text not null,
    epoch bigint not null,
    state text not null check (state in ('queued', 'running', 'finalizing', 'done', 'failed', 'incomplete', 'cancelled')),
    stage text not null check (stage in ('plan', 'walk', 'removal', 'finalize')),
    -- how it reads the articles, and why so, for people
    plan text,
    plan_reason text,
    params text not null default '{}',
    -- the request that its successor serves, as JSON; null = none follows
    pending_request text,
    request_id text not null,
    upload_id text not null,
    -- what it did, in articles
    listed bigint not null default 0,
    created bigint not null default 0,
    updated bigint not null default 0,
    unchanged bigint not null default 0,
    drafts bigint not null default 0,
    skipped bigint not null default 0,
    -- of the skipped: kept out by a limit
    over_limit bigint not null default 0,
    -- read, and left out by the selection filter
    unselected bigint not null default 0,
    removed bigint not null default 0,
    held bigint not null default 0,
    -- what it took
    requests bigint not null default 0,
    bytes bigint not null default 0,
    budget_wait_ms bigint not null default 0,
    -- the same by what was waited for; waits for two things at once are in both
    wait_pace_ms bigint not null default 0,
    wait_window_ms bigint not null default 0,
    wait_in_flight_ms bigint not null default 0,
    wait_blocked_ms bigint not null default 0,
    wait_put_off_ms bigint not null default 0,
    -- articles that Zendesk counts
    remote_count bigint,
    -- articles that Zendesk counts and that it has to have seen for its end to be a good one; null = it need not be checked
    owed bigint,
    -- why it lists every id though nobody asked for that; null = it does not
    audit_reason text,
    waiting_for text,
    error text,
    created_at bigint not null,
    -- at its end: the files that are shown, and a digest over their articles and contents; null = it has not ended so
    files bigint,
    digest text,
    -- W3C trace context of who asked for it; null = nobody traces it
    traceparent text,
    started_at bigint,
    progress_at bigint not null,
    finished_at bigint,
    check ((state in ('done', 'failed', 'incomplete', 'cancelled')) = (finished_at is not null))
);
-- One sync of a connection at a time; resyncs of single articles run beside it.
create unique index run_one_sync on run (connection_id)
    where kind in ('full', 'delta') and state in ('queued', 'running', 'finalizing');
create index run_by_connection on run (connection_id, id);

-- The units of a run. A lease queue.
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
    -- where the last attempt got to
    cursor text,
    -- everything of a walk before it (epoch seconds) is stored; null = nothing of it is left, or it bounds no high-water mark
    position bigint,
    -- the latest change (epoch seconds) that a walk has stored
    newest bigint,
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
create index shard_failed on shard (connection_id, id) where state = 'failed';
-- What a sweep looks at: leases that ran out, messages that nobody heard.
create index shard_leased on shard (lease_until) where state = 'running';
create index shard_announced on shard (released_at) where state = 'released';
-- What a connection's turn at the release looks at: how much is out, what ends a run, what else waits.
create index shard_out on shard (connection_id, lane) where state in ('released', 'running');
create index shard_ending on shard (connection_id, lane, due_at, id) where state = 'pending' and kind = 'finalize';
create index shard_waiting on shard (connection_id, lane, due_at, id) where state = 'pending';

-- When a connection has its turn at the release, in each lane: not later than its first pending shard is due.
-- null = nothing waits, or as much is out as may be. Triggers keep it, so that no write of a shard can forget it.
create table release_turn (
    connection_id bigint not null references connection (id) on delete cascade,
    lane text not null,
    due_at bigint,
    primary key (connection_id, lane)
) without rowid;
create index release_turn_due on release_turn (lane, due_at, connection_id) where due_at is not null;
create trigger shard_added after insert on shard when new.state = 'pending' begin
    insert into release_turn (connection_id, lane, due_at) values (new.connection_id, new.lane, new.due_at)
    on conflict (connection_id, lane) do update set due_at = excluded.due_at
    where release_turn.due_at is null or release_turn.due_at > excluded.due_at;
end;
create trigger shard_put_back after update of state, due_at on shard
when new.state = 'pending' and (old.state <> 'pending' or new.due_at < old.due_at) begin
    insert into release_turn (connection_id, lane, due_at) values (new.connection_id, new.lane, new.due_at)
    on conflict (connection_id, lane) do update set due_at = excluded.due_at
    where release_turn.due_at is null or release_turn.due_at > excluded.due_at;
end;
-- Room in the window is worth a turn only to a shard that waits.
create trigger shard_gone after update of state on shard
when old.state in ('released', 'running') and new.state not in ('pending', 'released', 'running') begin
    insert into release_turn (connection_id, lane, due_at) select new.connection_id, new.lane, new.updated_at
    where exists (select 1 from shard
        where connection_id = new.connection_id and lane = new.lane and state = 'pending')
    on conflict (connection_id, lane) do update set due_at = excluded.due_at
    where release_turn.due_at is null or release_turn.due_at > excluded.due_at;
end;

-- Messages that are committed and not yet published. A lease queue.
create table outbox (
    id integer primary key autoincrement,
    dedup text not null unique,
    lane text not null,
    body text not null,
    -- W3C trace context of the message
    traceparent text not null default '',
    attempt bigint not null default 0,
    lease_until bigint,
    created_at bigint not null
);

-- Lanes that a person has paused: their shards are not handed out.
create table paused_lane (
    lane text primary key,
    paused_at bigint not null
);

-- Processes that live, or did within the last day. What they do is in the shards that they hold.
create table process (
    holder text primary key,
    role text not null,
    host text not null,
    version text not null,
    concurrency bigint not null,
    started_at bigint not null,
    seen_at bigint not null
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

-- ---------------------------------------------------------------------------------------------------------------------
-- What Zendesk shows

-- Categories and sections.
create table item (
    id integer primary key autoincrement,
    connection_id bigint not null references connection (id),
    kind text not null check (kind in ('CATEGORY', 'SECTION')),
    external_id bigint not null,
    parent_kind text,
    parent_id bigint,
    -- a section's category, also where the section stands in another one
    category_id bigint,
    name text not null,
    external_url text,
    synced_at bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (connection_id, kind, external_id)
);
create index item_by_parent on item (connection_id, parent_id);

-- The ledger: every article that the grant can see, drafts included, without their content. Counts are compared with it.
create table remote_article (
    connection_id bigint not null references connection (id),
    article_id bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    published bigint not null,
    seen_run bigint not null,
    -- where it stands, for counts by section
    section_id bigint,
    -- 0 = when it was last read, its section was none of those that are kept
    placed bigint not null default 1,
    -- its characters as last read, where a limit of its customer keeps it out; null = none does
    over_limit bigint,
    primary key (connection_id, article_id)
);
create index remote_article_over_limit on remote_article (connection_id) where over_limit is not null;

-- Published articles that a listing showed and that are not synced: what /integrations/items/list offers beside files.
create table unsynced_article (
    connection_id bigint not null references connection (id),
    article_id bigint not null,
    name text not null,
    section_id bigint,
    external_url text,
    -- the segments that may read it, as JSON; null = not known, shown to no named reader
    user_segment_ids text,
    synced_at bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (connection_id, article_id)
);
create index unsynced_article_by_section on unsynced_article (connection_id, section_id);

-- Names of people and tags as a page or a list showed them; files hold their ids.
create table author (
    connection_id bigint not null references connection (id),
    author_id bigint not null,
    name text not null,
    primary key (connection_id, author_id)
);

create table content_tag (
    connection_id bigint not null references connection (id),
    tag_id text not null,
    -- null = Zendesk did not tell it when it was asked
    name text,
    asked_at bigint not null,
    primary key (connection_id, tag_id)
);

-- ---------------------------------------------------------------------------------------------------------------------
-- Files

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
    -- every segment that may read the article; user_segment_id is the first of them
    user_segment_id bigint,
    user_segment_ids text not null default '[]',
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
    -- the version of the converter that made the texts; of another version, they are made again
    converter bigint not null default 0,
    html_bytes bigint not null default 0,
    characters bigint not null default 0,
    content_deleted bigint not null default 0,
    -- 1 = the article's attachments are to be looked at, where the connection keeps attachments
    attachments_due bigint not null default 0,
    hidden_at bigint,
    -- since when its removal is held
    held_at bigint,
    last_sync bigint,
    created_at bigint not null,
    updated_at bigint not null,
    unique (connection_id, article_id)
);
create index file_by_customer on file (customer_id, updated_at, id);
create index file_held on file (connection_id) where held_at is not null;
create index file_hidden on file (connection_id) where hidden_at is not null;
create index file_by_section on file (connection_id, section_id);
create index file_attachments_due on file (connection_id, id) where attachments_due = 1;

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

-- Bytes, once for an organization however often they are used, in chunks so that nobody ever holds all of them.
create table blob (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    -- null while the bytes arrive; then their SHA-256 in lower hex
    hash text,
    bytes bigint not null default 0,
    created_at bigint not null,
    unique (organization_id, hash)
);

create table blob_chunk (
    blob_id bigint not null references blob (id) on delete cascade,
    number bigint not null,
    bytes blob not null,
    primary key (blob_id, number)
);

create table attachment (
    id integer primary key autoincrement,
    file_id bigint not null references file (id) on delete cascade,
    attachment_id bigint not null,
    file_name text not null,
    content_type text not null,
    is_inline bigint not null,
    -- of Zendesk's record, to tell whether it changed
    version text not null,
    blob_id bigint references blob (id),
    -- why its bytes are not kept
    skipped text,
    created_at bigint not null,
    unique (file_id, attachment_id),
    check ((blob_id is null) = (skipped is not null))
);
create index attachment_by_blob on attachment (blob_id);
create index attachment_unproven on attachment (file_id) where version = '';

-- ---------------------------------------------------------------------------------------------------------------------
-- Search
--
-- Chunks are the parts of texts that searches answer with. Chunking and embedding are work of their own, done after the
-- page is stored: each row says by itself what is still to be done with it, and a lease says who does it.

-- How a file is chunked. A row is written, or its version raised, with every change of the file's text or options.
-- A lease queue.
create table chunking (
    file_id bigint primary key references file (id) on delete cascade,
    connection_id bigint not null,
    version bigint not null default 1,
    -- the version that the chunks are of
    chunked_version bigint not null default 0,
    -- a request to embed also what has not changed
    embed_anew bigint not null default 0,
    due_at bigint not null,
    attempt bigint not null default 0,
    failures bigint not null default 0,
    lease_until bigint,
    -- what came of it
    tokens bigint not null default 0,
    chunks bigint not null default 0,
    embedded bigint not null default 0,
    -- shown as the file's while its text stays readable
    error text,
    check (chunked_version <= version),
    check (chunked_version < version or lease_until is null)
);
create index chunking_due on chunking (connection_id, due_at) where chunked_version < version;

-- A lease queue of what waits for its vector.
create table chunk (
    id integer primary key autoincrement,
    file_id bigint not null references file (id) on delete cascade,
    connection_id bigint not null,
    position bigint not null,
    locale text not null,
    hash text not null,
    -- what it is found by, as a hash; null = it is not in the index of words
    words_hash text,
    tokens bigint not null,
    -- brought by the customer with a vector of their own, or without
    uploaded bigint not null default 0,
    state text not null check (state in ('skipped', 'waiting', 'embedded', 'failed')),
    due_at bigint not null,
    attempt bigint not null default 0,
    failures bigint not null default 0,
    lease_until bigint,
    created_at bigint not null,
    updated_at bigint not null,
    -- what made the vector: the endpoint's model, or of uploaded ones Carbon's name
    model text,
    dimensions bigint,
    -- 32 bit floats, little endian; the last one stays in use until the next one is here
    vector blob,
    -- the last column: the others are read without it
    content text not null,
    check ((vector is null) = (dimensions is null)),
    check (state <> 'embedded' or vector is not null),
    check (state = 'waiting' or lease_until is null)
);
create index chunk_by_file on chunk (file_id, position);
create index chunk_to_embed on chunk (connection_id, due_at, id) where state in ('waiting', 'failed');
create index chunk_by_model on chunk (model) where state = 'embedded' and uploaded = 0;

-- Searches by words: the program analyses the texts, by the language of each translation, and the index holds what it
-- found, behind the customer's id: CUSTOMER:LEVEL:TERM (docs/search.md).
-- Terms are letters, digits and marks of any script; the sign between them is ours.
create virtual table chunk_word using fts5 (
    words, content = '', contentless_delete = 1, detail = none, tokenize = "ascii tokenchars ':'"
);
create trigger chunk_word_removed after delete on chunk begin
    delete from chunk_word where rowid = old.id;
end;

-- The languages that a customer's chunks were analysed as; empty = words as they are written.
create table customer_language (
    customer_id bigint not null references customer (id) on delete cascade,
    language text not null,
    primary key (customer_id, language)
) without rowid;

-- Requests to the embeddings endpoint, all processes together, by minute since 1970.
create table embedding_minute (
    minute bigint primary key,
    requests bigint not null
);

-- ---------------------------------------------------------------------------------------------------------------------
-- Webhooks: whom to tell, and what is on its way to whom

-- Announcements, written in the transaction of the change that they announce. Some concern a customer as a whole, or the
-- organization.
create table event (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    customer_id bigint references customer (id),
    connection_id bigint references connection (id),
    kind text not null,
    object_type text not null,
    object_id text not null,
    detail text not null default '{}',
    -- W3C trace context of the work that it tells of; null = nobody traces it
    traceparent text,
    created_at bigint not null,
    -- kept here when the customer itself is gone
    customer_external_id text,
    -- whether its deliveries exist
    fanned_out bigint not null default 0
);
create index event_by_customer on event (customer_id, id);
create index event_to_fan_out on event (id) where fanned_out = 0;
create index event_by_age on event (created_at);

create table webhook (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    url text not null,
    signing_key_sealed blob,
    status text not null check (status in ('ACTIVE', 'FLAGGED')),
    status_reason text,
    -- the circuit breaker: failures in a row, and until when nothing is sent
    failures bigint not null default 0,
    open_until bigint,
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    check ((deleted_at is null) = (signing_key_sealed is not null)),
    check ((status = 'FLAGGED') = (open_until is not null))
);
create unique index webhook_url on webhook (organization_id, url) where deleted_at is null;

-- A lease queue.
create table webhook_delivery (
    id integer primary key autoincrement,
    webhook_id bigint not null references webhook (id),
    event_id bigint not null references event (id) on delete cascade,
    organization_id bigint not null references organization (id),
    -- what order is kept by: events of one object strictly; a barrier comes after what its connection had before
    connection_id bigint,
    object_key text,
    barrier bigint not null,
    state text not null check (state in ('pending', 'delivered', 'dead')),
    attempt bigint not null default 0,
    failures bigint not null default 0,
    -- whether a try of its present round has ended
    tried bigint not null default 0,
    due_at bigint not null,
    lease_until bigint,
    -- when its present round of tries began
    since bigint not null,
    http_status bigint,
    error text,
    created_at bigint not null,
    finished_at bigint,
    unique (webhook_id, event_id),
    check ((state = 'pending') = (finished_at is null)),
    check (state = 'pending' or lease_until is null)
);
create index webhook_delivery_pending on webhook_delivery (webhook_id, event_id) where state = 'pending';
create index webhook_delivery_object on webhook_delivery (webhook_id, object_key, event_id) where state = 'pending';
create index webhook_delivery_untried on webhook_delivery (webhook_id, connection_id, event_id)
    where state = 'pending' and tried = 0;
create index webhook_delivery_leased on webhook_delivery (webhook_id) where lease_until is not null;
create index webhook_delivery_since on webhook_delivery (since) where state = 'pending';
create index webhook_delivery_finished on webhook_delivery (finished_at) where finished_at is not null;
create index webhook_delivery_by_event on webhook_delivery (event_id);
create index webhook_delivery_list on webhook_delivery (webhook_id, id);

-- Written by whoever asks whether the database takes what it is told.
create table ping (
    id bigint primary key check (id = 1),
    at bigint not null
);
