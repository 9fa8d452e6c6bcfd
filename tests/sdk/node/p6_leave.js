// Deleting files, disconnecting, coming back, being deleted.
const { ARTICLES, CUSTOMER, SUBDOMAIN, assert, browse, files, ids, keyed, own, part, ready, refused, source, until } =
  require("./life");

part(async () => {
  const key = keyed();
  const customer = await own();
  const [first, second] = await files(customer);
  await customer.files.deleteMany({ file_ids: [first.id] });
  await customer.files.deleteV2({ filters: { ids: [second.id] }, preserve_file_record: true });
  assert.equal((await files(customer, { ids: [second.id] }))[0].file_contents_deleted, true);
  assert.equal((await files(customer)).length, ARTICLES - 1);

  const one = await source(customer);
  await customer.dataSources.revokeAccessToken({ data_source_id: one.id });
  const gone = await source(customer, { revoked_access: true });
  assert.deepEqual([gone.id, gone.last_sync_action], [one.id, "REVOKE"]);
  await refused(409, customer.files.resync({ file_id: second.id }));
  const asked = await customer.integrations.getOauthUrl({ service: "ZENDESK", zendesk_subdomain: SUBDOMAIN });
  await browse(asked.data.oauth_url);
  assert.equal((await ready(customer)).id, one.id);

  await key.users.delete({ customer_ids: [CUSTOMER] });
  await refused(401, customer.users.whoAmI());
  assert.deepEqual((await key.users.list({ filters: { customer_ids: [CUSTOMER] } })).data.users, []);

  const authentication = { source: "ZENDESK", access_token: process.env.HELPSYNC_ZENDESK_TOKEN, subdomain: SUBDOMAIN };
  await refused(400, key.integrations.connectDataSource({ authentication: { ...authentication, access_token: "wrong" } }));
  const sync_options = { request_id: "sdk-3", file_sync_config: { skip_file_processing: true } };
  const answer = (await key.integrations.connectDataSource({ authentication, sync_options })).data;
  assert.equal(answer.data_source.organization_supplied_user_id, CUSTOMER);
  await ready(key);
  const records = await files(key, { non_synced_only: true });
  assert.equal(records.length, ARTICLES);
  assert.ok(records.every((file) => file.sync_status === "READY_TO_SYNC"));
  await key.files.resync({ file_id: records[0].id });
  await until("one record to be filled", async () => ids(await files(key, { sync_statuses: ["READY"] })).length === 1);
});
