// What a new user does, on the real server, in Korean.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { serve, site } from "./site.js";

const here = site("ko-KR");

const cell = (page, name) => page.locator(`#cell-${name}`);

async function run(page, name) {
  const place = cell(page, name);
  await place.getByRole("button", { name: "실행", exact: true }).click();
  await place.locator("[data-viewer]").waitFor({ timeout: 120_000 });
  return place;
}

test("the seed note is read: callouts, nested lists, wikilinks, a missing image", async () => {
  const { page } = here.reader;
  await page.goto(here.server.address);
  await page.getByRole("main").getByRole("link", { name: "파드에 대해서" }).first().click();
  await page.getByRole("heading", { level: 1, name: "파드에 대해서" }).waitFor();
  assert.equal(await page.locator("html").getAttribute("lang"), "ko");
  await page.locator(".callout-title", { hasText: "왜 파드가 기본 단위일까?" }).waitFor();
  assert.ok((await page.locator(".prose li li li").count()) > 0, "lists are nested");
  assert.ok((await page.locator(".prose a.internal-link").count()) > 10, "wikilinks are links");
  await page.getByText("Pasted image 20240810102053.png").waitFor();
  assert.ok((await page.locator(".edge [data-outline] a").count()) > 10, "there is an outline");
});

test("its Pod, its Deployment and its Job run unchanged", async () => {
  const { page } = here.reader;
  const pod = await run(page, "pod-nginx");
  await pod.locator(".seg.running", { hasText: "Running" }).first().waitFor();
  assert.match(await pod.locator(".term").innerText(), /nginx +1\/1 +Running/);

  const deployment = await run(page, "deployment-nginx-deployment");
  assert.match(await deployment.locator(".term").innerText(), /nginx-deployment-[a-z0-9]+-[a-z0-9]{5} +1\/1 +Running/);
  assert.match(await deployment.locator(".term").innerText(), /nginx-deployment +3\/3/);

  const job = await run(page, "job-hello");
  assert.match(await job.locator(".term").innerText(), /hello-[a-z0-9]{5} +1\/1 +Running/);
});

test("the timeline is scrubbed by keyboard, and every instant is the server's", async () => {
  const { page } = here.reader;
  const pod = cell(page, "pod-nginx");
  const clock = pod.locator("output[data-clock]");
  const scrubber = pod.getByRole("slider");
  await scrubber.focus();
  await page.keyboard.press("Home");
  await page.waitForFunction(() => document.querySelector("#cell-pod-nginx output").textContent === "0:00.000");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.querySelector("#cell-pod-nginx output").textContent !== "0:00.000");
  assert.notEqual(await scrubber.getAttribute("aria-valuetext"), "0초");
  assert.ok(await clock.innerText());
});

test("the link leads to the experiment, whose nine trials are judged and ruled", async () => {
  const { page } = here.reader;
  await page.locator(".prose").getByRole("link", { name: "파드가 failed 뜨는 상황이란" }).first().click();
  await page.getByRole("heading", { level: 1, name: "파드가 failed 뜨는 상황이란" }).waitFor();
  const experiment = await run(page, "exit-by-policy");
  const grid = experiment.locator(".grid-table").first();
  assert.equal(await grid.locator("a.outcome").count(), 9);
  const outcomes = await grid.locator("a.outcome > span:nth-child(2)").allInnerTexts();
  assert.deepEqual(outcomes, ["Running", "Running", "Running", "Succeeded", "Running", "Running", "Succeeded", "Failed", "Failed"]);
  const rule = await experiment.locator(".rules li", { hasText: "Failed" }).innerText();
  assert.match(rule, /restartPolicy = Never 그리고 exitCode ≠ 0/);
  assert.ok((await experiment.locator(".verdicts .verdict.holds").count()) >= 3);
  // The sentence that the experiment checks wears its verdict.
  await page.locator(".prose p", { hasText: "Never이고 종료 코드가 0이 아니면" }).locator(".verdict.holds").waitFor();
});

test("any trial has its timeline, kubectl at each instant, and why", async () => {
  const { page } = here.reader;
  await cell(page, "exit-by-policy").locator("a.outcome", { hasText: "Failed" }).first().click();
  await page.getByRole("heading", { level: 1, name: /시행 8/ }).waitFor();
  assert.match(await page.locator(".term").innerText(), /\$ kubectl get pods[\s\S]*demo +0\/1 +Error/);
  await page.locator(".seg.failed").first().click();
  await page.getByRole("link", { name: "왜?" }).click();
  await page.locator(".why li").first().waitFor();
  assert.match(await page.locator(".why").innerText(), /사람이 적용했다|사람이 실행했다/);
  await page.getByRole("link", { name: "describe" }).click();
  await page.locator(".term", { hasText: "Restart Count" }).or(page.locator(".term", { hasText: "Name:" })).first().waitFor();
  assert.match(page.url(), /view=describe/);
  await page.reload();
  await page.locator(".term", { hasText: "kubectl describe" }).waitFor();
});

test("the server stops and starts, and the results are there", async () => {
  const { page } = here.reader;
  await page.goto("about:blank");
  await here.server.stop();
  here.server = await serve(here.notes.folder);
  await page.goto(`${here.server.address}/n/파드가 failed 뜨는 상황이란`);
  assert.equal(await cell(page, "exit-by-policy").locator(".grid-table").first().locator("a.outcome").count(), 9);
  await page.goto(`${here.server.address}/n/파드에 대해서`);
  await cell(page, "pod-nginx").locator("[data-viewer]").waitFor();
});

test("the study report is exported and stands alone", async () => {
  const { page, context } = here.reader;
  await page.goto(`${here.server.address}/n/파드가 failed 뜨는 상황이란`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "보고서로 내보내기" }).click()]);
  assert.equal(download.suggestedFilename(), "파드가 failed 뜨는 상황이란.html");
  const path = join(here.notes.folder, "..", "report.html");
  await download.saveAs(path);
  assert.match(readFileSync(path, "utf8"), /exit-by-policy|restartPolicy/);
  const report = await context.newPage();
  const asked = [];
  report.on("request", (request) => asked.push(request.url()));
  await report.goto(`file://${path}`);
  await report.getByText("Never이고 종료 코드가 0이 아니면").first().waitFor();
  assert.deepEqual(asked.filter((url) => !url.startsWith("file:") && !url.startsWith("data:")), []);
  await report.close();
});

test("a note that is edited shows its new text where the reader is", async () => {
  const { page } = here.reader;
  await page.goto(`${here.server.address}/n/Job`);
  const path = join(here.notes.folder, "Job.md");
  writeFileSync(path, `${readFileSync(path, "utf8")}\n방금 덧붙인 문장이다.\n`);
  await page.getByText("방금 덧붙인 문장이다.").waitFor();
});

test("search finds parts of Korean words, and a note opens by its name", async () => {
  const { page } = here.reader;
  await page.keyboard.press("Control+k");
  await page.keyboard.type("완두콩");
  await page.keyboard.press("Enter");
  await page.locator(".hits mark", { hasText: "완두콩" }).first().waitFor();
  // The page of hits reads before its script listens to keys.
  await page.waitForLoadState("load");
  await page.keyboard.press("Control+o");
  await page.getByRole("combobox").fill("failed 뜨는");
  await page.locator("[role=option][aria-selected=true]", { hasText: "파드가 failed" }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "파드가 failed 뜨는 상황이란" }).waitFor();
});

test("nothing was refused by the content security policy, and no script failed", () => {
  assert.deepEqual(here.reader.errors, []);
  assert.equal(here.server.complaints(), "");
});
