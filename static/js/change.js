// Try a change: the editor of a cell, with what is wrong at its line, drafts that outlive the page, and links that hold
// the change themselves.

async function ask(path, body) {
  const answer = await fetch(`/api/cells/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return answer.ok ? answer.json() : null;
}

async function packed(text) {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

async function unpacked(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const whole = await new Response(stream).text();
  return whole.length <= 1 << 20 ? whole : null;
}

class Change {
  constructor(details, Editor) {
    this.form = details.querySelector("form");
    this.said = details.querySelector("[data-said]");
    this.own = details.querySelector("[data-own]").content.textContent;
    this.fields = { note: this.form.elements.note.value, cell: this.form.elements.cell.value };
    this.place = `peapod-draft:${this.fields.note}#${this.fields.cell}`;
    this.asked = 0;
    this.editor = new Editor(details.querySelector("[data-editor]"), {
      complete: (text, cursor) => ask("complete", { text, cursor }),
      changed: () => {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.look(), 350);
      },
    });
    const back = details.querySelector("[data-change-back]");
    back.hidden = false;
    back.addEventListener("click", () => {
      this.editor.value = this.own;
      this.look();
    });
    const link = details.querySelector("[data-change-link]");
    link.hidden = !("CompressionStream" in window && navigator.clipboard);
    link.addEventListener("click", () => this.copyLink(link));
    this.said.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.go(Number(button.dataset.line), Number(button.dataset.column));
    });
  }

  /** Takes up a draft, unless the page brought another text. */
  begin() {
    const draft = this.stored();
    if (draft && this.editor.value.trimEnd() === this.own.trimEnd()) this.editor.value = draft;
    this.look();
  }

  stored() {
    try {
      return localStorage.getItem(this.place);
    } catch {
      return null;
    }
  }

  keep(text) {
    try {
      if (text === null) localStorage.removeItem(this.place);
      else localStorage.setItem(this.place, text);
    } catch {
      // Without a place for drafts they last as long as the page.
    }
  }

  /** Says what is wrong with the text as it is. */
  async look() {
    const text = this.editor.value;
    const same = text.trimEnd() === this.own.trimEnd();
    this.keep(same ? null : text);
    const asked = ++this.asked;
    const found = await ask("read", { ...this.fields, source: text }).catch(() => null);
    if (!found || asked !== this.asked) return;
    this.editor.mark(found.problems.filter((problem) => problem.line > 0 && problem.severity !== "notice"));
    const list = document.createElement("ul");
    for (const problem of found.problems) {
      const item = document.createElement("li");
      item.className = problem.severity;
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.line = problem.line;
      button.dataset.column = problem.column;
      const word = document.createElement("b");
      word.textContent = problem.line ? `${problem.word} ${problem.line}:${problem.column} ` : `${problem.word} `;
      button.append(word, problem.message);
      item.append(button);
      for (const hint of problem.hints) {
        const small = document.createElement("span");
        small.className = "hint";
        small.textContent = hint;
        item.append(small);
      }
      list.append(item);
    }
    this.said.replaceChildren();
    if (found.problems.length) this.said.append(list);
    else this.said.textContent = same ? this.said.dataset.nothing : this.said.dataset.fine.replace("0", found.trials);
  }

  /** Puts the caret at a place of the text. */
  go(line, column) {
    const lines = this.editor.value.split("\n");
    if (!line) return;
    const before = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    const at = before + [...(lines[line - 1] ?? "")].slice(0, column - 1).join("").length;
    this.editor.area.focus();
    this.editor.area.setSelectionRange(at, at);
  }

  async copyLink(button) {
    const address = new URL(location.pathname, location.href);
    address.hash = `try=${encodeURIComponent(this.fields.cell)}=${await packed(this.editor.value)}`;
    await navigator.clipboard.writeText(address.href);
    this.said.textContent = button.dataset.copied;
  }
}

const changes = new WeakMap();

async function open(details) {
  if (changes.has(details)) return changes.get(details);
  const made = import("./editor.js").then(({ Editor }) => new Change(details, Editor));
  changes.set(details, made);
  const change = await made;
  change.begin();
  return change;
}

/** The editors of a part of the page; each is made when it is first opened. */
export function startChanges(root) {
  for (const details of root.querySelectorAll("[data-change]")) {
    if (details.open) open(details);
    details.addEventListener("toggle", () => details.open && open(details));
  }
}

/** Opens what a link holds. */
export async function openLink() {
  const found = /^#try=([^=]*)=([\w-]+)$/.exec(location.hash);
  if (!found) return;
  const cell = document.getElementById(`cell-${decodeURIComponent(found[1])}`);
  const details = cell?.querySelector("[data-change]");
  const text = details && (await unpacked(found[2]).catch(() => null));
  if (!text) return;
  details.open = true;
  const change = await open(details);
  change.editor.value = text;
  change.look();
  cell.scrollIntoView();
}
