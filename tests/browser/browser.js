// A headless browser for tests of pages: what it looks at, it keeps as pictures, and axe must have no complaint.
const puppeteer = require("puppeteer-core");

const LATE_MS = 60_000;
// By the clock: a tab in the background draws no frames.
const PATIENT = { timeout: LATE_MS, polling: 200 };
const WIDTHS = [360, 1100];

let axe = null;
try {
  axe = require("fs").readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
} catch {
  console.log("NOT LOOKED AT: accessibility; axe-core is not installed");
}

async function launch() {
  return puppeteer.launch({
    executablePath: process.env.HELPSYNC_CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    timeout: LATE_MS,
  });
}

// A tab that fails the test for every error of a script, everything that a policy forbids, and every request to another host.
async function tab(context, hosts) {
  const page = await context.newPage();
  page.setDefaultTimeout(LATE_MS);
  page.trouble = [];
  page.on("pageerror", (error) => page.trouble.push(String(error)));
  page.on("console", (said) => said.type() === "error" && !/status of 4/.test(said.text()) && page.trouble.push(said.text()));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith("data:") && !hosts.includes(new URL(url).origin)) page.trouble.push(`asks ${url}`);
  });
  return page;
}

// Pictures of a page, narrow and wide, light and dark; nothing may be wider than the screen.
async function look(page, name) {
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const width of WIDTHS) {
      await page.setViewport({ width, height: 900 });
      const folder = process.env.HELPSYNC_SCREENSHOTS;
      if (folder) await page.screenshot({ path: `${folder}/${name}-${width}-${scheme}.png`, fullPage: true });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (over > 0) throw new Error(`${name} is ${over} px wider than ${width}`);
    }
    await complaints(page, `${name} (${scheme})`);
  }
}

async function complaints(page, name) {
  if (!axe) return;
  // Past the page's policy, which lets no script in but its own.
  await page.evaluate(`(() => { const module = undefined; ${axe}; })()`);
  const told = await page.evaluate(async () => {
    const { violations } = await window.axe.run();
    return violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html + node.failureSummary).join(" ")}`);
  });
  if (told.length) throw new Error(`${name}: ${told.join("\n")}`);
}

async function press(page, text) {
  const button = await page.waitForSelector(`::-p-xpath(//button[normalize-space(.)="${text}"])`, { visible: true });
  await Promise.all([page.waitForNavigation(), button.click()]);
}

const says = (page, text) =>
  page.waitForFunction((wanted) => document.body?.innerText.includes(wanted), PATIENT, text);

module.exports = { launch, look, press, says, tab };
