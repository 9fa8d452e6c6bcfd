"""The tree, choosing from it, fetching again."""
from life import *

customer = own()
one = source(customer)


def items(**query):
    found = []
    while True:
        page = customer.integrations.list_data_source_items(
            data_source_id=one.id, pagination={"limit": 20, "offset": len(found)}, **query, **STRICT
        )
        found += page.items
        if not page.items:
            assert len(found) == page.count
            return found


roots = items(order_by="directories_first")
assert roots and all(item.item_type == "CATEGORY" and item.is_expandable for item in roots), roots
articles, folders, open_folders = [], [], list(roots)
while open_folders:
    folder = open_folders.pop()
    folders.append(folder)
    for item in items(parent_id=folder.external_id):
        assert item.parent_external_id == folder.external_id and item.root_external_id, item
        assert item.file_format == "ZENDESK" and item.is_selectable and item.source == "ZENDESK", item
        (open_folders if item.is_expandable else articles).append(item)
assert len(articles) == ARTICLES, len(articles)
assert {item.organization_user_file_to_sync_id for item in articles} == {file.id for file in files(customer)}
assert {folder.item_type for folder in folders} == {"CATEGORY", "SECTION"}
some = articles[0]
assert some.external_id in [item.external_id for item in items(filters={"name": some.name})]
assert len(items(filters={"item_types": ["ARTICLE"]})) == ARTICLES
assert items(filters={"item_types": ["TICKET"]}) == items(filters={"file_formats": ["PDF"]}) == []
assert [item.id for item in items(filters={"external_ids": [some.external_id]})] == [some.id]
assert [item.external_id for item in items(filters={"ids": [some.id]})] == [some.external_id]
assert items(filters={"root_files_only": True}) == items()

# A folder brings what stands below it: delete its files, choose it, and they are back.
section = next(folder for folder in folders if folder.external_id == some.parent_external_id)
below = [item for item in articles if item.parent_external_id == section.external_id]
gone = [item.organization_user_file_to_sync_id for item in below]
before = source(customer)
assert customer.files.delete_v2(filters={"ids": gone}, send_webhook=True).success is True
assert len(files(customer)) == ARTICLES - len(below)
chosen = customer.integrations.sync_files(
    data_source_id=one.id, ids=[section.external_id], tags={"picked": "yes"}, request_id="sdk-2"
)
assert chosen.success is True
until("the chosen files", lambda: count(customer, request_ids=["sdk-2"]) >= len(below))
back = files(customer, tags={"picked": "yes"})
assert {file.external_file_id for file in back} >= {item.external_id for item in below}
after = source(customer)
assert after.last_sync_action == "UPDATE" and after.files_synced_at > before.files_synced_at, after
refused(422, customer.integrations.sync_files, data_source_id=one.id, ids=["x"])
refused(404, customer.integrations.sync_files, data_source_id=10**9, ids=[some.external_id])

# Account anew, and stopped.
before = ready(customer)
started = customer.integrations.sync_data_source_items(data_source_id=one.id, **STRICT)
assert started.sync_status in ("QUEUED_FOR_SYNCING", "SYNCING", "READY"), started
until("the listing to be renewed", lambda: ready(customer).source_items_synced_at > before.source_items_synced_at)
assert customer.integrations.cancel(data_source_id=one.id, **STRICT).sync_status == "READY"

# One file anew.
file = files(customer)[0]
queued = customer.files.resync(file_id=file.id, chunk_size=1500, chunk_overlap=20, **STRICT)
assert queued.id == file.id and queued.sync_status == "QUEUED_FOR_SYNC", queued.sync_status
done = until("the file to be fetched", lambda: files(customer, ids=[file.id], sync_statuses=["READY"]))
assert done[0].updated_at > file.updated_at
refused(404, customer.files.resync, file_id=10**9)
