"""Schedules, users, the organization, its own OAuth client."""
from life import *

key, customer = keyed(), own()


def scheduled(sources, **more):
    assert key.users.update_users(customer_ids=[CUSTOMER], auto_sync_enabled_sources=sources, **more).success is True
    return source(customer).enable_auto_sync


assert scheduled([]) is False
assert scheduled(["ZENDESK"]) is True
assert key.users.get(customer_id=CUSTOMER, **STRICT).auto_sync_enabled_sources == ["ZENDESK"]
assert scheduled([]) is False
assert scheduled("ALL", auto_sync_interval=6, max_files=500) is True
user = key.users.get(customer_id=CUSTOMER, **STRICT)
assert user.auto_sync_enabled_sources == ["ZENDESK"] and user.custom_limits["max_files"] == 500, user
refused(422, key.users.update_users, customer_ids=[CUSTOMER], auto_sync_interval=5)
refused(422, key.users.update_users, customer_ids=[], auto_sync_enabled_sources="ALL")
refused(401, customer.users.list)
hundred = [f"{CUSTOMER}-{number}" for number in range(100)]
assert key.users.update_users(customer_ids=hundred, auto_sync_enabled_sources="ALL").success is True

listed = key.users.list(filters={"customer_ids": [CUSTOMER, "nobody"]}, include_count=True, **STRICT)
assert [one.organization_supplied_user_id for one in listed.users] == [CUSTOMER] and listed.count == 1
assert key.users.list(pagination={"limit": 1}, order_by="updated_at", order_dir="asc", **STRICT).count is None
assert key.users.toggle_user_features(configuration_key_name="sparse_vectors", value={"enabled": True}).success is True

organization = key.organizations.get(**STRICT)
assert organization.aggregate_num_files_by_source == {"ZENDESK": ARTICLES}, organization
settings = {"allowed_file_formats": ["HTML"]}
changed = key.organizations.update(
    global_user_config={"auto_sync_enabled_sources": ["ZENDESK"], "max_files": 9}, data_source_configs={"ZENDESK": settings}
)
assert changed.success is True and key.organizations.update_stats().success is True
organization = key.organizations.get(**STRICT)
assert organization.file_statistics_aggregated_at, organization
assert organization.global_user_config == {"auto_sync_enabled_sources": ["ZENDESK"], "max_files": 9}
# It holds for every customer that has no limit of its own: those to come are to have everything.
assert key.organizations.update(global_user_config={"max_files": -1}).success is True
assert customer.users.who_am_i(**STRICT).connector_settings["ZENDESK"]["allowed_file_formats"] == ["HTML"]

redirect = f"{HOST}/integrations/zendesk"
record = {
    "data_source_type": "ZENDESK",
    "credentials": {"client_id": "helpsync-test", "client_secret": "test-secret", "redirect_uri": redirect},
}
made = key.white_label.create([record])
assert made["count"] == 1 and "test-secret" not in str(made), made
number = int(made["results"][0]["id"])
listed = key.white_label.list(filters={"ids": [number], "data_source_type": ["ZENDESK"]}, order_dir="desc")
assert listed["count"] == 1 and listed["results"][0]["credentials"]["client_id"] == "helpsync-test", listed
assert customer.auth.get_white_labeling(**STRICT).integrations == {"ZENDESK": True}
del record["credentials"]["client_secret"]
kept = key.white_label.update(**record)
assert kept["results"][0]["credentials"]["has_client_secret"], kept
assert key.white_label.delete(ids=[number])["success"] and key.white_label.list()["count"] == 0
assert customer.auth.get_white_labeling(**STRICT).integrations == {}
