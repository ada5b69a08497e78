// The page in a real Chromium at argv[2] with the key argv[3] ("" = none is needed); argv[4]: folder for screenshots, or
// "". Fails on any console error, any refused resource, any request to another host. Prints TAP.
import assert from "node:assert";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(process.env.CLIENTS + "/");
const { chromium } = require("playwright-core");
const axe = require.resolve("axe-core/axe.min.js");
const [, , url, key, shots] = process.argv;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, bypassCSP: false, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on("console", (m) => { if (m.type() === "error" && !m.text().includes("401")) faults.push(m.text()); });
  page.on("pageerror", (e) => faults.push(String(e)));
  page.on("request", (r) => { if (!r.url().startsWith(url) && !r.url().startsWith("data:")) faults.push("asks for " + r.url()); });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
  });
  await page.goto(url + "/");
  if (key) {
    await page.getByLabel(/^Key/).fill(key);
    await page.keyboard.press("Enter");
  }
  await page.getByRole("heading", { name: "The chip, live" }).waitFor();
  return { page, context, faults };
}

async function clean({ page, faults }) {
  assert.deepEqual(faults, []);
  assert.deepEqual(await page.evaluate(() => window.violations), []);
}

// Serious faults by axe. It is run in the page's own world, as its policy lets no other script in.
async function accessible(page) {
  const fs = await import("node:fs");
  await page.evaluate(fs.readFileSync(axe, "utf8"));
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const serious = found.violations.filter((v) => ["serious", "critical"].includes(v.impact));
  assert.deepEqual(serious.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).slice(0, 3).join(" | ")}`), []);
  assert.ok(found.passes.length > 10, "axe looked at nothing");
}

async function ask(page, text) {
  await page.getByLabel("Temperature").fill("0");
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Send" }).and(page.locator(":not([disabled])")).waitFor({ timeout: 60000 });
}

const pixels = (page, id) => page.evaluate((i) => document.getElementById(i).toDataURL(), id);

const steps = {
  async "chat streams and charts move"() {
    const o = await open();
    const before = await pixels(o.page, "rate");
    let pieces = 0;
    await o.page.exposeFunction("piece", () => pieces++);
    await o.page.evaluate(() => new MutationObserver(() => window.piece()).observe(document.getElementById("log"), { childList: true, subtree: true, characterData: true }));
    await ask(o.page, "What is the capital of Japan?");
    const log = o.page.getByRole("log");
    await assert.match(await log.innerText(), /Tokyo/);
    pieces = 0; /* of an answer that is long enough for a busy host to show in pieces */
    await ask(o.page, "Write a short story about a river.");
    assert.ok(pieces > 4, `${pieces} pieces`);
    await ask(o.page, "And of France?");
    assert.match(await log.innerText(), /France/);
    await o.page.waitForTimeout(2500);
    assert.notEqual(await pixels(o.page, "rate"), before);
    const rows = await o.page.locator("#users tr").count();
    assert.equal(rows, 2); // this user, and all together
    const figure = (name) => o.page.locator("#figures div").filter({ has: o.page.locator("dt", { hasText: name }) }).locator("dd").innerText();
    await o.page.waitForFunction(() => document.getElementById("figures").innerText.includes("idle"));
    assert.equal(await figure("HBM traffic now"), "0 B/s");
    assert.match(await figure("Last step took"), /[mu]s$/);
    const short = await o.page.evaluate(async () => { const m = await import("/live.js"); return [1.234e12, 0, 2.5e-4, 999].map((x) => m.short(x, "B/s")); });
    assert.deepEqual(short, ["1.23 TB/s", "0 B/s", "250 uB/s", "999 B/s"]);
    if (shots) {
      await o.page.evaluate(() => window.scrollTo(0, 0));
      await o.page.screenshot({ path: path.join(shots, "page-light.png"), fullPage: true });
    }
    await accessible(o.page);
    await clean(o);
    await o.context.close();
  },
  async "dark, and on a phone"() {
    const o = await open({ viewport: { width: 390, height: 844 }, colorScheme: "dark" });
    await ask(o.page, "Hello!");
    const wide = await o.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 390, `${wide} pixels wide`);
    const paper = await o.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(paper, "rgb(20, 23, 27)");
    if (shots) await o.page.screenshot({ path: path.join(shots, "page-phone-dark.png") });
    await accessible(o.page);
    await clean(o);
    await o.context.close();
  },
  async "by keyboard alone, and stopped"() {
    const o = await open();
    await o.page.getByLabel("Temperature").fill("0");
    await o.page.getByLabel("Most tokens").fill("4000");
    await o.page.getByLabel("Message", { exact: true }).focus();
    await o.page.keyboard.type("Write a long story about a lighthouse and its keeper.");
    await o.page.keyboard.press("Enter");
    await o.page.waitForFunction(() => document.querySelectorAll("#log .entry").length === 2 && document.querySelector("#log .entry:last-child").innerText.length > 20);
    await o.page.keyboard.press("Tab"); // Send is disabled: the next one is Stop
    assert.equal(await o.page.evaluate(() => document.activeElement.id), "stop");
    await o.page.keyboard.press("Enter");
    await o.page.getByRole("button", { name: "Send" }).and(o.page.locator(":not([disabled])")).waitFor({ timeout: 10000 });
    assert.equal(await o.page.evaluate(() => document.activeElement.id), "message");
    await clean(o);
    await o.context.close();
  },
  async "a text is text, whatever it says"() {
    const o = await open();
    await ask(o.page, "<img src=x onerror=alert(1)><script>alert(2)</script>");
    assert.equal(await o.page.locator("#log img, #log script").count(), 0);
    await clean(o);
    await o.context.close();
  },
  async "a key is asked for and kept nowhere"() {
    if (!key) return;
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(url + "/");
    await page.getByLabel(/^Key/).fill("slx_wrong");
    await page.keyboard.press("Enter");
    await page.getByText("not known here").waitFor();
    await page.getByLabel(/^Key/).fill(key);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Chat" }).waitFor();
    const kept = await page.evaluate(() => JSON.stringify([localStorage, sessionStorage, document.cookie, document.documentElement.outerHTML]));
    assert.ok(!kept.includes(key));
    assert.equal(await page.getByLabel(/^Key/).inputValue(), "");
    await context.close();
  },
};
let i = 0, failed = 0;
for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    console.log(`ok ${++i} - ${name}`);
  } catch (e) {
    failed = 1;
    console.error(e);
    console.log(`not ok ${++i} - ${name}`);
  }
}
await browser.close();
process.exit(failed);
