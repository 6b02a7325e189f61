// A server over a copy of the library's notes, and a browser to look at it.
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { chromium } from "playwright-core";

const notes = new URL("../../notes", import.meta.url).pathname;

/** A folder of notes that is thrown away at the end. */
export function vault() {
  const folder = mkdtempSync(join(tmpdir(), "peapod-browser-"));
  cpSync(decodeURIComponent(notes), join(folder, "notes"), {
    recursive: true,
    filter: (path) => !path.includes(".peapod"),
  });
  return { folder: join(folder, "notes"), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Starts the server on a free port and waits until it says where it is. */
export function serve(folder) {
  return new Promise((resolve, reject) => {
    const server = spawn(process.env.PEAPOD, ["serve", folder, "--listen", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    let complained = "";
    server.stderr.on("data", (chunk) => (complained += chunk));
    server.stdout.on("data", (chunk) => {
      said += chunk;
      const address = /http:\/\/[^\s]+/.exec(said)?.[0];
      if (address) {
        resolve({
          address,
          complaints: () => complained,
          stop: () =>
            new Promise((stopped) => {
              server.once("exit", stopped);
              server.kill("SIGTERM");
            }),
        });
      }
    });
    server.once("exit", (code) => reject(new Error(`the server ended with ${code}: ${complained}`)));
  });
}

/** A browser whose reader speaks `lang`; everything that a page complains about is an error of the test. */
export async function open(lang, more = {}) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  const context = await browser.newContext({ locale: lang, viewport: { width: 1280, height: 900 }, acceptDownloads: true, ...more });
  const page = await context.newPage();
  const errors = [];
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.setDefaultTimeout(30_000);
  return { browser, context, page, errors };
}

/**
 * A site for the tests of a file: notes, a server over them, a reader with a browser; gone after the last test. `write` may
 * change the folder before the server starts.
 */
export function site(lang, more = {}, write = () => {}) {
  const site = {};
  before(async () => {
    site.notes = vault();
    write(site.notes.folder);
    site.server = await serve(site.notes.folder);
    site.reader = await open(lang, more);
  });
  after(async () => {
    await site.reader?.browser.close();
    await site.server?.stop();
    site.notes?.remove();
  });
  return site;
}
