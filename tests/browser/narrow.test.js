// A phone, English, no JavaScript: everything can be read, and nothing scrolls sideways.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { open, site } from "./site.js";

const here = site("en-US", { viewport: { width: 390, height: 844 }, javaScriptEnabled: false, colorScheme: "dark" });

test("a cell runs by its form alone, and its run is read step by step", async () => {
  const { page } = here.reader;
  await page.goto(`${here.server.address}/n/파드가 failed 뜨는 상황이란`);
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  await page.locator("#cell-exit-by-policy").getByRole("button", { name: "Run", exact: true }).click();
  for (let tries = 0; (await page.locator(".status.finished").count()) === 0; tries++) {
    assert.ok(tries < 100, "the run ends");
    await new Promise((later) => setTimeout(later, 300));
    await page.reload();
  }
  await page.locator(".rules", { hasText: "restartPolicy = Never and exitCode ≠ 0" }).first().waitFor();
  await page.locator("a.outcome", { hasText: "Failed" }).first().click();
  await page.getByRole("heading", { level: 1, name: /Trial 8/ }).waitFor();
  await page.getByRole("link", { name: "Previous change" }).click();
  assert.match(page.url(), /t=/);
  await page.getByRole("link", { name: "Why?" }).click();
  await page.locator(".why li").first().waitFor();
});

test("a property that is a link leads to the twin and back", async () => {
  const { page } = here.reader;
  await page.goto(`${here.server.address}/n/en/When a pod goes Failed`);
  await page.getByRole("link", { name: "파드가 failed 뜨는 상황이란", exact: true }).first().click();
  await page.getByRole("heading", { level: 1, name: "파드가 failed 뜨는 상황이란" }).waitFor();
});

test("no page scrolls sideways on a phone", async () => {
  // Widths are measured by a script, so this reader has them.
  const { browser, page, errors } = await open("en-US", { viewport: { width: 390, height: 844 } });
  after(() => browser.close());
  for (const path of ["/", "/n/파드에 대해서", "/n/파드가 failed 뜨는 상황이란", "/n/none", "/r/1", "/r/1/2", "/search?q=파드", "/settings", "/notes", "/sessions", "/history/파드가 failed 뜨는 상황이란?cell=exit-by-policy"]) {
    await page.goto(here.server.address + path);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 390, `${path} is ${width} pixels wide`);
  }
  assert.deepEqual(errors.filter((error) => !error.includes("404")), []);
});
