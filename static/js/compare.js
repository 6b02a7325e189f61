// Two courses beside each other move by the instant without leaving the place; a search for a counter-example is watched.

async function page(href) {
  const answer = await fetch(href);
  if (!answer.ok) throw new Error(String(answer.status));
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function startCompare(main) {
  let busy = false;
  async function look(href) {
    if (busy) return;
    busy = true;
    try {
      const fresh = (await page(href)).querySelector("[data-compare]");
      const focused = document.activeElement;
      const key = ["data-key-left", "data-key-right"].find((name) => focused?.hasAttribute?.(name));
      main.replaceChildren(...document.adoptNode(fresh).childNodes);
      if (key) main.querySelector(`[${key}]`)?.focus();
      history.replaceState(null, "", href);
    } catch {
      location.href = href;
    } finally {
      busy = false;
    }
  }
  main.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-look], a[data-instant]");
    const href = link?.getAttribute("href");
    if (!href || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    look(href);
  });
  main.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, textarea") || event.metaKey || event.ctrlKey || event.altKey) return;
    const name = { ArrowLeft: "data-key-left", ArrowRight: "data-key-right" }[event.key];
    const href = name && main.querySelector(`[${name}]`)?.getAttribute("href");
    if (!href) return;
    event.preventDefault();
    look(href);
  });
}

function startRefute(place) {
  if (!place.querySelector("[data-going]")) return;
  const timer = setInterval(async () => {
    try {
      const answer = await fetch(place.dataset.refute);
      if (!answer.ok) return;
      const html = await answer.text();
      if (!html.includes("data-going")) {
        clearInterval(timer);
        place.innerHTML = html;
      } else {
        const holder = document.createElement("template");
        holder.innerHTML = html;
        place.querySelector(".num").textContent = holder.content.querySelector(".num").textContent;
      }
    } catch {
      // The next look may find the server again.
    }
  }, 700);
}

export function startPairs() {
  const main = document.querySelector("[data-compare]");
  if (main) startCompare(main);
  const place = document.querySelector("[data-refute]");
  if (place) startRefute(place);
}
