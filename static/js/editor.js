// A text area that paints what is written in it: colors under the text, marks where something is wrong, words that could
// come next. The text area stays what it is, so that every keyboard, input method and screen reader works as elsewhere.

const KEYWORDS = /^(true|false|null|~|yes|no)$/;

/** Pieces of a line of YAML: `[class or "", text]`. */
export function yamlPieces(line) {
  const pieces = [];
  const head = /^(\s*(?:- +)*-?\s*)(.*)$/.exec(line) ?? ["", "", line];
  const dash = head[1];
  let rest = head[2];
  if (dash) pieces.push([dash.includes("-") ? "punct" : "", dash]);
  const key = /^((?:"[^"]*"|'[^']*'|[^\s#:{}[\],&*!|>'"%@`][^#:]*?))(\s*:)(?=\s|$)/.exec(rest);
  if (key) {
    pieces.push(["key", key[1]], ["punct", key[2]]);
    rest = rest.slice(key[0].length);
  }
  const token = /(\s#.*|^#.*)|("(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?)|(\{\{.*?\}\})|([A-Za-z_][\w./-]*)(\s*:)(?=\s)|([[\]{},|>&*!]+)|([^\s[\]{},]+)|(\s+)/g;
  let found;
  while ((found = token.exec(rest))) {
    const [text, comment, string, template, inner, colon, punct, word] = found;
    if (comment) pieces.push(["comment", text]);
    else if (string) pieces.push(["string", text]);
    else if (template) pieces.push(["template", text]);
    else if (inner) pieces.push(["key", inner], ["punct", colon]);
    else if (punct) pieces.push(["punct", text]);
    else if (word) pieces.push([/^-?\d[\d.]*(ms|s|m|h|Mi|Gi|Ki|Ti|k|M|G)?$/.test(text) ? "number" : KEYWORDS.test(text) ? "keyword" : "", text]);
    else pieces.push(["", text]);
  }
  return pieces;
}

/** Pieces of a line that is typed, or of what it is expected to print. */
export function shellPieces(line) {
  if (/^\s*#/.test(line)) return [["comment", line]];
  const head = /^(\s*)(\$ |%%?\w+)?(.*)$/.exec(line);
  if (!head[2] && !/^\s*kubectl\b/.test(line)) return [["printed", line]];
  const pieces = [["", head[1]]];
  if (head[2]) pieces.push(["keyword", head[2]]);
  const token = /("(?:[^"\\]|\\.)*"?|'[^']*'?)|(\s--?[\w-]+=?)|(\bkubectl\b)|([^\s"']+|\s)/g;
  let found;
  while ((found = token.exec(head[3]))) pieces.push([found[1] ? "string" : found[2] ? "number" : found[3] ? "key" : "", found[0]]);
  return pieces;
}

let serial = 0;

export class Editor {
  /**
   * `root` holds the text area. `complete(text, cursor)` gives `{start, end, matches: [{text, kind}]}` in characters;
   * `changed` is told of each change.
   */
  constructor(root, { complete = null, changed = () => {} } = {}) {
    this.root = root;
    this.area = root.querySelector("textarea");
    this.complete = complete;
    this.changed = changed;
    this.problems = [];
    this.matches = [];
    this.chosen = 0;
    this.asked = 0;
    this.paper = document.createElement("pre");
    this.paper.className = "editor-paint";
    this.paper.setAttribute("aria-hidden", "true");
    this.list = document.createElement("ul");
    this.list.className = "editor-list";
    this.list.id = `editor-list-${++serial}`;
    this.list.setAttribute("role", "listbox");
    this.list.hidden = true;
    root.prepend(this.paper);
    root.append(this.list);
    root.classList.add("painted");
    this.area.setAttribute("aria-controls", this.list.id);
    this.area.setAttribute("aria-autocomplete", "list");
    this.area.addEventListener("input", (event) => {
      this.paint();
      this.changed(this.area.value);
      if (event.isComposing) return;
      clearTimeout(this.timer);
      this.hide();
      if (event.inputType === "insertText" && /[\w%./:-]|\s/.test(event.data ?? "")) {
        this.timer = setTimeout(() => this.ask(false), 160);
      }
    });
    this.area.addEventListener("scroll", () => this.align());
    this.area.addEventListener("keydown", (event) => this.key(event));
    this.area.addEventListener("blur", () => this.hide());
    this.list.addEventListener("pointerdown", (event) => {
      const item = event.target.closest("li");
      if (!item) return;
      event.preventDefault();
      this.accept([...this.list.children].indexOf(item));
    });
    this.paint();
  }

  get value() {
    return this.area.value;
  }

  set value(text) {
    if (this.area.value === text) return;
    const at = this.area.selectionStart;
    this.area.value = text;
    this.area.setSelectionRange(Math.min(at, text.length), Math.min(at, text.length));
    this.paint();
  }

  /** Places where something is wrong: `{line, column, length, message}`, lines and columns from 1. */
  mark(problems) {
    this.problems = problems;
    this.paint();
  }

  paint() {
    const text = this.area.value;
    const lines = text.split("\n");
    const typed = lines.find((line) => line.trim() && !line.trim().startsWith("#")) ?? "";
    const isShell = /^\s*(\$|%|kubectl\b)/.test(typed) && !/^\s*%%(yaml|apply|experiment)/.test(typed);
    const fragment = document.createDocumentFragment();
    lines.forEach((line, index) => {
      const wrong = this.problems.filter((problem) => problem.line === index + 1);
      const row = document.createElement("span");
      if (wrong.length) row.className = "wrong-line";
      let column = 1;
      for (const [kind, piece] of isShell ? shellPieces(line) : yamlPieces(line)) {
        for (const [part, isWrong] of cut(piece, column, wrong)) {
          const span = document.createElement("span");
          span.className = `${kind ? `c-${kind}` : ""}${isWrong ? " wrong" : ""}`;
          span.textContent = part;
          row.append(span);
        }
        column += [...piece].length;
      }
      if (wrong.length && wrong.every((problem) => problem.column >= column)) {
        const span = document.createElement("span");
        span.className = "wrong";
        span.textContent = " ";
        row.append(span);
      }
      row.append("\n");
      fragment.append(row);
    });
    this.paper.replaceChildren(fragment);
    this.area.rows = Math.min(Math.max(lines.length, 1), 40);
    this.align();
  }

  align() {
    this.paper.scrollTop = this.area.scrollTop;
    this.paper.scrollLeft = this.area.scrollLeft;
  }

  key(event) {
    if (event.isComposing) return;
    if (!this.list.hidden) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        event.preventDefault();
        this.choose((this.chosen + step + this.matches.length) % this.matches.length);
        return;
      }
      if ((event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.metaKey) || (event.key === "Tab" && !event.shiftKey)) {
        event.preventDefault();
        this.accept(this.chosen);
        return;
      }
      if (event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        this.hide();
        return;
      }
    }
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      this.ask(true);
    } else if (event.key === "Tab" && !event.shiftKey && !event.altKey && !this.leaving) {
      event.preventDefault();
      const before = this.area.value.slice(0, this.area.selectionStart);
      const word = /[\w./%-]+$/.exec(before);
      if (word && this.complete) this.ask(true);
      else this.insert("  ");
    } else if (event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      const line = this.area.value.slice(0, this.area.selectionStart).split("\n").at(-1);
      const blank = /^\s*/.exec(line)[0];
      const deeper = /:\s*[|>]?-?\s*$/.test(line) && !/^\s*(\$|%|#)/.test(line) ? (/^\s*- /.test(line) ? "    " : "  ") : "";
      this.insert(`\n${blank}${deeper}`);
    }
    // Escape, then Tab, leaves the editor.
    this.leaving = event.key === "Escape";
  }

  /** Writes as the keyboard does, so that it can be undone. */
  insert(text) {
    if (!document.execCommand("insertText", false, text)) {
      this.area.setRangeText(text, this.area.selectionStart, this.area.selectionEnd, "end");
      this.area.dispatchEvent(new InputEvent("input"));
    }
  }

  async ask(wanted) {
    if (!this.complete) return;
    const [text, at] = [this.area.value, this.area.selectionStart];
    const asked = ++this.asked;
    let found;
    try {
      found = await this.complete(text, [...text.slice(0, at)].length);
    } catch {
      return;
    }
    if (asked !== this.asked || this.area.value !== text || document.activeElement !== this.area || !found) return;
    const written = [...text].slice(found.start, found.end).join("");
    this.found = found;
    this.matches = found.matches.filter((match) => match.text !== written).slice(0, 60);
    // Unasked, only where a word was begun.
    if (!this.matches.length || (!wanted && !written)) return this.hide();
    if (wanted && this.matches.length === 1) return this.accept(0);
    this.list.replaceChildren(
      ...this.matches.map((match, index) => {
        const item = document.createElement("li");
        item.id = `${this.list.id}-${index}`;
        item.setAttribute("role", "option");
        const word = document.createElement("span");
        word.textContent = match.text;
        const kind = document.createElement("small");
        kind.textContent = match.more ?? match.kind ?? "";
        item.append(word, kind);
        return item;
      }),
    );
    this.list.hidden = false;
    this.place(at);
    this.choose(0);
  }

  /** Puts the list under the caret. */
  place(at) {
    const walker = document.createTreeWalker(this.paper, NodeFilter.SHOW_TEXT);
    let left = at;
    let node;
    while ((node = walker.nextNode())) {
      if (left <= node.length) break;
      left -= node.length;
    }
    if (!node) return;
    const range = document.createRange();
    range.setStart(node, left);
    range.setEnd(node, left);
    let box = range.getBoundingClientRect();
    if (!box.height) box = node.parentElement.getBoundingClientRect();
    const own = this.root.getBoundingClientRect();
    const x = Math.max(0, Math.min(box.left - own.left, own.width - 220));
    this.list.style.left = `${x}px`;
    this.list.style.top = `${box.bottom - own.top + 4}px`;
  }

  choose(index) {
    this.chosen = index;
    [...this.list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === index)));
    this.area.setAttribute("aria-activedescendant", `${this.list.id}-${index}`);
    this.list.children[index]?.scrollIntoView({ block: "nearest" });
  }

  accept(index) {
    const match = this.matches[index];
    if (!match) return;
    const characters = [...this.area.value];
    const start = characters.slice(0, this.found.start).join("").length;
    const end = characters.slice(0, this.found.end).join("").length;
    this.area.focus();
    this.area.setSelectionRange(start, end);
    this.insert(match.insert ?? match.text);
    this.hide();
  }

  hide() {
    this.list.hidden = true;
    this.area.removeAttribute("aria-activedescendant");
  }
}

/** A piece that begins at a column, cut where something is wrong. */
function cut(piece, column, wrong) {
  if (!wrong.length) return [[piece, false]];
  const parts = [];
  [...piece].forEach((character, index) => {
    const at = column + index;
    const is = wrong.some((problem) => at >= problem.column && at < problem.column + Math.max(problem.length, 1));
    if (parts.length && parts.at(-1)[1] === is) parts.at(-1)[0] += character;
    else parts.push([character, is]);
  });
  return parts;
}
