// A session: cells on one living cluster, in two tabs, by the keyboard, over a stop of the server.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { open, serve, site } from "./site.js";

let other;

const here = site("ko-KR", { viewport: { width: 1400, height: 950 } });

const cell = (page, number) => page.locator("[data-room-cell]").nth(number - 1);

test("a note opens as a session: its text, its cells, run in order", async () => {
  const { page, context } = here.reader;
  await page.goto(`${here.server.address}/n/파드에 대해서`);
  await page.getByRole("button", { name: "세션으로 열기" }).click();
  await page.locator("[data-room][data-ready]").waitFor();
  await page.getByRole("heading", { level: 1, name: "파드에 대해서" }).waitFor();
  await page.locator(".prose .callout-title", { hasText: "왜 파드가 기본 단위일까?" }).waitFor();
  assert.equal(await page.locator("[data-room-cell]").count(), 3);
  other = await context.newPage();
  await other.goto(page.url());
  await page.getByRole("button", { name: "모두 실행" }).click();
  await cell(page, 3).locator("[data-count]", { hasText: "[3]" }).waitFor();
  assert.match(await cell(page, 1).locator("[data-out]").innerText(), /pod\/nginx created/);
});

test("the other tab sees it live, and its clock moves both", async () => {
  const { page } = here.reader;
  await cell(other, 3).getByText("job.batch/hello created").waitFor();
  await other.getByRole("button", { name: "가라앉을 때까지" }).click();
  await page.waitForFunction(() => document.querySelector("[data-clock]").textContent !== "0:00.000");
  await page.locator("[data-cluster-picture] figcaption", { hasText: "Running" }).first().waitFor();
  await page.locator(".room-objects li", { hasText: "nginx-deployment" }).filter({ hasText: "3/3 ready" }).first().waitFor();
  assert.match(await page.locator("[data-log]").innerText(), /%settle/);
});

test("the console completes, remembers, and changes the cluster", async () => {
  const { page } = here.reader;
  const prompt = page.locator("[data-prompt] input");
  await prompt.click();
  await page.keyboard.type("kubectl get deploym");
  await page.keyboard.press("Tab");
  await page.waitForFunction(() => document.querySelector("[data-prompt] input").value.startsWith("kubectl get deployment"));
  await prompt.fill("kubectl delete pod ngin");
  await page.keyboard.press("Tab");
  await page.waitForFunction(() => document.querySelector("[data-prompt] input").value === "kubectl delete pod nginx");
  await page.locator(".room-choices li", { hasText: "nginx-deployment" }).first().waitFor();
  await page.keyboard.press("Enter");
  await page.locator("[data-log]", { hasText: 'pod "nginx" deleted' }).waitFor();
  await page.keyboard.press("ArrowUp");
  assert.equal(await prompt.inputValue(), "kubectl delete pod nginx");
  await page.keyboard.press("ArrowUp");
  assert.equal(await prompt.inputValue(), "%settle");
});

test("what is stale is marked, and run again from where it is not", async () => {
  const { page } = here.reader;
  const area = cell(page, 2).locator("textarea");
  await area.fill((await area.inputValue()).replace("replicas: 3", "replicas: 5"));
  await page.locator("[data-room-cell].stale").nth(1).waitFor();
  assert.equal(await page.locator("[data-room-cell].stale").count(), 2, "the cell and the one under it");
  assert.equal(await page.locator("[data-room-cell].edited").count(), 1);
  await page.getByRole("button", { name: "낡은 것 다시 실행" }).click();
  await page.locator(".room-objects li", { hasText: "5/5 ready" }).first().waitFor();
  assert.equal(await page.locator("[data-room-cell].stale").count(), 0);
  // A cell that follows the note follows it when the note is saved elsewhere; one that was edited here does not.
  const path = join(here.notes.folder, "파드에 대해서.md");
  writeFileSync(path, readFileSync(path, "utf8").replace("replicas: 3", "replicas: 4").replace("sleep 3600", "sleep 60"));
  await page.waitForFunction(() => [...document.querySelectorAll("textarea")].some((area) => area.value.includes("sleep 60")));
  assert.match(await area.inputValue(), /replicas: 5/);
  await page.locator("[data-room-cell].stale").first().waitFor();
});

