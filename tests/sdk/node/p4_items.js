// The tree, choosing from it, fetching again.
const { ARTICLES, assert, count, files, ids, own, part, ready, refused, source, until } = require("./life");

part(async () => {
  const customer = await own();
  const { id: data_source_id, files_synced_at: before } = await source(customer);
  const items = async (query = {}) => {
    const pagination = { limit: 250 };
    const page = (await customer.integrations.listDataSourceItems({ data_source_id, pagination, ...query })).data;
    assert.equal(page.items.length, page.count);
    return page.items;
  };
  const open = await items({ order_by: "directories_first" });
  const articles = [];
  while (open.length > 0) {
    const folder = open.pop();
    for (const item of await items({ parent_id: folder.external_id })) {
      assert.deepEqual([item.parent_external_id, item.file_format], [folder.external_id, "ZENDESK"]);
      (item.is_expandable ? open : articles).push(item);
    }
  }
  assert.equal(articles.length, ARTICLES);
  const [some] = articles;
  assert.ok((await items({ filters: { name: some.name } })).some((item) => item.external_id === some.external_id));
  const section = some.parent_external_id;
  const below = articles.filter((item) => item.parent_external_id === section);
  const gone = below.map((item) => item.organization_user_file_to_sync_id);
  await customer.files.deleteV2({ filters: { ids: gone, include_all_children: true }, send_webhook: false });
  assert.equal((await files(customer)).length, ARTICLES - below.length);
  // The object form, and fields that the contract does not declare but the widget sends.
  await customer.integrations.syncFiles({
    data_source_id, ids: [{ id: section, root_id: some.root_external_id }], request_id: "sdk-2", tags: {},
    sync_files_on_connection: true, scopes: [], data_source_tags: {}, embedding_model: null,
  });
  await until("the chosen files", async () => (await count(customer, { request_ids: ["sdk-2"] })) >= below.length);
  const after = await source(customer);
  assert.equal(after.last_sync_action, "UPDATE");
  assert.ok(after.files_synced_at > before);
  await refused(404, customer.integrations.syncFiles({ data_source_id: 1e9, ids: [section] }));

  const listed = (await ready(customer)).source_items_synced_at;
  await customer.integrations.syncDataSourceItems({ data_source_id });
  await until("the listing to be renewed", async () => (await ready(customer)).source_items_synced_at > listed);
  assert.equal((await customer.integrations.cancel({ data_source_id })).data.sync_status, "READY");

  const [file] = await files(customer);
  const queued = (await customer.files.resync({ file_id: file.id, chunk_size: 1500, chunk_overlap: 20 })).data;
  assert.deepEqual([queued.id, queued.sync_status], [file.id, "QUEUED_FOR_SYNC"]);
  await until("the file", async () => ids(await files(customer, { ids: [file.id], sync_statuses: ["READY"] })).length);
  await refused(404, customer.files.resync({ file_id: 1e9 }));
});
