// A prediction is asked before the run, kept, and compared with what comes out.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { open, site } from "./site.js";

const here = site("ko-KR");

const note = "/n/파드가 failed 뜨는 상황이란";
const cell = (page) => page.locator("#cell-exit-by-policy");

test("the answer is kept before the run, and can be thought over", async () => {
  const { page } = here.reader;
  await page.goto(here.server.address + note);
  const place = cell(page).locator("[data-prediction]");
  await place.getByText("아홉 가지 조합 가운데 Failed가 되는 것은 몇 개일까?").waitFor();
  await place.getByLabel("답").fill("3개");
  await place.getByRole("button", { name: "예측 적어 두기" }).click();
  await place.getByText("실행하면 결과와 견준다.").waitFor();
  await page.reload();
  await place.getByText("3개").first().waitFor();
  // Another thought, by the keyboard alone, and single combinations with it.
  await place.locator("summary", { hasText: "다시 예측하기" }).focus();
  await page.keyboard.press("Enter");
  await place.getByLabel("답").fill("2");
  await place.locator("summary", { hasText: "조합마다 예측하기: phase" }).focus();
  await page.keyboard.press("Enter");
  await place.getByLabel("restartPolicy = Always, exitCode = 0").fill("Succeeded");
  await place.getByLabel("restartPolicy = Never, exitCode = 1", { exact: true }).fill("failed");
});

test("the run keeps what was written, and says what was right", async () => {
  const { page } = here.reader;
  await cell(page).getByRole("button", { name: "실행", exact: true }).click();
  const place = cell(page).locator("[data-prediction]");
  await place.locator(".verdict.holds", { hasText: "맞혔다" }).waitFor({ timeout: 120_000 });
  assert.match(await place.innerText(), /예측:\s*2[\s\S]*결과:\s*2/);
  await place.getByText("조합 2개 가운데 1개를 맞혔다").waitFor();
  const rows = await place.locator("tbody tr").allInnerTexts();
  assert.match(rows[0], /Always, exitCode = 0\s+Succeeded\s+Running/);
  assert.match(rows[1], /Never, exitCode = 1\s+failed\s+Failed/);
  assert.equal(await place.locator("form").count(), 0, "it is too late to predict");
  await page.reload();
  await place.locator(".verdict.holds").waitFor();
});

test("whoever has seen the outcome cannot predict it", async () => {
  const { page } = here.reader;
  const status = await page.evaluate(async () => {
    const form = new URLSearchParams({ note: "파드가 failed 뜨는 상황이란", cell: "exit-by-policy", words: "9" });
    return (await fetch("/predict", { method: "POST", body: form })).status;
  });
  assert.equal(status, 409);
  assert.deepEqual(here.reader.errors.filter((error) => !error.includes("409")), []);
  assert.equal(here.server.complaints(), "");
});

test("without scripts the form does the same, in English and on a phone", async () => {
  const { browser, page } = await open("en-US", { viewport: { width: 390, height: 844 }, javaScriptEnabled: false });
  after(() => browser.close());
  await page.goto(`${here.server.address}/n/노드 압박 축출`);
  const place = page.locator("[data-prediction]").first();
  await place.getByLabel("burstable-over").check();
  await place.getByRole("button", { name: "Keep the prediction" }).click();
  await page.locator("[data-prediction]", { hasText: "You predicted burstable-over" }).waitFor();
});
