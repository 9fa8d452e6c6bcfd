-- Browsers that are logged in to the dashboard, each by an API key: they end with it.
create table dashboard_session (
    id integer primary key autoincrement,
    api_key_id integer not null references api_key (id) on delete cascade,
    -- SHA-256 of what the browser holds
    secret_hash text not null unique,
    created_at integer not null,
    expires_at integer not null
);
create index dashboard_session_by_key on dashboard_session (api_key_id, id);
create index dashboard_session_expiry on dashboard_session (expires_at);
