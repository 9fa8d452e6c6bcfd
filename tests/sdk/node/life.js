// What every part of the life needs: clients, a browser, waiting. Everything comes from the environment.
const assert = require("node:assert/strict");
const { Carbon } = require("carbon-typescript-sdk");

const { HELPSYNC_URL: HOST, HELPSYNC_KEY: KEY, HELPSYNC_CUSTOMER: CUSTOMER, HELPSYNC_SUBDOMAIN: SUBDOMAIN } = process.env;
const ARTICLES = Number(process.env.HELPSYNC_ARTICLES);
const LATE_MS = 100_000;
const LOOK_EVERY_MS = 100;

// The organization, on behalf of the customer. A trailing slash, as people write it: this SDK does not take it away.
const keyed = () => new Carbon({ basePath: `${HOST}/`, apiKey: KEY, customerId: CUSTOMER });
// The customer, by an access token.
const own = async () => {
  const { access_token: accessToken } = (await keyed().auth.getAccessToken()).data;
  return new Carbon({ basePath: HOST, accessToken });
};

// What a browser does with a URL: follows redirects to a page.
async function browse(url) {
  const answer = await fetch(url);
  assert.equal(answer.status, 200, url);
  return answer.text();
}

// Waits for something true.
async function until(what, look) {
  const end = Date.now() + LATE_MS;
  while (Date.now() < end) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  throw new Error(`waited ${LATE_MS} ms for ${what}`);
}

// The body of an answer that must be an error.
async function refused(status, call) {
  try {
    await call;
  } catch (error) {
    assert.equal(error.status, status, JSON.stringify(error.responseBody ?? String(error)));
    return error.responseBody;
  }
  throw new Error(`expected ${status}`);
}

// The customer's one data source.
async function source(client, filters = {}) {
  const { results, count } = (await client.dataSources.queryUserDataSources({ filters })).data;
  assert.equal(count, 1);
  return results[0];
}

// The data source, once its sync has ended.
const ready = (client) =>
  until("the data source to be ready", async () => {
    const one = await source(client);
    assert.notEqual(one.sync_status, "SYNC_ERROR");
    return one.sync_status === "READY" && one.source_items_synced_at ? one : null;
  });

// Every file that matches, page by page.
async function files(client, filters = {}) {
  const found = [];
  for (;;) {
    const pagination = { limit: 7, offset: found.length };
    const page = (await client.files.queryUserFiles({ pagination, order_by: "id", order_dir: "asc", filters })).data;
    found.push(...page.results);
    if (page.results.length === 0) {
      assert.equal(found.length, page.count);
      return found;
    }
  }
}

// How many files match at this moment.
const count = async (client, filters) =>
  (await client.files.queryUserFiles({ pagination: { limit: 1 }, filters })).data.count;

const ids = (list) => list.map((one) => one.id);

// Runs a part; an error ends it with what it was.
function part(run) {
  run().catch((error) => {
    console.error(error, error.responseBody ?? "");
    process.exit(1);
  });
}

module.exports = {
  ARTICLES, CUSTOMER, HOST, KEY, SUBDOMAIN, assert, browse, count, files, ids, keyed, own, part, ready, refused, source, until,
};
