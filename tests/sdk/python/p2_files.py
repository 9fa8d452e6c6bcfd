"""Finding and reading files."""
from life import *

customer = own()
everything = files(customer)
some = everything[:3]
one = some[0]
ids = [file.id for file in some]
assert [file.id for file in files(customer, ids=ids)] == ids
assert [file.id for file in files(customer, external_file_ids=[one.external_file_id])] == [one.id]
assert [file.id for file in files(customer, external_urls=[one.external_url])] == [one.id]
assert one.id in [file.id for file in files(customer, name=one.name.upper())]
assert files(customer, sync_statuses=["SYNC_ERROR"]) == []
assert len(files(customer, sync_statuses=["READY"], source="ZENDESK")) == ARTICLES
assert len(files(customer, source=["ZENDESK", "NOTION"], sync_error_message="")) == ARTICLES
assert files(customer, source="NOTION") == []
assert len(files(customer, request_ids=["sdk-1"], upload_ids=[one.upload_id], root_files_only=True)) == ARTICLES
assert len(files(customer, organization_user_data_source_id=[one.organization_user_data_source_id])) == ARTICLES
assert len(files(customer, file_types_at_source=["ARTICLE"])) == ARTICLES
assert files(customer, file_types_at_source=["TICKET"]) == files(customer, parent_file_ids=[one.id]) == []
refused(422, files, customer, root_files_only=True, include_all_children=True)

for column in ["created_at", "updated_at", "name", "last_sync", "file_size", "id"]:
    for direction in ["asc", "desc"]:
        page = customer.files.query_user_files(order_by=column, order_dir=direction, **STRICT)
        assert len(page.results) == min(10, ARTICLES) and page.count == ARTICLES
later = customer.files.query_user_files(pagination={"starting_id": one.id}, order_by="id", **STRICT)
assert later.count == ARTICLES - 1

page = customer.files.query_user_files(
    filters={"ids": [one.id]},
    include_raw_file=True,
    include_parsed_text_file=True,
    include_additional_files=True,
    presigned_url_expiry_time_seconds=60,
    **STRICT,
).results[0]
assert "<" in browse(page.presigned_url) and "<p>" not in browse(page.parsed_text_url)
assert browse(page.additional_presigned_urls["markdown"])
assert browse(customer.files.get_raw_file(file_id=one.id).presigned_url) == browse(page.presigned_url)
assert browse(customer.files.get_parsed_file(file_id=one.id).presigned_url) == browse(page.parsed_text_url)
refused(404, customer.files.get_raw_file, file_id=10**9)

bare = customer.files.query_user_files_deprecated(filters={"ids": ids}, order_by="id")
assert [file.id for file in bare] == ids, bare
assert customer.files.move_to_hot_storage(filters={"ids": ids}) in (True, "True"), "hot"
assert customer.files.modify_cold_storage_parameters(filters={"ids": ids}, enable_cold_storage=True)
