// Try a change: an editor that knows the language, drafts, links that hold the change, the history of what changed.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { site } from "./site.js";

const here = site("ko-KR", { permissions: ["clipboard-read", "clipboard-write"] });

const note = "/n/파드가 failed 뜨는 상황이란";
const change = (page) => page.locator("#cell-exit-by-policy [data-change]");
const text = (page) => change(page).locator("textarea");

test("what is wrong is said at its line while it is written", async () => {
  const { page } = here.reader;
  await page.goto(here.server.address + note);
  await change(page).locator("summary").click();
  await change(page).getByText("아직 고친 것이 없다.").waitFor();
  await text(page).fill((await text(page).inputValue()).replace("until: 10m", "untl: 10m"));
  const wrong = change(page).locator("[data-said] li.error").first();
  await wrong.waitFor();
  assert.match(await wrong.innerText(), /untl/);
  assert.equal(await change(page).locator(".editor-paint .wrong").first().innerText(), "untl");
  await wrong.locator("button").click();
  const line = await text(page).evaluate((area) => area.value.slice(area.selectionStart).split("\n")[0]);
  assert.equal(line, "untl: 10m");
});

test("keys are completed from the schema, by the keyboard", async () => {
  const { page } = here.reader;
  await text(page).fill((await text(page).inputValue()).replace("untl: 10m", "until: 5m"));
  await text(page).evaluate((area) => area.setSelectionRange(area.value.length, area.value.length));
  await page.keyboard.type("\nkuber", { delay: 25 });
  await change(page).locator(".editor-list [role=option]", { hasText: "kubernetes" }).waitFor();
  await page.keyboard.press("Enter");
  await page.keyboard.type('"1.30"');
  assert.match(await text(page).inputValue(), /kubernetes: "1\.30"$/);
  await change(page).getByText("시행 9개로 실행할 수 있다.").waitFor();
});

test("a draft outlives the page, and the link holds the change", async () => {
  const { page, context } = here.reader;
  await page.reload();
  await change(page).locator("summary").click();
  await page.waitForFunction(() => document.querySelector("#cell-exit-by-policy textarea").value.includes("1.30"));
  await change(page).getByRole("button", { name: "링크 복사" }).click();
  await change(page).getByText("링크를 복사했다").waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  const stranger = await here.reader.browser.newContext({ locale: "ko-KR" });
  const elsewhere = await stranger.newPage();
  await elsewhere.goto(link);
  await elsewhere.waitForFunction(() => document.querySelector("#cell-exit-by-policy textarea").value.includes("until: 5m"));
  await stranger.close();
  const [download] = await Promise.all([page.waitForEvent("download"), change(page).getByRole("button", { name: "Markdown으로 내려받기" }).click()]);
  const path = join(here.notes.folder, "..", "copy.md");
  await download.saveAs(path);
  const copy = readFileSync(path, "utf8");
  assert.match(copy, /\[\[파드가 failed 뜨는 상황이란\]\][\s\S]*```experiment\n[\s\S]*until: 5m[\s\S]*```\n$/);
  assert.ok(context);
});

test("the change runs, and the history says what changed", async () => {
  const { page } = here.reader;
  await page.locator("#cell-exit-by-policy").getByRole("button", { name: "실행", exact: true }).click();
  await page.locator("#cell-exit-by-policy [data-viewer]").waitFor({ timeout: 120_000 });
  await change(page).getByRole("button", { name: "고친 것으로 실행" }).click();
  await page.locator("#cell-exit-by-policy [data-result][data-shown]").and(page.locator('[data-shown="/r/2"]')).waitFor({ timeout: 120_000 });
  await page.goto(`${here.server.address}/history/파드가 failed 뜨는 상황이란?cell=exit-by-policy`);
  const newest = page.locator(".history > li").first();
  assert.match(await newest.locator(".diff .more").allInnerTexts().then((lines) => lines.join("")), /\+ until: 5m[\s\S]*\+ kubernetes: "1\.30"/);
  assert.match(await newest.innerText(), /Kubernetes 1\.36 → 1\.30/);
  await newest.getByRole("link", { name: "이것에서 바꿔 보기" }).click();
  await page.waitForFunction(() => document.querySelector("#cell-exit-by-policy textarea").value.includes("1.30"));
  await page.goto(`${here.server.address}/r/2`);
  await page.getByRole("heading", { name: "노트와 다른 곳" }).waitFor();
});

test("a cancelled run goes on where it was", async () => {
  const { page } = here.reader;
  await page.goto(here.server.address + note);
  await change(page).locator("summary").click();
  // The draft is taken up before it is changed.
  await page.waitForFunction(() => document.querySelector("#cell-exit-by-policy textarea").value.includes("1.30"));
  const long = (await text(page).inputValue()).replace("kubernetes: \"1.30\"", "schedules: 1000").replace("until: 5m", "until: 30m");
  await text(page).fill(long);
  await change(page).getByText("시행 9000개로").waitFor();
  await change(page).getByRole("button", { name: "고친 것으로 실행" }).click();
  await page.waitForFunction(() => Number(document.querySelector("#cell-exit-by-policy [data-count]").textContent.split("/")[0]) > 3);
  await page.locator("#cell-exit-by-policy").getByRole("button", { name: "취소" }).click();
  await page.locator("#cell-exit-by-policy [data-live]").waitFor({ state: "hidden", timeout: 60_000 });
  await page.goto(`${here.server.address}/r/3`);
  const done = Number(/\((\d+)\/9000\)/.exec(await page.getByRole("button", { name: "이어서 실행" }).innerText())[1]);
  assert.ok(done > 0 && done < 9000);
  await page.getByRole("button", { name: "이어서 실행" }).click();
  await page.waitForFunction((done) => Number(document.querySelector("[data-count]")?.textContent.split("/")[0]) > done, done);
  await page.getByRole("button", { name: "취소" }).click();
  await page.locator(".status.cancelled").first().waitFor({ timeout: 60_000 });
});

test("nothing was refused, and no script failed", () => {
  assert.deepEqual(here.reader.errors, []);
  assert.equal(here.server.complaints(), "");
});
