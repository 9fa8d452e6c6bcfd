// From the first token to the first sync.
const { ARTICLES, CUSTOMER, HOST, SUBDOMAIN, assert, browse, files, own, part, ready, refused } = require("./life");

part(async () => {
  const customer = await own();
  assert.equal((await customer.auth.getWhiteLabeling()).data.remove_branding, true);
  const who = (await customer.users.whoAmI()).data;
  assert.deepEqual([who.organization_supplied_user_id, who.num_files_synced], [CUSTOMER, 0]);
  const missing = await refused(400, customer.integrations.getOauthUrl({ service: "ZENDESK" }));
  assert.equal(typeof missing.detail, "string");

  // With every null and empty object that the widget sends.
  const asked = await customer.integrations.getOauthUrl({
    service: "ZENDESK",
    zendesk_subdomain: `www.${SUBDOMAIN}.zendesk.com`,
    connecting_new_account: true,
    request_id: "sdk-1",
    tags: { team: "support" },
    scopes: [],
    file_sync_config: {},
    data_source_tags: {},
    embedding_model: null,
    chunk_size: null,
    sync_files_on_connection: true,
    sync_source_items: true,
  });
  assert.match(await browse(asked.data.oauth_url), /is connected/);
  const one = await ready(customer);
  assert.equal(one.data_source_external_id.split("|").length, 3);
  assert.deepEqual([one.last_sync_action, one.revoked_access], ["UPDATE", false]);
  assert.ok(Date.parse(one.files_synced_at) >= Date.parse(one.created_at));

  const found = await files(customer);
  assert.equal(found.length, ARTICLES);
  for (const file of found) {
    assert.deepEqual([file.sync_status, file.request_id, file.tags], ["READY", "sdk-1", { team: "support" }]);
    assert.ok(file.source_created_at && file.name && file.external_url);
  }
  const again = (await customer.integrations.getOauthUrl({ service: "ZENDESK", connecting_new_account: false })).data;
  assert.ok(again.oauth_url.startsWith(HOST));
  assert.match(await browse(again.oauth_url), /is connected/);
  await ready(customer);
  const other = customer.integrations.getOauthUrl({ service: "ZENDESK", zendesk_subdomain: "another" });
  assert.match((await refused(409, other)).detail, /one workspace/);
});
