"""From the first token to the first sync."""
from life import *

customer = own()
assert customer.auth.get_white_labeling(**STRICT).remove_branding is True
who = customer.users.who_am_i(**STRICT)
assert who.organization_supplied_user_id == CUSTOMER and who.num_files_synced == 0
assert customer.data_sources.query_user_data_sources(**STRICT).count == 0

detail = refused(400, customer.integrations.get_oauth_url, service="ZENDESK")["detail"]
assert isinstance(detail, str), detail
answer = customer.integrations.get_oauth_url(
    service="ZENDESK",
    zendesk_subdomain=f"https://{SUBDOMAIN}.zendesk.com/",
    connecting_new_account=True,
    request_id="sdk-1",
    tags={"team": "support", "level": 4},
    data_source_tags={"plan": "pro"},
    file_sync_config={"auto_synced_source_types": ["ARTICLE", "TICKET"], "sync_attachments": True},
    chunk_size=1200,
    chunk_overlap=10,
    **STRICT,
)
assert "is connected" in browse(answer.oauth_url)
one = ready(customer)
assert one.data_source_external_id.split("|")[0::2] == ["ZENDESK", SUBDOMAIN], one
assert one.tags == {"plan": "pro"} and one.last_sync_action == "UPDATE" and one.files_synced_at, one
assert one.revoked_access is False and one.token is None, one

found = files(customer)
assert len(found) == ARTICLES, len(found)
for file in found:
    assert file.sync_status == "READY" and file.source == "ZENDESK" and file.name, file
    assert file.tags == {"team": "support", "level": "4"}, file.tags
    assert file.request_id == "sdk-1" and file.upload_id and file.chunk_size == 1200, file
    assert file.file_statistics.file_format == "ZENDESK" and file.file_metadata["type"] == "ARTICLE", file
who = customer.users.who_am_i(**STRICT)
assert who.num_files_synced == ARTICLES and {"team": "support"} in [dict(tag) for tag in who.unique_file_tags], who

# Connected already: a URL that starts a sync, without Zendesk's page.
again = customer.integrations.get_oauth_url(service="ZENDESK", data_source_tags={"more": "yes"}, **STRICT).oauth_url
assert again.startswith(HOST) and "is connected" in browse(again)
assert ready(customer).tags == {"plan": "pro", "more": "yes"}
other = refused(409, customer.integrations.get_oauth_url, service="ZENDESK", zendesk_subdomain="another")
assert "one workspace" in other["detail"], other
