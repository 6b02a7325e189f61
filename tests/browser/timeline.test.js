// The timeline of a trial: filtered and collapsed, near and far, by the keyboard; a console at any instant.
import assert from "node:assert/strict";
import { test } from "node:test";
import { site } from "./site.js";

const here = site("ko-KR");

const lanes = (page) => page.locator("[data-lanes] .lane:not(.axis)");

test("lanes are chosen by kind and by name", async () => {
  const { page } = here.reader;
  await page.goto(`${here.server.address}/n/파드가 failed 뜨는 상황이란`);
  await page.locator("#cell-exit-by-policy").getByRole("button", { name: "실행", exact: true }).click();
  await page.locator("#cell-exit-by-policy [data-viewer]").waitFor({ timeout: 120_000 });
  await page.goto(`${here.server.address}/r/1/2`);
  const all = await lanes(page).count();
  await page.getByRole("button", { name: /condition/ }).click();
  await page.waitForFunction((all) => document.querySelectorAll("[data-lanes] .lane:not(.axis)").length < all, all);
  assert.match(page.url(), /hide=conditions/);
  await page.getByRole("searchbox", { name: "이름으로 거르기" }).fill("demo");
  await page.waitForFunction(() => [...document.querySelectorAll("[data-lanes] .who .name")].every((name) => !name.title.includes("node")));
  assert.equal(await page.getByRole("searchbox", { name: "이름으로 거르기" }).evaluate((field) => field === document.activeElement), true);
  // The address says all of it.
  await page.reload();
  assert.match(page.url(), /hide=conditions/);
  assert.match(page.url(), /only=demo/);
  assert.ok((await lanes(page).count()) < all - 2);
});

test("the scrubber zooms and pans by the keyboard, the wheel about the pointer", async () => {
  const { page } = here.reader;
  await page.goto(`${here.server.address}/r/1/2?t=30`);
  const span = () => page.evaluate(() => { const set = document.querySelector("[data-timeline]").dataset; return Number(set.to) - Number(set.from); });
  const whole = await span();
  const scrubber = page.getByRole("slider");
  await scrubber.focus();
  await page.keyboard.press("+");
  await page.waitForFunction((whole) => { const set = document.querySelector("[data-timeline]").dataset; return Number(set.to) - Number(set.from) < whole * 0.6; }, whole);
  const from = await page.evaluate(() => Number(document.querySelector("[data-timeline]").dataset.from));
  await page.keyboard.press("Shift+ArrowRight");
  await page.waitForFunction((from) => Number(document.querySelector("[data-timeline]").dataset.from) > from, from);
  const before = await span();
  const box = await page.locator("[data-lanes] .lane.axis svg").boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + 40);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -300);
  await page.keyboard.up("Control");
  await page.waitForFunction((before) => { const set = document.querySelector("[data-timeline]").dataset; return Number(set.to) - Number(set.from) < before * 0.8; }, before);
  await scrubber.focus();
  await page.keyboard.press("0");
  await page.waitForFunction((whole) => { const set = document.querySelector("[data-timeline]").dataset; return Math.abs(Number(set.to) - Number(set.from) - whole) < 0.01; }, whole);
  // And it still steps from change to change.
  const clock = await page.locator("output[data-clock]").innerText();
  await page.keyboard.press("ArrowLeft");
  await page.waitForFunction((clock) => document.querySelector("output[data-clock]").textContent !== clock, clock);
});

test("a console asks the cluster of any instant", async () => {
  const { page } = here.reader;
  await page.goto(`${here.server.address}/r/1/8?t=4`);
  await page.getByRole("link", { name: "콘솔" }).click();
  const line = page.locator("[data-console] [name=line]");
  await line.fill("kubectl get pod demo -o jsonpath={.status.phase}");
  await page.keyboard.press("Enter");
  await page.locator(".term", { hasText: "Running" }).waitFor();
  await page.getByRole("slider").focus();
  await page.keyboard.press("End");
  await page.locator(".term", { hasText: "Failed" }).waitFor();
  await line.fill("delete pod demo");
  await page.keyboard.press("Enter");
  await page.locator(".term", { hasText: "in the past" }).waitFor();
  await line.press("ArrowUp");
  assert.equal(await line.inputValue(), "delete pod demo");
  assert.deepEqual(here.reader.errors, []);
  assert.equal(here.server.complaints(), "");
});
