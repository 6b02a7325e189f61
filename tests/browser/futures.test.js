// Two trials beside each other, another future from an instant, the point of no return, and counter-examples.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { open, site } from "./site.js";

const NOTE = `# 두 미래
언제나 Running이다. ^runs

\`\`\`experiment
id: futures
title: 하나의 파드
variables: {policy: [Always, Never]}
steps:
- apply: |
    apiVersion: v1
    kind: Pod
    metadata: {name: demo}
    spec:
      restartPolicy: {{ policy }}
      containers: [{name: app, image: "busybox:1.36", command: [sh, -c, "sleep 20; exit 1"]}]
until: 2m
observe: {phase: pod('demo').status.phase}
expect:
- claim: ^runs
  when: policy == 'Always'
  never: phase == 'Failed'
- claim: Never이면 Failed로 끝난다
  when: policy == 'Never'
  eventually: phase == 'Failed'
\`\`\`
`;

const here = site("ko-KR", {}, (folder) => writeFileSync(join(folder, "두 미래.md"), NOTE));

test("two trials part where the container ends, and it is said why", async () => {
  const { page } = here.reader;
  await page.goto(`${here.server.address}/n/두 미래`);
  await page.getByRole("button", { name: "실행", exact: true }).click();
  await page.locator("[data-viewer]").waitFor({ timeout: 60_000 });
  await page.goto(`${here.server.address}/r/1/1`);
  await page.getByLabel("견줄 것").selectOption("1/2");
  await page.getByRole("button", { name: "견주기" }).click();
  await page.getByRole("heading", { level: 1, name: "견주기" }).waitFor();
  await page.getByText(/에 처음 갈라진다/).waitFor();
  assert.equal(await page.locator(".compare-side [data-lanes]").count(), 2);
  assert.equal(await page.locator("line.parting").count(), 2);
  assert.match(await page.locator("tr.differs", { hasText: "phase" }).innerText(), /Running\s+Failed/);
  assert.ok((await page.locator(".why li").count()) >= 2);
  // The keyboard moves both.
  const before = await page.locator(".controls output").innerText();
  await page.getByRole("link", { name: "다음 변화" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((before) => document.querySelector(".controls output").textContent !== before, before);
  assert.match(page.url(), /t=/);
});

test("the same trial on another version is the same until it is not", async () => {
  const { page } = here.reader;
  await page.goto(`${here.server.address}/compare?a=1/2&b=1/2`);
  await page.getByText("두 추적은 기록 하나까지 똑같다.").waitFor();
  await page.goto(`${here.server.address}/compare?a=1/2&b=1/2@1.28`);
  await page.locator(".compare-side h2", { hasText: "Kubernetes 1.28" }).waitFor();
});

test("another future branches from the scrubbed instant", async () => {
  const { page } = here.reader;
  await page.goto(`${here.server.address}/r/1/2?t=10`);
  assert.equal(await page.getByLabel("언제").inputValue(), "10");
  await page.getByLabel("할 일").fill("{node: node-1, powerOff: true}");
  await page.getByRole("button", { name: "두 미래 보기" }).click();
  await page.getByRole("heading", { level: 1, name: "두 미래" }).waitFor();
  await page.locator(".compare-asked", { hasText: "B에서만 한 일" }).waitFor();
  await page.locator("tr.differs", { hasText: "Never이면 Failed로 끝난다" }).locator(".verdict.fails").waitFor();
  await page.locator("#no-return").getByRole("link", { name: "Never이면 Failed로 끝난다" }).click();
  const found = await page.locator(".no-return").innerText();
  assert.match(found, /까지는 늦지 않다/);
  assert.match(found, /2\d(\.\d)?초|1\d(\.\d)?초/);
});

test("a deed that is none is refused in words", async () => {
  const { page } = here.reader;
  await page.goto(`${here.server.address}/r/1/2/branch?at=10&do=${encodeURIComponent("{node: node-1, powerOf: true}")}`);
  await page.getByText("그렇게는 할 수 없다").waitFor();
});

test("a counter-example is looked for, found, and stands beside the trial", async () => {
  const { page } = here.reader;
  await page.goto(`${here.server.address}/r/1`);
  await page.getByRole("button", { name: "반례 찾기" }).first().click();
  await page.getByRole("heading", { name: "이 주장이 틀리는 경우를 찾는다" }).waitFor();
  await page.locator(".refutation", { hasText: "반례가 있다" }).waitFor({ timeout: 120_000 });
  const found = await page.locator(".refutation").innerText();
  assert.match(found, /시행 \d+번, 바꿀 수 있는 것 \d+가지/);
  await page.getByRole("link", { name: "반례와 견주기" }).click();
  await page.locator(".compare-side h2", { hasText: "반례" }).waitFor();
  await page.locator("line.parting").first().waitFor({ state: "attached" });
});

test("a phone has room for it, and nothing was refused", async () => {
  const phone = await open("en-US", { viewport: { width: 390, height: 844 }, colorScheme: "dark" });
  after(() => phone.browser.close());
  for (const path of ["/compare?a=1/1&b=1/2", "/r/1/2?t=10", "/r/1/refute/1"]) {
    await phone.page.goto(here.server.address + path);
    assert.ok((await phone.page.evaluate(() => document.documentElement.scrollWidth)) <= 390, path);
  }
  assert.deepEqual(phone.errors, []);
  assert.deepEqual(here.reader.errors.filter((error) => !error.includes("422")), []);
  assert.equal(here.server.complaints(), "");
});
