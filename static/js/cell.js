// Run buttons: the run starts, its progress shows in the cell, its result takes the place of the old one.
import { listen } from "./stream.js";
import { startChanges } from "./change.js";
import { startViewers } from "./viewer.js";

/** Keeps what the reader predicts; `true` when it is kept. */
async function predict(form) {
  const place = form.closest("[data-prediction]");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { accept: "application/json" },
      body: new URLSearchParams(new FormData(form)),
    });
    if (!answer.ok) return false;
    const holder = document.createElement("template");
    holder.innerHTML = (await answer.json()).html;
    const fresh = holder.content.querySelector("[data-prediction]");
    place.replaceWith(fresh);
    bind(fresh);
    fresh.querySelector("summary, input:not([type=hidden])")?.focus();
    return true;
  } catch {
    return false;
  }
}

/** Whether a form of a prediction says something that is not kept yet. */
function isDirty(form) {
  return [...form.elements].some((field) =>
    field.type === "radio" ? field.checked !== field.defaultChecked : field.name && field.value !== field.defaultValue,
  );
}

async function start(form) {
  const cell = form.closest("[data-cell]");
  const prediction = cell.querySelector("form[data-predict]");
  // What was written but not kept counts too: the run would make it too late. A changed copy answers nothing.
  if (prediction && isDirty(prediction) && !form.elements.source) await predict(prediction);
  const problems = cell.querySelector("[data-problems]");
  for (const button of cell.querySelectorAll("[data-run] button")) button.disabled = true;
  problems.hidden = true;
  let started;
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { accept: "application/json" },
      body: new URLSearchParams(new FormData(form)),
    });
    if (answer.status === 422) {
      problems.innerHTML = (await answer.json()).problems;
      problems.hidden = false;
    } else if (answer.ok) {
      started = await answer.json();
    } else {
      form.submit();
      return;
    }
  } catch {
    // The server is away: the ordinary form shows what the browser has to say about it.
    form.submit();
    return;
  }
  if (started) follow(cell, started.href);
  else enable(cell);
}

function enable(cell) {
  for (const button of cell.querySelectorAll("[data-run] button")) button.disabled = false;
}

/** Shows how far a run is until it ends. `place` is a cell, or the part of a run's page that is live. */
export function follow(place, href) {
  const live = place.matches("[data-live]") ? place : place.querySelector("[data-live]");
  const bar = live.querySelector("progress");
  const count = live.querySelector("[data-count]");
  const word = live.querySelector("[data-word]");
  const cancel = live.querySelector("[data-cancel]");
  cancel.action = `${href}/cancel`;
  live.hidden = false;
  bar.removeAttribute("value");
  count.textContent = "";
  function progress(event) {
    const tick = JSON.parse(event.data);
    bar.max = Math.max(tick.total, 1);
    bar.value = tick.done;
    count.textContent = `${tick.done}/${tick.total}`;
    word.className = `status ${tick.status}`;
  }
  const stop = listen(() => `${href}/events`, {
    progress,
    async end(event) {
      progress(event);
      stop();
      if (live.dataset.reload) {
        location.reload();
        return;
      }
      await show(place, href);
      live.hidden = true;
      enable(place);
    },
  });
}

async function show(cell, href) {
  const result = cell.querySelector("[data-result]");
  const answer = await fetch(`${href}/result`);
  if (!answer.ok) {
    location.href = href;
    return;
  }
  result.innerHTML = await answer.text();
  result.dataset.shown = href;
  startViewers(result);
  // Verdicts in the sentences, the count of the history: the rest of the page follows.
  const page = await fetch(location.pathname);
  if (page.ok) refresh(new DOMParser().parseFromString(await page.text(), "text/html"), cell);
}

/** Takes over from a newer page what a run changes outside its result. */
function refresh(page, cell) {
  const fresh = page.getElementById(cell.id);
  for (const part of [".cell-meta", ".cell-actions", "[data-prediction]"]) {
    const old = cell.querySelector(part);
    const now = fresh?.querySelector(part);
    if (old && now) old.replaceWith(document.adoptNode(now));
    else if (old && fresh && part === "[data-prediction]") old.remove();
  }
  bind(cell);
  const edge = document.querySelector(".cell-links");
  const freshEdge = page.querySelector(".cell-links");
  if (edge && freshEdge) edge.replaceWith(document.adoptNode(freshEdge));
  const verdicts = (root) => [...root.querySelectorAll(".prose .verdict")].filter((v) => !v.closest("[data-cell]"));
  const [old, now] = [verdicts(document), verdicts(page)];
  if (old.length === now.length) old.forEach((verdict, index) => verdict.replaceWith(document.adoptNode(now[index])));
}

function bind(root) {
  for (const form of root.querySelectorAll("[data-run]")) {
    if (form.dataset.bound) continue;
    form.dataset.bound = "1";
    form.addEventListener("submit", (event) => {
      // A copy to be downloaded goes the ordinary way.
      if (event.submitter?.hasAttribute("formaction")) return;
      event.preventDefault();
      start(form);
    });
  }
  for (const form of root.querySelectorAll("form[data-predict]")) {
    if (form.dataset.bound) continue;
    form.dataset.bound = "1";
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!(await predict(form))) form.submit();
    });
  }
  for (const form of root.querySelectorAll("[data-cancel]")) {
    if (form.dataset.bound) continue;
    form.dataset.bound = "1";
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      fetch(form.action, { method: "POST" });
    });
  }
}

/** The cell that is nearest to the middle of the window. */
function nearest() {
  const middle = innerHeight / 2;
  const distance = (cell) => {
    const box = cell.getBoundingClientRect();
    return box.top <= middle && box.bottom >= middle ? 0 : Math.min(Math.abs(box.top - middle), Math.abs(box.bottom - middle));
  };
  return [...document.querySelectorAll("[data-cell]")].sort((a, b) => distance(a) - distance(b))[0];
}

/** Binds the cells of a part of the page. */
export function bindCells(root) {
  bind(root);
  startChanges(root);
  for (const live of root.querySelectorAll("[data-live][data-going]")) {
    follow(live.closest("[data-cell]") ?? live, live.dataset.going);
  }
}

export function startCells(mac) {
  bindCells(document);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(mac ? event.metaKey : event.ctrlKey)) return;
    const here = document.activeElement?.closest("[data-cell]") ?? nearest();
    const area = document.activeElement?.closest("textarea");
    const form = area?.form ?? here?.querySelector("[data-run]");
    if (form) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
}
