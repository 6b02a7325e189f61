// A timeline that is looked at instant by instant. The server draws every instant; this module only asks for it.

/** The instant at a place of the axis, between the changes that the server named; both in seconds and percent. */
export function instantAt(points, x) {
  let before = points[0];
  for (const point of points) {
    if (point[1] >= x) {
      const [t0, x0] = before;
      const [t1, x1] = point;
      return x1 > x0 ? t0 + ((t1 - t0) * (x - x0)) / (x1 - x0) : t1;
    }
    before = point;
  }
  return before[0];
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.points = JSON.parse(root.dataset.points);
    this.scrubber = root.querySelector("[data-scrub] input");
    this.asked = 0;
    this.timer = null;
    this.scrubber.closest("[data-scrub]").hidden = false;
    root.querySelector("[data-play]").hidden = false;
    root.querySelector("[data-keys]")?.removeAttribute("hidden");
    this.place(this.at());
    this.bind();
  }

  at() {
    return this.root.querySelector("[data-at]");
  }

  bind() {
    this.root.addEventListener("click", (event) => {
      const link = event.target.closest?.("a[data-instant], a[data-previous], a[data-next], a[data-tab]");
      if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
      const href = link.getAttribute("href");
      if (!href) return;
      event.preventDefault();
      this.pause();
      this.go(href);
    });
    this.root.addEventListener("change", (event) => {
      const form = event.target.closest?.("[data-chooser]");
      if (form) this.go(`${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`);
    });
    this.root.addEventListener("submit", (event) => {
      const form = event.target.closest("[data-chooser]");
      if (!form) return;
      event.preventDefault();
      this.go(`${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`);
    });
    this.scrubber.addEventListener("input", () => {
      this.pause();
      this.scrub(Number(this.scrubber.value) / 100);
    });
    this.scrubber.addEventListener("keydown", (event) => {
      const target = { ArrowLeft: "previous", ArrowDown: "previous", ArrowRight: "next", ArrowUp: "next" }[event.key];
      if (target) {
        event.preventDefault();
        this.pause();
        this.step(target);
      } else if (event.key === "Home" || event.key === "End") {
        event.preventDefault();
        this.pause();
        this.scrub(event.key === "Home" ? 0 : 100);
      } else if (event.key === " ") {
        event.preventDefault();
        this.play();
      }
    });
    // On a trial's page the claims at the top lead to instants of the timeline below.
    if (this.root.dataset.page) {
      document.querySelector(".trial-claims")?.addEventListener("click", (event) => {
        const link = event.target.closest("a[data-instant]");
        if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        this.go(link.getAttribute("href"));
      });
    }
    this.root.querySelector("[data-play]").addEventListener("click", () => this.play());
    const lanes = this.root.querySelector("[data-lanes]");
    lanes.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.target.closest("a, .who")) return;
      const x = this.x(event);
      if (x === null) return;
      event.preventDefault();
      this.pause();
      this.scrub(x);
      lanes.setPointerCapture(event.pointerId);
      const move = (moved) => {
        const x = this.x(moved);
        if (x !== null) this.scrub(x);
      };
      lanes.addEventListener("pointermove", move);
      lanes.addEventListener("pointerup", () => lanes.removeEventListener("pointermove", move), { once: true });
    });
  }

  /** Where a pointer is on the axis, in percent. */
  x(event) {
    const box = this.root.querySelector(".lane.axis svg").getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * 100;
    return x < -2 ? null : Math.min(Math.max(x, 0), 100);
  }

  scrub(x) {
    this.needle(`${x}%`);
    const t = instantAt(this.points, x);
    const query = new URLSearchParams({ t: t.toFixed(9).replace(/\.?0+$/, "") });
    if (this.root.dataset.axis === "linear") query.set("axis", "linear");
    for (const [name, value] of this.kept()) query.set(name, value);
    this.go(`${this.root.dataset.base}?${query}`);
  }

  /** What stays chosen while the instant moves. */
  kept() {
    const view = this.at().dataset.view;
    const object = this.root.querySelector("[data-chooser] select")?.value;
    return [["view", view], ...(object ? [["object", object]] : [])].filter(() => !this.root.dataset.compact);
  }

  step(target) {
    const href = this.at().dataset[target];
    if (href) this.go(href);
    return Boolean(href);
  }

  /** Shows an instant: one request at a time, and only the last one that was wanted. */
  async go(href) {
    this.wanted = href;
    if (this.busy) return;
    this.busy = true;
    while (this.wanted) {
      const href = this.wanted;
      this.wanted = null;
      await this.show(href);
    }
    this.busy = false;
  }

  async show(href) {
    const url = new URL(href, location.href);
    const query = new URLSearchParams(url.search);
    // A tick leads to its causes; everything else keeps the pane that is open.
    if (!query.has("view") && !this.root.dataset.compact) query.set("view", this.at().dataset.view);
    if (this.root.dataset.compact) query.set("compact", "1");
    let answer;
    try {
      answer = await fetch(`${url.pathname}/at?${query}`);
    } catch {
      return;
    }
    if (!answer.ok) return;
    const holder = document.createElement("template");
    holder.innerHTML = await answer.text();
    const fresh = holder.content.querySelector("[data-at]");
    const focused = this.root.contains(document.activeElement) ? document.activeElement?.dataset?.tab : null;
    this.at().replaceWith(fresh);
    if (focused) this.root.querySelector(`[data-tab="${focused}"]`)?.focus();
    this.place(fresh);
    if (this.root.dataset.page) {
      query.delete("compact");
      history.replaceState(null, "", `${url.pathname}?${query}`);
    }
    for (const link of this.root.querySelectorAll("[data-axis]")) {
      const other = new URL(link.href);
      other.searchParams.set("t", fresh.dataset.t);
      link.href = other.pathname + other.search;
    }
  }

  /** Moves the needle, the clock and the scrubber to an instant. */
  place(at) {
    this.needle(at.dataset.needle);
    this.scrubber.value = String(parseFloat(at.dataset.needle) * 100);
    this.scrubber.setAttribute("aria-valuetext", at.dataset.when);
    this.root.querySelector("output[data-clock]").textContent = at.dataset.clock;
    for (const name of ["previous", "next"]) {
      const link = this.root.querySelector(`a[data-${name}]`);
      const href = at.dataset[name];
      if (href) {
        link.setAttribute("href", href);
        link.removeAttribute("aria-disabled");
      } else {
        link.removeAttribute("href");
        link.setAttribute("aria-disabled", "true");
      }
    }
    const t = at.dataset.t;
    for (const mark of this.root.querySelectorAll("[data-lanes] a[data-instant]")) {
      if (new URLSearchParams(mark.getAttribute("href").split("?")[1]).get("t") === t) mark.setAttribute("aria-current", "true");
      else mark.removeAttribute("aria-current");
    }
  }

  needle(x) {
    const needle = this.root.querySelector("line[data-needle]");
    needle.setAttribute("x1", x);
    needle.setAttribute("x2", x);
    this.root.querySelector("[data-needle-head]").setAttribute("cx", x);
  }

  play() {
    if (this.timer) {
      this.pause();
      return;
    }
    const button = this.root.querySelector("[data-play]");
    button.textContent = "❚❚";
    button.setAttribute("aria-label", button.dataset.pauseWord);
    if (!this.at().dataset.next) this.scrub(0);
    this.timer = setInterval(() => {
      if (!this.busy && !this.step("next")) this.pause();
    }, 650);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    const button = this.root.querySelector("[data-play]");
    button.textContent = "▶";
    button.setAttribute("aria-label", button.dataset.playWord);
  }
}

export function startViewers(root) {
  for (const viewer of root.querySelectorAll("[data-viewer]")) {
    if (viewer.dataset.started) continue;
    viewer.dataset.started = "1";
    new Viewer(viewer);
  }
}
