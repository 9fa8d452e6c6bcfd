"""Deleting files, disconnecting, coming back, being deleted."""
from life import *

key, customer = keyed(), own()
first, second, third = files(customer)[:3]
assert customer.files.delete_v2(filters={"ids": [first.id]}, preserve_file_record=True).success is True
kept = files(customer, ids=[first.id])[0]
assert kept.file_contents_deleted is True and kept.sync_status == "READY_TO_SYNC", kept
customer.files.resync(file_id=first.id, **STRICT)
until("the record to be filled", lambda: files(customer, ids=[first.id], sync_statuses=["READY"]))
assert customer.files.delete_many(file_ids=[second.id]).success is True
assert customer.files.delete_v2(filters={"ids": [third.id], "include_all_children": True}, send_webhook=False).success is True
assert len(files(customer)) == ARTICLES - 2

one = source(customer)
assert customer.data_sources.revoke_access_token(data_source_id=one.id).success is True
gone = source(customer, revoked_access=True)
assert gone.id == one.id and gone.last_sync_action == "REVOKE" and gone.last_synced_at > one.last_synced_at, gone
assert customer.data_sources.query_user_data_sources(filters={"revoked_access": False}, **STRICT).count == 0
assert len(files(customer)) == ARTICLES - 2, "files stay"
refused(409, customer.files.resync, file_id=first.id)

# Back, with files chosen one by one from now on.
url = customer.integrations.get_oauth_url(
    service="ZENDESK", zendesk_subdomain=SUBDOMAIN, sync_files_on_connection=False, connecting_new_account=True, **STRICT
).oauth_url
browse(url)
back = ready(customer)
assert back.id == one.id and back.revoked_access is False, back
assert len(files(customer)) == ARTICLES - 2, "deleted files are not chosen"
listed = customer.integrations.list_data_source_items(
    data_source_id=back.id, filters={"item_types": ["ARTICLE"]}, pagination={"limit": 250}, **STRICT
)
assert listed.count == ARTICLES
free = [item.external_id for item in listed.items if item.organization_user_file_to_sync_id is None]
assert sorted(free) == sorted([second.external_file_id, third.external_file_id]), free
assert customer.integrations.sync_files(data_source_id=back.id, ids=free).success is True
until("the chosen files", lambda: count(customer, sync_statuses=["READY"]) == ARTICLES)

assert key.users.delete(customer_ids=[CUSTOMER, "nobody"]).success is True
refused(401, customer.users.who_am_i)
assert key.users.list(filters={"customer_ids": [CUSTOMER]}, include_count=True, **STRICT).count == 0
assert len(files(own())) == 0, "the same id is a new customer"

# A token from elsewhere connects too; one that Zendesk refuses does not.
stranger = keyed()
wrong = {"source": "ZENDESK", "access_token": "wrong", "subdomain": SUBDOMAIN}
assert refused(400, stranger.integrations.connect_data_source, authentication=wrong)["detail"]
right = {**wrong, "access_token": os.environ["HELPSYNC_ZENDESK_TOKEN"]}
answer = stranger.integrations.connect_data_source(authentication=right, sync_options={"request_id": "sdk-3"}, **STRICT)
assert answer.data_source.organization_supplied_user_id == CUSTOMER
ready(stranger)
assert len(files(stranger, request_ids=["sdk-3"])) == ARTICLES
