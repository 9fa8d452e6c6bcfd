// One part of a person's day at the dashboard, in a browser. Everything comes from the environment.
const axe = require("axe-core");
const puppeteer = require("puppeteer-core");

const { HELPSYNC_URL: root, HELPSYNC_KEY, HELPSYNC_CUSTOMER, HELPSYNC_SCREENSHOTS, HELPSYNC_PART, HELPSYNC_CONNECT, HELPSYNC_ADDRESS } = process.env;
const LATE_MS = 60_000;
// By the clock: a tab in the background draws no frames.
const PATIENT = { timeout: LATE_MS, polling: 100 };
const NARROW = { width: 360, height: 740 };
const WIDE = { width: 1280, height: 900 };
let page;
let home;
const trouble = [];

function check(holds, what) {
  if (!holds) throw new Error(what);
}

async function findings(when) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => window.axe.run(document, { iframes: false }));
  const told = found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  check(told.length === 0, `axe at ${when} of ${page.url()}:\n${told.join("\n")}`);
}

// Looks at the page in every form: axe, both colour schemes, narrow and wide, and a picture of each.
async function look(name) {
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const [size, viewport] of [["wide", WIDE], ["narrow", NARROW]]) {
      await page.setViewport(viewport);
      await findings(`${scheme} ${size}`);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      check(over <= 0, `${page.url()} is ${over} pixels too wide at ${viewport.width}`);
      await menuFits(viewport.width);
      if (viewport === NARROW) await tablesFit();
      await page.screenshot({ path: `${HELPSYNC_SCREENSHOTS}/${name}-${scheme}-${size}.png`, fullPage: true });
    }
  }
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
  await page.setViewport(WIDE);
}

// The opened menu stays within the page.
async function menuFits(width) {
  const over = await page.evaluate(() => {
    const menu = document.querySelector(".menu");
    if (!menu) return 0;
    menu.open = true;
    const place = menu.querySelector(".menu-body").getBoundingClientRect();
    const most = Math.max(document.documentElement.scrollWidth, place.right) - window.innerWidth;
    menu.open = false;
    return Math.max(most, -place.left);
  });
  check(over <= 0, `the menu of ${page.url()} is ${over} pixels too wide at ${width}`);
}

// Narrow, nothing of a table is out of sight, and every value stands behind its column's name or is its row's first.
async function tablesFit() {
  const wrong = await page.evaluate(() => {
    const told = [];
    for (const box of document.querySelectorAll(".scroll")) {
      const table = box.querySelector("table");
      if (!table) continue;
      const name = box.getAttribute("aria-label");
      if (box.scrollWidth > box.clientWidth + 1) told.push(`${name} is ${box.scrollWidth} wide in ${box.clientWidth}`);
      const room = box.getBoundingClientRect();
      for (const one of table.querySelectorAll("button, .badge, time, a")) {
        const place = one.getBoundingClientRect();
        if (place.right > room.right + 1) told.push(`${name}: ${one.textContent} is cut`);
        // So many lines take a column of a few letters.
        if (one.tagName === "A" && place.height > 24 * (2 + one.textContent.length / 20)) told.push(`${name}: ${one.textContent} is pressed`);
      }
      for (const cell of table.querySelectorAll("td")) {
        if (!cell.dataset.label) told.push(`${name}: a value has no name`);
      }
    }
    return told;
  });
  check(wrong.length === 0, `${page.url()}:\n${wrong.slice(0, 10).join("\n")}`);
}

const says = (text) => page.waitForFunction((wanted) => document.body?.innerText.includes(wanted), PATIENT, text);

// Follows a link or presses a button by what it says, and waits for the next page.
async function press(text, tag = "button, a") {
  const found = await page.evaluateHandle((wanted, tags) => {
    const all = [...document.querySelectorAll(tags)];
    return all.find((one) => one.innerText.trim() === wanted && one.offsetParent !== null);
  }, text, tag);
  check(found.asElement(), `nothing says ${text} on ${page.url()}`);
  await Promise.all([page.waitForNavigation({ timeout: LATE_MS }), found.asElement().click()]);
}

async function login() {
  await page.goto(`${root}/dashboard`, { timeout: LATE_MS });
  check(page.url().endsWith("/dashboard/login"), page.url());
  if (HELPSYNC_PART === "connect") await look("login");
  await page.type("#key", HELPSYNC_KEY);
  await press("Log in");
  await says("Overview");
  home = page.url();
}

async function customer() {
  await page.goto(`${home}/customers?search=${HELPSYNC_CUSTOMER}`, { timeout: LATE_MS });
  await press(HELPSYNC_CUSTOMER, "td a");
}

