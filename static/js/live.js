// A note that is edited in another program shows its new text here, at the place where the reader is.
import { listen } from "./stream.js";
import { bindCells } from "./cell.js";
import { startViewers } from "./viewer.js";

export function toast(text) {
  document.querySelector(".toast")?.remove();
  const box = document.createElement("div");
  box.className = "toast";
  box.setAttribute("role", "status");
  box.textContent = text;
  document.body.append(box);
  setTimeout(() => box.remove(), 3500);
}

/** The heading or cell at the top of the window, and how far it is from it. */
function anchor() {
  const marks = [...document.querySelectorAll(".prose [id]")];
  const above = marks.filter((mark) => mark.getBoundingClientRect().top <= 80);
  const mark = above.at(-1) ?? marks[0];
  return mark ? { id: mark.id, top: mark.getBoundingClientRect().top } : null;
}

export function startLive() {
  const article = document.querySelector("[data-note]");
  if (!article) return;
  let revision = article.dataset.revision;
  async function change(event) {
    revision = event.lastEventId || event.data;
    // What a reader is typing into a changed copy is not thrown away.
    if (document.activeElement?.matches("textarea")) return;
    const answer = await fetch(location.pathname);
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const place = anchor();
    for (const part of [".note-head", ".note-problems", ".prose", ".edge"]) {
      const old = document.querySelector(part);
      const fresh = page.querySelector(part);
      if (old && fresh) old.replaceWith(document.adoptNode(fresh));
      else if (old && part === ".note-problems") old.remove();
      else if (fresh && part === ".note-problems") document.querySelector(".note-head").after(document.adoptNode(fresh));
    }
    document.title = page.title;
    const mark = place && document.getElementById(place.id);
    if (mark) scrollBy({ top: mark.getBoundingClientRect().top - place.top, behavior: "instant" });
    const prose = document.querySelector(".prose");
    bindCells(prose);
    startViewers(prose);
    toast(article.dataset.changed);
  }
  listen(() => `/events?${new URLSearchParams({ note: article.dataset.note, revision })}`, {
    change,
    gone() {
      toast(article.dataset.gone);
    },
  });
}
