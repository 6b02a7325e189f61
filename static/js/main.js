// What every page has. Pages can be read without any of this.
import { startSwitcher } from "./switcher.js";
import { startCells } from "./cell.js";
import { openLink } from "./change.js";
import { startPairs } from "./compare.js";
import { startViewers } from "./viewer.js";
import { startLive } from "./live.js";
import { startOutline } from "./outline.js";

const mac = /Mac|iPhone|iPad/.test(navigator.platform);
for (const key of document.querySelectorAll("[data-key]")) {
  key.textContent = mac ? `⌘${key.dataset.key === "Enter" ? "↵" : key.dataset.key}` : `Ctrl ${key.dataset.key}`;
}

// Settings lead back to the page from which they were opened.
for (const link of document.querySelectorAll("[data-settings]")) {
  if (location.pathname !== "/settings") {
    link.href = `/settings?back=${encodeURIComponent(location.pathname + location.search + location.hash)}`;
  }
}

function search() {
  const box = document.querySelector("[data-search]");
  if (box && box.offsetParent !== null) {
    box.focus();
    box.select();
  } else {
    location.href = "/search";
  }
}

document.addEventListener("keydown", (event) => {
  if (!(mac ? event.metaKey : event.ctrlKey) || event.altKey) return;
  const key = event.key.toLowerCase();
  if ((key === "k" && !event.shiftKey) || (key === "f" && event.shiftKey)) {
    event.preventDefault();
    search();
  }
});

startSwitcher(mac);
startCells(mac);
startViewers(document);
startLive();
openLink();
startPairs();
startOutline();