const parts = {
  // Connects a workspace, and watches the first sync to its end without loading the page again.
  async connect() {
    await customer();
    await says("No workspace is connected");
    await page.evaluate(() => { window.stillHere = true; });
    const consent = await page.browser().newPage();
    await consent.goto(HELPSYNC_CONNECT, { timeout: LATE_MS });
    // Our page before the consent, then Zendesk's own, where there are such.
    for (let asked = 0; asked < 2; asked += 1) {
      const button = await consent.$('button[value="allow"], main form button');
      if (button) await Promise.all([consent.waitForNavigation({ timeout: LATE_MS }), button.click()]);
    }
    await consent.waitForFunction(() => /connected/i.test(document.body?.innerText ?? ""), PATIENT);
    await consent.close();
    await page.bringToFront();
    await page.waitForFunction(
      () => [...document.querySelectorAll('[data-region="state"] .badge')].some((one) => one.textContent === "up to date"),
      PATIENT,
    );
    await page.waitForFunction(() => document.querySelector('[data-region="runs"]').innerText.includes("Full"), PATIENT);
    check(await page.evaluate(() => window.stillHere), "the page was loaded again");
    await page.reload({ timeout: LATE_MS });
    await look("customer");
    await page.evaluate(() => document.querySelector('[data-region="runs"] td a').click());
    await says("Over time");
    await look("run");
    await page.goBack({ timeout: LATE_MS });
    await press("Files");
    await look("files");
    await page.evaluate(() => document.querySelector("td a").click());
    await page.waitForSelector("iframe.article", { timeout: LATE_MS });
    await look("file");
    await says("stored here for the first time");
    await press("Chunks");
    await look("file-chunks");
    await press("Markdown");
    await look("file-markdown");
    await keyboard();
    await filtered();
    await withoutScript();
  },

  async removals() {
    await customer();
    await press("Held removals");
    await says("Approve the 250 removals");
    await look("held");
    await press("Approve the 250 removals");
    await says("The removals are approved");
  },

  async dead_letters() {
    await look("overview");
    await press("Dead letters");
    await says("By cause");
    await look("dead-letters");
    await page.click("[data-all]");
    const chosen = await page.$$eval("input[name=id]:checked", (all) => all.length);
    check(chosen >= 2, `${chosen} are chosen`);
    await press("Replay the chosen");
    await says("Replayed");
  },

  async webhooks() {
    await press("Webhooks");
    await look("webhooks");
    await page.evaluate(() => document.querySelector("td a").click());
    await says("Send all dead ones again");
    await look("webhook");
    await press("Send all dead ones again");
    await says("sent again");
    await press("Send again");
    await says("Sent again");
    await customer();
    await press("All that was sent");
    await look("deliveries");
    await press("Send again");
    await says("Sent again");
  },

  async settings() {
    await customer();
    await press("Selection");
    await look("selection");
    await page.type("#locales", "en-us");
    // By its name.
    const section = await page.evaluate(() => {
      const box = document.querySelector("input[type=checkbox][name=section]");
      box.closest("label").click();
      return box.closest("label").innerText.trim();
    });
    check(section.length > 0, "a section has no name");
    await press("Save");
    await says("Save removes");
    await look("selection-asked");
    await press("Back");
    await says("Nothing was saved");
    // Asking takes no script.
    await page.setJavaScriptEnabled(false);
    await press("Save");
    await press("Save and remove them");
    await page.setJavaScriptEnabled(true);
    await page.reload({ timeout: LATE_MS });
    await says("The selection is saved");
    const kept = await page.$eval("input[name=section]:checked", (box) => box.closest("label").innerText.trim());
    check(kept === section, `${kept} is kept, not ${section}`);
    await customer();
    await press("Verify");
    await says("Differences");
    await look("verify");
    await customer();
    await press("Pause");
    await says("Paused");
    await press("Resume");
    await says("Resumed");
    await says("Granted by");
    await look("account");
    await press("What was changed of this customer");
    await says("Choose what of the customer's help center is kept");
    await look("audit");
    await page.select("#actor", "customer");
    await press("Show");
    await says("No change is like that");
    await press("Organizations", "nav a");
    await look("organizations");
  },

  // Somebody of another organization, at an address of this one.
  async stranger() {
    const answer = await page.goto(`${root}${HELPSYNC_ADDRESS}`, { timeout: LATE_MS });
    check(answer.status() === 404, `answered ${answer.status()}`);
    await says("Not here");
    await look("not-here");
  },

  async leave() {
    await customer();
    await press("Disconnect");
    await look("disconnect");
    await page.click("input[name=sure]");
    await press("Disconnect", "button");
    await says("The workspace is disconnected");
    await customer();
    await says("No workspace is connected");
    await look("not-connected");
    await staleWhenAway();
    // Another browser of the same key is logged out with this one.
    const other = await (await page.browser().createBrowserContext()).newPage();
    const [first, second] = [page, other];
    page = second;
    await login();
    page = first;
    await other.bringToFront();
    await other.waitForFunction(() => document.body.dataset.stream === "open", PATIENT);
    await page.bringToFront();
    await page.click(".menu summary");
    await press("Log out everywhere");
    check(page.url().endsWith("/dashboard/login"), page.url());
    // Its page says so by itself, asks no more, and leads to the login and back.
    page = other;
    await page.bringToFront();
    await page.waitForSelector('[data-stale="over"]:not([hidden])', { timeout: LATE_MS });
    await look("logged-out-elsewhere");
    const asked = [];
    page.on("request", (request) => asked.push(request.url()));
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    check(asked.length === 0, `it asks on: ${asked}`);
    await press("Log in again");
    check(page.url().includes("/dashboard/login?next="), page.url());
    page = first;
    await page.bringToFront();
    await page.goto(`${root}/dashboard`, { timeout: LATE_MS });
    check(page.url().endsWith("/dashboard/login"), "logged in again by going back");
  },
};

