// Opens a note by a part of its name: Ctrl/⌘-O.

const SHOWN = 30;

/** The place of `query` in `name` as a rank, smaller is better; -1 when its letters are not all there in order. */
export function rank(name, query) {
  const text = name.toLowerCase();
  const wanted = query.toLowerCase().trim();
  if (!wanted) return 0;
  const at = text.indexOf(wanted);
  if (at === 0) return 0;
  if (at > 0) return /[\s/-]/.test(text[at - 1]) ? 1 : 2;
  let from = 0;
  for (const letter of wanted.replace(/\s+/g, "")) {
    from = text.indexOf(letter, from) + 1;
    if (from === 0) return -1;
  }
  return 3;
}

export function startSwitcher(mac) {
  const dialog = document.querySelector("[data-switcher]");
  if (!dialog) return;
  const input = dialog.querySelector("input");
  const list = dialog.querySelector("ul");
  let names = null;
  let shown = [];
  let chosen = 0;

  function draw() {
    const query = input.value;
    shown = (names ?? [])
      .map((name) => ({ name, rank: Math.min(...[name.t, ...name.a].map((text) => rank(text, query)).filter((r) => r >= 0)) }))
      .filter((entry) => Number.isFinite(entry.rank))
      .sort((a, b) => a.rank - b.rank || a.name.l - b.name.l || a.name.t.length - b.name.t.length)
      .slice(0, SHOWN);
    chosen = Math.min(chosen, Math.max(shown.length - 1, 0));
    list.replaceChildren(
      ...shown.map((entry, index) => {
        const item = document.createElement("li");
        item.id = `switcher-${index}`;
        item.setAttribute("role", "option");
        item.setAttribute("aria-selected", String(index === chosen));
        const title = document.createElement("span");
        title.textContent = entry.name.t;
        item.append(title);
        if (entry.name.l) {
          const mark = document.createElement("small");
          mark.className = "quiet";
          mark.textContent = list.dataset.library;
          item.append(mark);
        }
        item.addEventListener("click", () => open(index));
        return item;
      }),
    );
    if (shown.length) input.setAttribute("aria-activedescendant", `switcher-${chosen}`);
    else input.removeAttribute("aria-activedescendant");
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
  }

  function open(index) {
    const entry = shown[index];
    if (entry) location.href = entry.name.h;
    else if (input.value.trim()) location.href = `/search?q=${encodeURIComponent(input.value.trim())}`;
  }

  async function show() {
    dialog.showModal();
    input.select();
    if (!names) {
      try {
        const answer = await fetch("/quick.json");
        names = answer.ok ? await answer.json() : [];
      } catch {
        names = null;
      }
    }
    draw();
  }

  input.addEventListener("input", () => {
    chosen = 0;
    draw();
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      chosen = (chosen + step + shown.length) % Math.max(shown.length, 1);
      draw();
    } else if (event.key === "Enter") {
      event.preventDefault();
      open(chosen);
    }
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  document.addEventListener("keydown", (event) => {
    if ((mac ? event.metaKey : event.ctrlKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "o") {
      event.preventDefault();
      if (!dialog.open) show();
    }
  });
}