test("a cell is taken back, the server stops and starts, and all is as it was", async () => {
  const { page } = here.reader;
  await cell(page, 3).hover();
  await cell(page, 3).getByRole("button", { name: "이 셀 앞으로 되돌리기" }).click();
  await cell(page, 3).locator("[data-count]", { hasText: "[ ]" }).waitFor();
  await page.locator("[data-words]", { hasText: "멈춰 있다" }).waitFor();
  await page.getByLabel("초").fill("42s");
  await page.getByRole("button", { name: "흘리기" }).click();
  await page.locator("[data-clock]", { hasText: "0:42.000" }).waitFor();
  const before = await page.locator("[data-cluster-picture]").innerText();
  const address = page.url();
  await other.close();
  await page.goto("about:blank");
  await here.server.stop();
  here.server = await serve(here.notes.folder);
  await page.goto(here.server.address + new URL(address).pathname);
  await page.locator("[data-clock]", { hasText: "0:42.000" }).waitFor();
  await page.locator(".room-objects li", { hasText: "5/5" }).first().waitFor();
  assert.equal(await page.locator("[data-cluster-picture]").innerText(), before);
  assert.match(await cell(page, 1).locator("[data-out]").innerText(), /pod\/nginx created/);
});

test("a scratch page is written by the keyboard alone, as in Jupyter", async () => {
  const { page } = here.reader;
  await page.goto(`${here.server.address}/sessions`);
  await page.getByRole("button", { name: "새 메모장" }).click();
  // Before its module is there, the page is only read.
  await page.locator("[data-room][data-ready]").waitFor();
  await page.locator("[data-room-cell] textarea").first().focus();
  await page.keyboard.insertText("kubectl run web --image=nginx:1.27");
  await page.keyboard.press("Shift+Enter");
  await cell(page, 1).getByText("pod/web created").waitFor();
  // A new cell under the last one, ready to be written in.
  await page.locator("[data-room-cell]").nth(1).locator("textarea").and(page.locator(":focus")).waitFor();
  await page.keyboard.insertText("%until pod/web Ready");
  await page.keyboard.press("Control+Enter");
  await cell(page, 2).locator("[data-out]", { hasText: "t = " }).waitFor();
  // Command mode: above, below, twice D, and back into the text.
  await page.keyboard.press("a");
  await page.waitForFunction(() => document.querySelectorAll("[data-room-cell]").length === 3);
  await page.keyboard.press("b");
  await page.waitForFunction(() => document.querySelectorAll("[data-room-cell]").length === 4);
  await page.keyboard.press("d");
  await page.keyboard.press("d");
  await page.waitForFunction(() => document.querySelectorAll("[data-room-cell]").length === 3);
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.keyboard.insertText("$ kubectl get pod web");
  await page.keyboard.press("Shift+Enter");
  await cell(page, 2).getByText("1/1").waitFor();
  await page.locator("[data-room-cell].stale").waitFor();
});

test("completion, and what a field means", async () => {
  const { page } = here.reader;
  const area = cell(page, 3).locator("textarea");
  await area.fill("apiVersion: v1\nkind: Pod\nspec:\n  restartP");
  await area.press("Control+ ");
  await page.waitForFunction(() => [...document.querySelectorAll("textarea")].some((area) => area.value.includes("restartPolicy")));
  await area.press("Shift+Tab");
  await cell(page, 3).locator(".room-tip").waitFor();
  await area.fill("%advance 1s");
});

test("time follows the real one until it is paused, and what runs is interrupted", async () => {
  const { page } = here.reader;
  await page.getByLabel("배속").selectOption("600");
  await page.getByRole("button", { name: "실제 시간으로" }).click();
  await page.locator("[data-words]", { hasText: "600배" }).waitFor();
  await page.locator("[data-clock]", { hasText: /^[1-9]\d*:/ }).waitFor();
  await page.getByRole("button", { name: "멈춤" }).click();
  await page.getByRole("button", { name: "실제 시간으로" }).waitFor();
  const stands = await page.locator("[data-clock]").innerText();
  await page.locator("[data-prompt] input").fill("%play 1h 1");
  await page.keyboard.press("Enter");
  await page.locator(".room-line.running").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "중단" }).click();
  await page.locator(".room-line.interrupted", { hasText: "Interrupted" }).waitFor();
  assert.ok(stands);
});

test("nothing scrolls sideways on a phone, and nothing was refused", async () => {
  const { page } = here.reader;
  const phone = await open("en-US", { viewport: { width: 390, height: 844 }, colorScheme: "dark" });
  after(() => phone.browser.close());
  await phone.page.goto(page.url().replace("127.0.0.1", "127.0.0.1"));
  await phone.page.getByRole("button", { name: "Run all" }).waitFor();
  assert.ok((await phone.page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
  assert.deepEqual(here.reader.errors, []);
  assert.deepEqual(phone.errors, []);
  assert.equal(here.server.complaints(), "");
});