// To a customer by the keyboard alone.
async function keyboard() {
  await page.keyboard.down("Control");
  await page.keyboard.press("k");
  await page.keyboard.up("Control");
  await page.waitForSelector("#palette[open]", { timeout: LATE_MS });
  await page.keyboard.type(HELPSYNC_CUSTOMER);
  await page.waitForFunction(
    (name) => document.querySelector('#palette-list [aria-selected="true"]')?.textContent.startsWith(name),
    PATIENT,
    HELPSYNC_CUSTOMER,
  );
  await findings("the open palette");
  await page.screenshot({ path: `${HELPSYNC_SCREENSHOTS}/palette.png` });
  await Promise.all([page.waitForNavigation({ timeout: LATE_MS }), page.keyboard.press("Enter")]);
  check(/\/customers\/\d+$/.test(page.url()), page.url());
}

// A page whose stream cannot be had says that it is old, asks with growing pauses, and is current again once it can.
async function staleWhenAway() {
  await page.goto(home, { timeout: LATE_MS });
  await page.waitForFunction(() => document.body.dataset.stream === "open", PATIENT);
  const tries = [];
  const refuse = (request) => {
    if (request.url().includes("/live")) tries.push(Date.now());
    if (/live|palette/.test(request.url())) request.abort("connectionrefused");
    else request.continue();
  };
  await page.setRequestInterception(true);
  page.on("request", refuse);
  // As after a tab was in the background: the next stream is asked for.
  await page.evaluate(() => {
    dispatchEvent(new Event("pagehide"));
    dispatchEvent(new Event("pageshow"));
  });
  await page.waitForSelector('[data-stale="away"]:not([hidden])', { timeout: LATE_MS });
  await page.waitForFunction(() => document.querySelector(".stale").getBoundingClientRect().bottom <= innerHeight, PATIENT);
  while (tries.length < 4) await new Promise((resolve) => setTimeout(resolve, 200));
  check(tries[3] - tries[2] > tries[1] - tries[0], `the pauses do not grow: ${tries}`);
  page.off("request", refuse);
  await page.setRequestInterception(false);
  await look("stale");
  await page.waitForFunction(() => document.body.dataset.stream === "open", PATIENT);
  check(await page.$eval('[data-stale="away"]', (one) => one.hidden), "it is current, and still says that it is old");
}

async function filtered() {
  await press("Customers", "nav a");
  await look("customers");
  await page.select("#state", "not_connected");
  await press("Show");
  await says("No customer is like that");
  await page.select("#state", "ready");
  await page.select("#sort", "age");
  await press("Show");
  await says(HELPSYNC_CUSTOMER);
}

async function withoutScript() {
  await page.setJavaScriptEnabled(false);
  await page.reload({ timeout: LATE_MS });
  const text = await page.$eval("main", (main) => main.innerText);
  check(text.includes(HELPSYNC_CUSTOMER), text);
  const seen = await page.$eval("[data-open=palette]", (button) => getComputedStyle(button).display);
  check(seen === "none", "what takes a script is not shown without it");
  await page.setJavaScriptEnabled(true);
}

async function main() {
  const browser = await puppeteer.launch({
    executablePath: process.env.HELPSYNC_CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    timeout: LATE_MS,
  });
  try {
    page = await browser.newPage();
    page.on("pageerror", (error) => trouble.push(String(error)));
    // What an article's frame would load is refused by its policy, and told.
    page.on("console", (line) => {
      if (/Content Security Policy/.test(line.text()) && !/^(Loading the image|Framing)/.test(line.text())) trouble.push(line.text());
    });
    // Whatever is not this host is elsewhere.
    const isElsewhere = (url) => !url.startsWith(root) && !/^(data|about):/.test(url);
    page.on("requestfinished", (request) => { if (isElsewhere(request.url())) trouble.push(`asked ${request.url()}`); });
    page.on("requestfailed", (request) => {
      const why = request.failure()?.errorText ?? "";
      if (isElsewhere(request.url()) && !/csp/i.test(why)) trouble.push(`asked ${request.url()}: ${why}`);
    });
    await page.setViewport(WIDE);
    await login();
    await parts[HELPSYNC_PART]();
    check(trouble.length === 0, trouble.join("\n"));
  } catch (error) {
    await page.screenshot({ path: `${HELPSYNC_SCREENSHOTS}/broken-${HELPSYNC_PART}.png`, fullPage: true }).catch(() => {});
    console.error(error, trouble, page.url(), await page.evaluate(() => document.body.innerText).catch(() => ""));
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
