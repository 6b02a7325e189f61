// A session: its cells, its clock, its cluster and its console, as the server tells them; every tab sees the same.
import { Editor } from "./editor.js";
import { listen } from "./stream.js";

const room = document.querySelector("[data-room]");
const api = `/api/sessions/${room.dataset.room}`;
const isScratch = "scratch" in room.dataset;
const holder = room.querySelector("[data-cells]");
const mould = room.querySelector("[data-cell-template]");
const log = room.querySelector("[data-log]");
const words = room.querySelector("[data-words]");
const cells = new Map();
let revision = Number(room.dataset.revision);
let order = [];
let following = false;

async function ask(path, body) {
  const answer = await fetch(`${api}/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error ?? String(answer.status));
  return said;
}

async function act(action) {
  try {
    return await ask("do", action);
  } catch (error) {
    words.textContent = error instanceof TypeError ? room.dataset.offline : error.message;
    return null;
  }
}

const completion = (console) => (text, cursor) => ask("complete", { text, cursor, console });

class Cell {
  constructor(element) {
    this.element = element;
    this.id = element.dataset.roomCell;
    this.out = element.querySelector("[data-out]");
    this.count = element.querySelector("[data-count]");
    this.sent = null;
    this.editor = new Editor(element.querySelector("[data-editor]"), {
      complete: completion(false),
      changed: () => {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.send(), 500);
      },
    });
    this.sent = this.editor.value;
    this.editor.area.addEventListener("keydown", (event) => this.typed(event));
    this.editor.area.addEventListener("blur", () => {
      this.send();
      this.tip?.remove();
    });
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (button) this.press(button.dataset.do);
    });
  }

  send() {
    clearTimeout(this.timer);
    if (this.editor.value === this.sent) return;
    this.sent = this.editor.value;
    act({ do: "edit", cell: this.id, text: this.sent });
  }

  run() {
    clearTimeout(this.timer);
    this.sent = this.editor.value;
    return act({ do: "run", cell: this.id, text: this.sent });
  }

  async press(what) {
    if (what === "run") this.run();
    else if (what === "above") select(await insert(order[order.indexOf(this.id) - 1] ?? null), true);
    else if (what === "below") select(await insert(this.id), true);
    else if (what === "remove") remove(this.id);
    else if (what === "revert") {
      this.sent = null;
      act({ do: "revert", cell: this.id });
    } else act({ do: what, cell: this.id });
  }

  typed(event) {
    if (event.isComposing || event.defaultPrevented) return;
    if (event.key === "Enter" && (event.shiftKey || event.ctrlKey || event.metaKey || event.altKey)) {
      event.preventDefault();
      runKey(this, event);
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.element.focus();
    } else if (event.key === "Tab" && event.shiftKey) {
      event.preventDefault();
      this.inspect();
    }
  }

  /** What the word at the caret means. */
  async inspect() {
    const area = this.editor.area;
    // Behind `field: ` the field is meant.
    const before = area.value.slice(0, area.selectionStart).replace(/[:\s]+$/, (blank) => (blank.includes("\n") ? blank : ""));
    const cursor = [...before].length;
    const found = await ask("inspect", { text: area.value, cursor }).catch(() => null);
    this.tip?.remove();
    if (!found?.text) return;
    this.tip = document.createElement("pre");
    this.tip.className = "room-tip";
    this.tip.setAttribute("role", "status");
    this.tip.textContent = found.text;
    this.element.querySelector("[data-editor]").after(this.tip);
  }

  show(told) {
    // What is being written here is not thrown away by what another tab had.
    const writing = document.activeElement === this.editor.area && this.editor.value !== this.sent;
    if (!writing && told.text !== undefined) {
      this.editor.value = told.text;
      this.sent = told.text;
    }
    for (const status of ["idle", "queued", "running", "done", "failed", "interrupted"]) {
      this.element.classList.toggle(status, status === told.status);
    }
    this.count.textContent = told.status === "queued" || told.status === "running" ? "[*]" : told.count ? `[${told.count}]` : "[ ]";
    this.out.innerHTML = told.html;
  }
}

async function insert(after) {
  const made = await act({ do: "insert", after, text: "" });
  if (!made?.cell) return null;
  if (!cells.has(made.cell)) place(made.cell, after);
  return made.cell;
}

function place(id, after) {
  const element = mould.content.querySelector("[data-room-cell]").cloneNode(true);
  element.dataset.roomCell = id;
  const before = after ? cells.get(after)?.element.nextSibling : (order.length ? cells.get(order[0])?.element : mould);
  (cells.get(order[0])?.element.parentElement ?? holder).insertBefore(element, before ?? mould);
  cells.set(id, new Cell(element));
  order.splice(after ? order.indexOf(after) + 1 : 0, 0, id);
  number();
}

function number() {
  order.forEach((id, index) => {
    const cell = cells.get(id);
    const label = (mould.content.querySelector("[data-room-cell]").getAttribute("aria-label") ?? "").replace("0", index + 1);
    cell.element.setAttribute("aria-label", label);
    cell.editor.area.setAttribute("aria-label", label);
  });
}

function remove(id) {
  const at = order.indexOf(id);
  act({ do: "remove", cell: id });
  select(order[at + 1] ?? order[at - 1], false);
}

function select(id, editing) {
  const cell = cells.get(id);
  if (!cell) return;
  const target = editing ? cell.editor.area : cell.element;
  target.focus({ preventScroll: true });
  cell.element.scrollIntoView({ block: "nearest" });
}

async function runKey(cell, event) {
  cell.run();
  if (event.ctrlKey || event.metaKey) {
    cell.element.focus();
    return;
  }
  const next = order[order.indexOf(cell.id) + 1];
  if (isScratch && (event.altKey || !next)) select(await insert(cell.id), true);
  else if (next) select(next, false);
  else cell.element.focus();
}

// Keys of the command mode: a cell is selected, nothing is written.
let last = "";
let lastAt = 0;
room.addEventListener("keydown", async (event) => {
  const cell = cells.get(event.target.dataset?.roomCell);
  if (!cell || event.isComposing) return;
  if (event.key === "Enter") {
    event.preventDefault();
    if (event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) runKey(cell, event);
    else cell.editor.area.focus();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  const twice = key === last && performance.now() - lastAt < 700;
  last = twice ? "" : key;
  lastAt = performance.now();
  const at = order.indexOf(cell.id);
  if (key === "arrowdown" || key === "j") select(order[at + 1], false);
  else if (key === "arrowup" || key === "k") select(order[at - 1], false);
  else if (key === "a" && isScratch) select(await insert(order[at - 1] ?? null), false);
  else if (key === "b" && isScratch) select(await insert(cell.id), false);
  else if (key === "d" && isScratch) {
    if (twice) remove(cell.id);
  } else if (key === "0") {
    if (twice) act({ do: "restart" });
  } else if (key === "i") {
    if (twice) act({ do: "interrupt" });
  } else return;
  event.preventDefault();
});

for (const button of room.querySelectorAll(".room-buttons [data-do]")) {
  button.addEventListener("click", () => act({ do: button.dataset.do }));
}
for (const button of room.querySelectorAll("[data-type]")) {
  button.addEventListener("click", () => act({ do: "type", text: button.dataset.type }));
}
room.querySelector("[data-advance]").addEventListener("submit", (event) => {
  event.preventDefault();
  const span = event.target.elements.seconds.value.trim();
  act({ do: "type", text: `%advance ${/^\d+(\.\d+)?$/.test(span) ? `${span}s` : span}` });
});
const follow = room.querySelector("[data-follow]");
follow.addEventListener("submit", (event) => {
  event.preventDefault();
  act(following ? { do: "pause" } : { do: "follow", speed: Number(follow.elements.speed.value) });
});
follow.elements.speed.addEventListener("change", () => {
  if (following) act({ do: "follow", speed: Number(follow.elements.speed.value) });
});
room.querySelector("[data-cluster]").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target.elements;
  act({ do: "restart", cluster: { kubernetes: form.kubernetes.value, nodes: Number(form.nodes.value), seed: Number(form.seed.value) } });
});
const title = room.querySelector("input[data-title]");
title?.addEventListener("change", () => act({ do: "rename", title: title.value }));

// The console.
const prompt = room.querySelector("[data-prompt]");
const line = prompt.elements.line;
let back = 0;
let draft = "";
const typed = () => [...log.querySelectorAll("[data-line] > b")].map((b) => b.textContent);
const choices = document.createElement("ul");
choices.className = "editor-list room-choices";
choices.hidden = true;
prompt.append(choices);
prompt.addEventListener("submit", (event) => {
  event.preventDefault();
  choices.hidden = true;
  if (!line.value.trim()) return;
  act({ do: "type", text: line.value });
  line.value = "";
  back = 0;
});
line.addEventListener("keydown", async (event) => {
  if (event.isComposing) return;
  if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    event.preventDefault();
    const all = typed();
    if (back === 0) draft = line.value;
    back = Math.min(Math.max(back + (event.key === "ArrowUp" ? 1 : -1), 0), all.length);
    line.value = back ? all[all.length - back] : draft;
  } else if (event.key === "Tab" && !event.shiftKey && line.value.trim()) {
    event.preventDefault();
    const before = line.value;
    const cursor = [...before.slice(0, line.selectionStart)].length;
    const found = await completion(true)(before, cursor).catch(() => null);
    if (!found || line.value !== before || !found.matches.length) return;
    const all = found.matches.map((match) => match.text);
    let common = all[0];
    for (const text of all) while (!text.startsWith(common)) common = common.slice(0, -1);
    const characters = [...before];
    const rest = characters.slice(found.end).join("");
    line.value = characters.slice(0, found.start).join("") + common + (all.length === 1 && !common.endsWith("/") && !common.endsWith("=") ? " " : "") + rest;
    line.setSelectionRange(line.value.length - rest.length, line.value.length - rest.length);
    choices.hidden = all.length === 1;
    choices.replaceChildren(
      ...all.slice(0, 40).map((text) => {
        const item = document.createElement("li");
        item.textContent = text;
        return item;
      }),
    );
  } else if (event.key === "Escape") {
    choices.hidden = true;
  } else if (event.key === "c" && event.ctrlKey && line.selectionStart === line.selectionEnd) {
    act({ do: "interrupt" });
  } else {
    choices.hidden = true;
  }
});

for (const element of holder.querySelectorAll("[data-room-cell]")) {
  const cell = new Cell(element);
  cells.set(cell.id, cell);
  order.push(cell.id);
}
room.querySelector("[data-keys]").hidden = false;
log.scrollTop = log.scrollHeight;

const seen = (event) => {
  revision = Math.max(revision, Number(event.lastEventId) || 0);
  return JSON.parse(event.data);
};
listen(() => `${api}/events?since=${revision}`, {
  open() {
    // A stream that is opened anew tells the clock first if it differs; what was said about the server is over.
    if (words.textContent === room.dataset.offline) words.textContent = "";
  },
  error() {
    words.textContent = room.dataset.offline;
  },
  order(event) {
    const told = seen(event);
    const wanted = told.cells.map((cell) => cell.id);
    for (const id of order.filter((id) => !wanted.includes(id))) {
      cells.get(id).element.remove();
      cells.delete(id);
      order = order.filter((known) => known !== id);
    }
    if (!isScratch && wanted.some((id) => !cells.has(id))) {
      // The note has new cells, and new text around them.
      location.reload();
      return;
    }
    wanted.forEach((id, index) => {
      if (!cells.has(id)) place(id, wanted[index - 1] ?? null);
    });
    for (const { id, stale, edited, ran } of told.cells) {
      const element = cells.get(id).element;
      element.classList.toggle("stale", stale);
      element.classList.toggle("edited", edited);
      element.classList.toggle("ran", ran);
    }
    const again = room.querySelector('[data-do="runStale"]');
    again.disabled = told.stale === 0;
    room.querySelector("[data-stale]").textContent = told.stale || "";
    if (title && document.activeElement !== title) title.value = told.title;
  },
  cell(event) {
    const told = seen(event);
    cells.get(told.id)?.show(told);
  },
  console(event) {
    const told = seen(event);
    for (const old of log.querySelectorAll("[data-line]")) {
      if (told.first === 0 || Number(old.dataset.line) < told.first) old.remove();
    }
    for (const one of told.lines) {
      let row = log.querySelector(`[data-line="${one.n}"]`);
      if (!row) {
        row = document.createElement("div");
        row.dataset.line = one.n;
        log.append(row);
      }
      row.className = `room-line ${one.status}`;
      row.innerHTML = one.html;
      const typed = document.createElement("b");
      typed.textContent = one.text;
      row.prepend(typed);
    }
    if (told.lines.length) log.scrollTop = log.scrollHeight;
  },
  clock(event) {
    const told = seen(event);
    room.querySelector("[data-clock]").textContent = told.clock;
    words.textContent = told.words;
    room.classList.toggle("busy", told.busy);
    following = told.speed !== null;
    if (following && ![...follow.elements.speed.options].some((option) => Number(option.value) === told.speed)) {
      follow.elements.speed.add(new Option(String(told.speed), String(told.speed)));
    }
    if (following) follow.elements.speed.value = String(told.speed);
    const button = room.querySelector("[data-follow-button]");
    button.textContent = following ? button.dataset.stop : button.dataset.start;
  },
  cluster(event) {
    room.querySelector("[data-cluster-picture]").innerHTML = seen(event).html;
  },
  over() {
    location.href = "/sessions";
  },
});

// Who types or presses a key may be sure from now on.
room.dataset.ready = "";
