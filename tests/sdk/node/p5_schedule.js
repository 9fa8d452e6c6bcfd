// Schedules, users, the organization, its own OAuth client.
const { ARTICLES, CUSTOMER, HOST, assert, keyed, own, part, refused, source } = require("./life");

part(async () => {
  const key = keyed();
  const customer = await own();
  const scheduled = async (auto_sync_enabled_sources, more = {}) => {
    await key.users.updateUsers({ customer_ids: [CUSTOMER], auto_sync_enabled_sources, ...more });
    return (await source(customer)).enable_auto_sync;
  };
  assert.equal(await scheduled([]), false);
  assert.equal(await scheduled(["ZENDESK"]), true);
  assert.equal(await scheduled([]), false);
  assert.equal(await scheduled("ALL", { auto_sync_interval: 12 }), true);
  await refused(422, key.users.updateUsers({ customer_ids: [CUSTOMER], auto_sync_interval: 7 }));
  const many = Array.from({ length: 101 }, (_, number) => `many-${number}`);
  await refused(422, key.users.updateUsers({ customer_ids: many, auto_sync_enabled_sources: "ALL" }));
  await refused(401, customer.users.list({}));
  assert.deepEqual((await key.users.get({ customer_id: CUSTOMER })).data.auto_sync_enabled_sources, ["ZENDESK"]);
  const listed = (await key.users.list({ filters: { customer_ids: [CUSTOMER] }, include_count: true })).data;
  assert.deepEqual([listed.users.length, listed.count], [1, 1]);

  assert.deepEqual((await key.organizations.get()).data.aggregate_num_files_by_source, { ZENDESK: ARTICLES });
  await key.organizations.update({ global_user_config: { auto_sync_enabled_sources: [] }, data_source_configs: {} });
  assert.equal((await key.organizations.updateStats()).data.success, true);
  assert.ok((await key.organizations.get()).data.file_statistics_aggregated_at);

  const credentials = { client_id: "helpsync-test", client_secret: "test-secret", redirect_uri: `${HOST}/integrations/zendesk` };
  const made = (await key.whiteLabel.create([{ data_source_type: "ZENDESK", credentials }])).data;
  assert.ok(!JSON.stringify(made).includes("test-secret"));
  assert.equal((await key.whiteLabel.list({})).data.count, 1);
  await key.whiteLabel.update({ data_source_type: "ZENDESK", credentials });
  assert.deepEqual((await customer.auth.getWhiteLabeling()).data.integrations, { ZENDESK: true });
  await key.whiteLabel.delete({ ids: made.results.map((one) => one.id) });
  assert.equal((await key.whiteLabel.list({})).data.count, 0);
});
