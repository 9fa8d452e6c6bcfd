//! Why our API differs from Carbon's. The first pattern that fits a difference gives its reason; `*` is anything.

const OTHER_CONNECTORS: &str =
    "Not served: other connectors and uploads. Helpsync serves Zendesk help centers";
const WEBHOOKS: &str = "Not served: outgoing webhooks";

/// What this product does not serve.
pub(crate) const NOT_SERVED: &[(&str, &str)] = &[
    ("POST /add_webhook is not served", WEBHOOKS),
    ("POST /webhooks is not served", WEBHOOKS),
    ("DELETE /delete_webhook/{webhook_id} is not served", WEBHOOKS),
    ("* /integrations/azure_blob_storage* is not served", OTHER_CONNECTORS),
    ("POST /integrations/confluence/* is not served", OTHER_CONNECTORS),
    ("* /integrations/data/* is not served", OTHER_CONNECTORS),
    ("POST /integrations/document360 is not served", OTHER_CONNECTORS),
    ("POST /integrations/freshdesk is not served", OTHER_CONNECTORS),
    ("* /integrations/gitbook* is not served", OTHER_CONNECTORS),
    ("* /integrations/github* is not served", OTHER_CONNECTORS),
    ("* /integrations/gmail/* is not served", OTHER_CONNECTORS),
    ("POST /integrations/guru is not served", OTHER_CONNECTORS),
    ("* /integrations/outlook/* is not served", OTHER_CONNECTORS),
    ("POST /integrations/rss_feed is not served", OTHER_CONNECTORS),
    ("POST /integrations/s3* is not served", OTHER_CONNECTORS),
    ("GET /integrations/sharepoint/* is not served", OTHER_CONNECTORS),
    ("* /integrations/slack/* is not served", OTHER_CONNECTORS),
    ("GET /fetch_urls is not served", OTHER_CONNECTORS),
    ("POST /fetch_webpage is not served", OTHER_CONNECTORS),
    ("GET /fetch_youtube_transcript is not served", OTHER_CONNECTORS),
    ("GET /process_sitemap is not served", OTHER_CONNECTORS),
    ("POST /scrape_sitemap is not served", OTHER_CONNECTORS),
    ("GET /search_urls is not served", OTHER_CONNECTORS),
    ("POST /upload_file_from_url is not served", OTHER_CONNECTORS),
    ("POST /upload_text is not served", OTHER_CONNECTORS),
    ("POST /uploadfile is not served", OTHER_CONNECTORS),
    ("POST /user_webpages is not served", OTHER_CONNECTORS),
    ("POST /web_scrape is not served", OTHER_CONNECTORS),
];

const OTHER_AUTHENTICATION: &str = "Read for Zendesk alone: credentials of other connectors are ignored";
const OTHER_FIELDS: &str = "Accepted and ignored: options of other connectors";
const PROCESSING: &str =
    "Accepted and ignored: how texts are recognised, and how files other than articles are cut";
const SYNC_CONFIG: &str = "Accepted and kept; articles are synced whatever it says. `skip_file_processing` makes records \
     without content, `store_file_only` files without chunks, `generate_chunks_only` chunks without embeddings";
const CHECKED_BY_HAND: &str = "Checked by the handler, so that the error is a readable 400 instead of a list";
const FREE_FORM: &str = "Declared as free JSON, read the same way";
const SEARCHES: &str = "Accepted and ignored: every search is exact, of files that have neither children nor cold storage, \
     and uploads ask nobody for anything";
const SEARCH_KIND: &str = "Says how it was searched; the SDKs pass over it";
const OLD_CLIENTS: &str = "Undeclared by Carbon, served for old clients and browsers";
const OWN: &str = "Helpsync's own";

/// Differences within what it serves.
pub(crate) const REASONS: &[(&str, &str)] = &[
    ("POST /integrations/connect: request.authentication.access_token may be left out", CHECKED_BY_HAND),
    ("POST /integrations/connect: request.authentication.subdomain may be left out", CHECKED_BY_HAND),
    ("POST /integrations/connect: request.authentication.* is not declared", OTHER_AUTHENTICATION),
    ("POST /integrations/*: request*file_sync_config.* is not declared", SYNC_CONFIG),
    ("POST /integrations/*: request*enable_file_picker is not declared", OTHER_FIELDS),
    ("POST /integrations/*: request*automatically_open_file_picker is not declared", OTHER_FIELDS),
    ("POST /integrations/files/sync: request.ids[].root_id is not declared", OTHER_FIELDS),
    ("POST /integrations/oauth_url: request.confluence_subdomain is not declared", OTHER_FIELDS),
    ("POST /integrations/oauth_url: request.gong_account_email is not declared", OTHER_FIELDS),
    ("POST /integrations/oauth_url: request.microsoft_tenant is not declared", OTHER_FIELDS),
    ("POST /integrations/oauth_url: request.salesforce_domain is not declared", OTHER_FIELDS),
    ("POST /integrations/oauth_url: request.servicenow_credentials is not declared", OTHER_FIELDS),
    ("POST /integrations/oauth_url: request.sharepoint_site_name is not declared", OTHER_FIELDS),
    ("POST /white_label/*: request*credentials.* is not declared", OTHER_FIELDS),
    ("POST /integrations/*: request*max_items_per_chunk is not declared", PROCESSING),
    ("POST /integrations/*: request*parse_pdf_tables_with_ocr is not declared", PROCESSING),
    ("POST /integrations/*: request*set_page_as_boundary is not declared", PROCESSING),
    ("POST /integrations/*: request*use_ocr is not declared", PROCESSING),
    ("POST /modify_user_configuration: request.value is not declared", PROCESSING),
    ("POST /modify_cold_storage_parameters: request.* is not declared", PROCESSING),
    ("POST /embeddings: request.include_all_children is not declared", SEARCHES),
    ("POST /embeddings: request.high_accuracy is not declared", SEARCHES),
    ("POST /embeddings: request.exclude_cold_storage_files is not declared", SEARCHES),
    ("POST /upload_chunks_and_embeddings: request.custom_credentials is not declared", SEARCHES),
    ("POST /embeddings: answer.search is ours", SEARCH_KIND),
    ("POST *: request*auto_sync_enabled_sources[] is not declared", FREE_FORM),
    ("POST /integrations/files/sync: request.* is ours", "Fields that the widget sends undeclared"),
    ("GET /integrations is ours", OLD_CLIENTS),
    ("GET /integrations/zendesk is ours", OLD_CLIENTS),
    ("DELETE /deletefile/{file_id} is ours", OLD_CLIENTS),
    ("GET /health is ours", OLD_CLIENTS),
    ("* /helpsync/* is ours", OWN),
    ("POST /integrations/zendesk/events/{endpoint} is ours", OWN),
    ("GET / is ours", OWN),
    ("* /integrations/zendesk/sync is ours", OWN),
    ("* /integrations/zendesk/connect is ours", OWN),
    ("GET /integrations/zendesk/progress is ours", OWN),
    ("GET /integrations/zendesk/progress/events is ours", OWN),
    ("* /integrations/zendesk/manage is ours", OWN),
    ("POST /integrations/oauth_url: request.return_url is ours", "Where our pages lead the person back to"),
    ("GET /livez is ours", OWN),
    ("GET /readyz is ours", OWN),
    ("GET /metrics is ours", OWN),
    ("GET /openapi.json is ours", OWN),
    ("GET /presigned_file is ours", OWN),
    ("GET /presigned_attachment is ours", OWN),
];
