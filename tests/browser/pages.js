// What a customer's administrator does in a browser: connects, watches, changes what is synced, disconnects.
const assert = require("node:assert/strict");
const { launch, look, press, says, tab } = require("./browser");

const { HELPSYNC_URL: host, HELPSYNC_KEY, HELPSYNC_CUSTOMER, HELPSYNC_SUBDOMAIN, HELPSYNC_ZENDESK, HELPSYNC_BACK } = process.env;
// A square.
const LOGO =
  "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAIAAAD9b0jDAAAAJElEQVR4nGOI1mqjOmIYNXTU0FFDRw0dNXTU0FFDRw0dGYYCAFxzMd5wHonRAAAAAElFTkSuQmCC";

async function call(method, path, body) {
  const headers = { authorization: `Bearer ${HELPSYNC_KEY}`, "customer-id": HELPSYNC_CUSTOMER };
  const answer = await fetch(`${host}${path}`, { method, headers, body: JSON.stringify(body) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

async function connect(page) {
  await call("PUT", "/helpsync/v1/branding", {
    display_name: "Example Answers",
    logo: `data:image/png;base64,${LOGO}`,
    color: "#5b2a86",
    contact: "help@example.com",
    return_urls: [HELPSYNC_BACK],
    subdomains: [HELPSYNC_SUBDOMAIN],
  });
  const asked = { service: "ZENDESK", zendesk_subdomain: HELPSYNC_SUBDOMAIN, return_url: `${HELPSYNC_BACK}/zendesk` };
  const { oauth_url } = await call("POST", "/integrations/oauth_url", asked);
  await page.goto(oauth_url);
  await says(page, "Connect Zendesk to Example Answers");
  await look(page, "connect");
  await page.$eval("#workspace", (field) => (field.value = "elsewhere"));
  await press(page, "Continue to Zendesk");
  await says(page, "does not connect the workspace elsewhere");
  await look(page, "connect-refused");
  // By the keyboard alone.
  await page.focus("#workspace");
  await page.keyboard.down("Control");
  await page.keyboard.press("KeyA");
  await page.keyboard.up("Control");
  await page.keyboard.type(HELPSYNC_SUBDOMAIN);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await says(page, "to access");
  // Going back shows the page, not the answer to a form that would have to be sent again.
  await page.goBack();
  await says(page, "Connect Zendesk to Example Answers");
  assert.equal(await page.$eval("#workspace", (field) => field.value), HELPSYNC_SUBDOMAIN);
  await page.goBack();
  await says(page, "Connect Zendesk to Example Answers");
  await press(page, "Continue to Zendesk");
  await says(page, "to access");
  await press(page, "Allow");
  await says(page, "is connected");
  assert.match(page.url(), /\/integrations\/zendesk\/progress\?token=/);
}

async function watch(browser, page) {
  const live = await page.$$eval("main", (all) => all.length);
  assert.equal(live, 1);
  await look(page, "progress");
  await says(page, "Everything is here");
  await look(page, "here");
  const back = await page.$eval("main a.button", (link) => link.href);
  assert.equal(back, `${HELPSYNC_BACK}/zendesk`);
  // Without scripts it is the same page.
  const plain = await tab(await browser.createBrowserContext(), [host]);
  await plain.setJavaScriptEnabled(false);
  await plain.goto(page.url());
  const text = await plain.$eval("main", (main) => main.textContent);
  assert.match(text, /Everything is here/);
  await plain.close();
}

async function manage(page) {
  const { manage_url } = await call("POST", "/helpsync/v1/manage_url", {});
  await page.goto(manage_url);
  await says(page, "Your Zendesk help center");
  await look(page, "manage");
  await press(page, "Sync now");
  await says(page, "A sync was started.");
  await page.click("input[name=section]");
  await press(page, "Save");
  await says(page, "Save removes");
  await look(page, "manage-removes");
  await press(page, "Back to the selection");
  await says(page, "Nothing was saved");
  await press(page, "Save");
  await press(page, "Save and remove them");
  await says(page, "Saved.");
  const chosen = (await call("GET", "/helpsync/v1/selection")).section_ids;
  assert.equal(chosen.length, 1);
  await page.type("#locales", "e n");
  await press(page, "Save");
  await says(page, "That could not be saved");
  await look(page, "manage-refused");
  await page.reload();
  await says(page, "That could not be saved");
  assert.equal(await page.$eval("#locales", (field) => field.value), "e n");
  await press(page, "Disconnect");
  await says(page, "Disconnect acme?");
  await look(page, "disconnect");
  await press(page, "Disconnect");
  await says(page, "The workspace is disconnected.");
  await look(page, "disconnected");
}

async function main() {
  const browser = await launch();
  const page = await tab(browser.defaultBrowserContext(), [host, new URL(HELPSYNC_ZENDESK).origin]);
  try {
    await connect(page);
    await watch(browser, page);
    await manage(page);
    await page.goto(`${host}/no/such/page`);
    await look(page, "missing");
    await page.goto(`${host}/integrations/zendesk?state=x&code=y`);
    await look(page, "not-ours");
    assert.deepEqual(page.trouble, []);
  } catch (error) {
    if (process.env.HELPSYNC_SCREENSHOTS) await page.screenshot({ path: `${process.env.HELPSYNC_SCREENSHOTS}/failed.png`, fullPage: true });
    console.error(error, page.trouble, page.url(), await page.evaluate(() => document.body.innerText));
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
