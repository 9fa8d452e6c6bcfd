// Carbon's widget in a browser, from nothing to a synced help center. Everything comes from the environment.
const http = require("node:http");
const esbuild = require("esbuild");
const puppeteer = require("puppeteer-core");

const { HELPSYNC_URL: apiURL, HELPSYNC_KEY, HELPSYNC_CUSTOMER, HELPSYNC_SUBDOMAIN, HELPSYNC_SCREENSHOT, NODE_PATH } = process.env;
const LATE_MS = 40_000;
// By the clock: a tab in the background draws no frames.
const PATIENT = { timeout: LATE_MS, polling: 200 };

// The page as a server of its own, so that every call of the widget is one across origins.
async function serve() {
  const headers = { authorization: `Bearer ${HELPSYNC_KEY}`, "customer-id": HELPSYNC_CUSTOMER };
  const answer = await (await fetch(`${apiURL}/auth/v1/access_token`, { headers })).json();
  const built = await esbuild.build({
    entryPoints: [`${__dirname}/page.jsx`],
    bundle: true,
    write: false,
    format: "iife",
    define: { "process.env.NODE_ENV": '"production"' },
    loader: { ".css": "empty" },
    nodePaths: [NODE_PATH],
    logLevel: "error",
  });
  const script = built.outputFiles[0].text;
  const application = JSON.stringify({ apiURL, accessToken: answer.access_token });
  const html = `<!doctype html><meta charset="utf-8"><div id="application"></div>
    <script>window.application = ${application}</script><script src="/page.js"></script>`;
  const server = http.createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html; charset=utf-8");
    response.end(isScript ? script : html);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

async function clickText(page, text) {
  const shown = await page.waitForSelector(`::-p-xpath(//button[contains(normalize-space(.), "${text}")])`, { visible: true, timeout: LATE_MS });
  await shown.evaluate((button) => button.click());
}

async function main() {
  const server = await serve();
  const browser = await puppeteer.launch({
    executablePath: process.env.HELPSYNC_CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    timeout: LATE_MS,
  });
  const page = await browser.newPage();
  const trouble = [];
  page.on("pageerror", (error) => trouble.push(String(error)));
  try {
    await page.setViewport({ width: 1100, height: 900 });
    await page.goto(`http://127.0.0.1:${server.address().port}/`, { timeout: LATE_MS });
    await clickText(page, "Connect Account");
    const field = await page.waitForSelector('input[placeholder="your-subdomain.zendesk.com"]', { visible: true, timeout: LATE_MS });
    await field.type(`${HELPSYNC_SUBDOMAIN}.zendesk.com`);
    await clickText(page, "Submit");
    // The person reads in another tab who asks for what, goes on to Zendesk, reads that it worked, and closes it.
    const opened = await browser.waitForTarget((target) => target.opener() === page.target(), { timeout: LATE_MS });
    const consent = await opened.page();
    await clickText(consent, "Continue to Zendesk");
    await consent.waitForFunction(() => document.body?.innerText.includes("is connected"), PATIENT);
    await consent.close();
    await page.bringToFront();
    const events = (wanted) =>
      page.waitForFunction((name) => window.said.some((one) => one.event === name), PATIENT, wanted);
    for (const wanted of ["INITIATE", "ADD"]) await events(wanted);
    // The connected account's files, as the widget lists them.
    const name = process.env.HELPSYNC_ARTICLE;
    await page.waitForFunction((text) => document.body.innerText.includes(text), PATIENT, name);
    if (HELPSYNC_SCREENSHOT) await page.screenshot({ path: HELPSYNC_SCREENSHOT });
    const said = await page.evaluate(() => window.said);
    if (said.some((one) => one.event === "ERROR")) throw new Error(JSON.stringify(said));
    console.log(JSON.stringify(said.map((one) => one.event)));
  } catch (error) {
    if (HELPSYNC_SCREENSHOT) await page.screenshot({ path: HELPSYNC_SCREENSHOT });
    const said = await page.evaluate(() => JSON.stringify(window.said));
    console.error(error, trouble, said, await page.evaluate(() => document.body.innerText));
    process.exitCode = 1;
  } finally {
    await browser.close();
    server.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
