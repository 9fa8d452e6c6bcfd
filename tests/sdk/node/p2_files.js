// Finding and reading files.
const { ARTICLES, assert, browse, files, ids, own, part, refused } = require("./life");

part(async () => {
  const customer = await own();
  const some = (await files(customer)).slice(0, 3);
  const one = some[0];
  const found = async (filters) => ids(await files(customer, filters));
  assert.deepEqual(await found({ ids: ids(some) }), ids(some));
  assert.deepEqual(await found({ ids: ids(some).map(String) }), ids(some), "ids may be texts");
  assert.deepEqual(await found({ external_file_ids: [one.external_file_id] }), [one.id]);
  assert.ok((await found({ name: one.name })).includes(one.id));
  assert.deepEqual(await found({ sync_statuses: ["SYNC_ERROR"] }), []);
  assert.equal((await found({ source: "ZENDESK", request_ids: ["sdk-1"], tags: {}, tags_v2: null })).length, ARTICLES);
  assert.equal((await found({ organization_user_data_source_id: [one.organization_user_data_source_id] })).length, ARTICLES);
  await refused(422, files(customer, { root_files_only: true, parent_file_ids: [one.id] }));

  const page = await customer.files.queryUserFiles({
    pagination: { limit: 250 },
    filters: { ids: [one.id] },
    include_raw_file: true,
    include_parsed_text_file: true,
    presigned_url_expiry_time_seconds: 60,
  });
  const { presigned_url: raw, parsed_text_url: plain } = page.data.results[0];
  assert.match(await browse(raw), /</);
  assert.equal(await browse((await customer.files.getRawFile({ fileId: one.id })).data.presigned_url), await browse(raw));
  assert.equal(await browse((await customer.files.getParsedFile({ fileId: one.id })).data.presigned_url), await browse(plain));
  assert.equal((await fetch(`${raw}x`)).status, 403);
  await refused(404, customer.files.getParsedFile({ fileId: 1e9 }));
  const bare = (await customer.files.queryUserFilesDeprecated({ filters: { ids: ids(some) }, order_by: "id" })).data;
  assert.deepEqual(ids(bare), ids(some));
  assert.equal((await customer.files.moveToHotStorage({ filters: {} })).data, true);
  assert.equal((await customer.files.modifyColdStorageParameters({ filters: {}, enable_cold_storage: true })).data, true);
});
