// JupyterLab in a real browser: a notebook of three cells is run with the keyboard.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { open } from "../site.js";

const POD = `apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - {name: c, image: nginx}`;

let folder, server, address, lab;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "peapod-lab-"));
  const cell = (source, id) => ({ cell_type: "code", id, metadata: {}, outputs: [], execution_count: null, source });
  const kernelspec = { name: "peapod", display_name: "Peapod", language: "peapod" };
  const cells = [cell(POD, "a"), cell("%until pod/web Ready\n$ kubectl get pods", "b"), cell("%timeline", "c")];
  writeFileSync(join(folder, "n.ipynb"), JSON.stringify({ cells, metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 }));
  const settings = ["--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root", "--IdentityProvider.token=secret", "--LabApp.news_url="];
  server = spawn("jupyter", ["lab", ...settings, `--ServerApp.root_dir=${folder}`], { stdio: ["ignore", "pipe", "pipe"] });
  address = await new Promise((resolve, reject) => {
    let said = "";
    const hear = (chunk) => {
      said += chunk;
      const port = /http:\/\/127\.0\.0\.1:(\d+)\/lab/.exec(said)?.[1];
      if (port) resolve(`http://127.0.0.1:${port}`);
    };
    server.stdout.on("data", hear);
    server.stderr.on("data", hear);
    server.once("exit", (code) => reject(new Error(`JupyterLab ended with ${code}: ${said}`)));
  });
  lab = await open("en");
});

after(async () => {
  await lab?.browser.close();
  if (server && server.exitCode === null) {
    await new Promise((ended) => {
      server.once("exit", ended);
      server.kill("SIGTERM");
    });
  }
  rmSync(folder, { recursive: true, force: true });
});

test("three cells run, and their outputs are drawn", async () => {
  const { page } = lab;
  await page.goto(`${address}/lab/tree/n.ipynb?token=secret&reset`);
  const cells = page.locator(".jp-Notebook .jp-CodeCell");
  await cells.nth(2).waitFor();
  // The indicator in the toolbar begins as idle, and a cell that runs before there is a kernel is dropped; the status bar knows.
  await page.locator("#jp-main-statusbar").getByText(/^Peapod .*\| Idle$/).waitFor();
  await cells.nth(0).locator(".cm-content").click();
  for (let at = 0; at < 3; at += 1) {
    await page.keyboard.press("Shift+Enter");
  }
  const book = page.locator(".jp-Notebook");
  await book.getByText("web phase").waitFor();
  await book.getByText("pod/web created").waitFor();
  assert.match(await book.locator(".jp-OutputArea table").innerText(), /STATUS[^]*web[^]*Running/);
  assert.equal(await book.locator("[data-mime-type='application/vnd.jupyter.stderr']").count(), 0);
  const prompts = await book.locator(".jp-InputPrompt").allInnerTexts();
  assert.deepEqual(prompts.slice(0, 3), ["[1]:", "[2]:", "[3]:"]);
});

test("Tab completes the name of a pod", async () => {
  const { page } = lab;
  // The last cell had been made by running the third one, and is where the cursor is.
  await page.keyboard.type("$ kubectl describe pod we");
  await page.keyboard.press("Tab");
  await page.locator(".jp-Completer-item", { hasText: "web" }).waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".jp-Notebook").getByText("$ kubectl describe pod web", { exact: true }).waitFor();
});
