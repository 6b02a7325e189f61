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
    this.timeline = root.querySelector("[data-timeline]");
    this.points = JSON.parse((this.timeline ?? root).dataset.points);
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
      const place = event.target.closest?.("a[data-window]");
      if (place && !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0) {
        event.preventDefault();
        const href = place.getAttribute("href");
        if (href) this.frame(new URL(href, location.href).searchParams, place.dataset.window + (place.dataset.kind ?? ""));
        return;
      }
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
    this.root.addEventListener("input", (event) => {
      const form = event.target.closest?.("[data-filter]");
      if (!form) return;
      clearTimeout(this.filtering);
      this.filtering = setTimeout(() => this.filter(form), 200);
    });
    this.root.addEventListener("submit", (event) => {
      const filter = event.target.closest("[data-filter]");
      if (filter) {
        event.preventDefault();
        clearTimeout(this.filtering);
        this.filter(filter);
        return;
      }
      const form = event.target.closest("[data-chooser], [data-console]");
      if (!form) return;
      event.preventDefault();
      this.remember(form);
      this.go(`${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`);
    });
    this.scrubber.addEventListener("input", () => {
      this.pause();
      this.scrub(Number(this.scrubber.value) / 100);
    });
    this.scrubber.addEventListener("keydown", (event) => {
      const target = { ArrowLeft: "previous", ArrowDown: "previous", ArrowRight: "next", ArrowUp: "next" }[event.key];
      const window = { "+": "nearer", "=": "nearer", "-": "farther", "0": "whole" }[event.key] ?? (event.shiftKey && { ArrowLeft: "left", ArrowRight: "right" }[event.key]);
      if (window && this.timeline) {
        event.preventDefault();
        this.timeline.querySelector(`a[data-window="${window}"]`)?.click();
      } else if (target) {
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
    this.root.addEventListener("keydown", (event) => this.recall(event));
    this.bindLanes();
  }

  /** What has to be bound again when the lanes are drawn anew. */
  bindLanes() {
    this.root.querySelector("[data-play]").addEventListener("click", () => this.play());
    const lanes = this.root.querySelector("[data-lanes]");
    if (this.timeline) {
      lanes.addEventListener(
        "wheel",
        (event) => {
          const pans = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
          if (!event.ctrlKey && !event.metaKey && !pans) return;
          const x = this.x(event);
          if (x === null) return;
          event.preventDefault();
          const by = (event.deltaX || event.deltaY) / 10;
          if (pans) this.look(by, 100 + by);
          else {
            const factor = Math.exp(event.deltaY / 300);
            this.look(x - x * factor, x + (100 - x) * factor);
          }
        },
        { passive: false },
      );
    }
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

  /** Draws the window between two places of this one, in percent; outside of it time is taken to go on evenly. */
  look(left, right) {
    const [from, to, end] = ["from", "to", "end"].map((name) => Number(this.timeline.dataset[name]));
    const span = to - from;
    const at = (x) => (x < 0 ? from + (span * x) / 100 : x > 100 ? to + (span * (x - 100)) / 100 : instantAt(this.points, x));
    let [a, b] = [at(left), at(right)];
    if (a < 0) [a, b] = [0, Math.min(b - a, end)];
    if (b > end) [a, b] = [Math.max(a - (b - end), 0), end];
    if (b - a < 0.002) return;
    const query = new URLSearchParams(location.search);
    query.set("from", a.toFixed(6));
    query.set("to", b.toFixed(6));
    this.frame(query);
  }

  filter(form) {
    const query = new URLSearchParams(new FormData(form));
    for (const name of ["view", "object"]) {
      const value = new URLSearchParams(location.search).get(name);
      if (value) query.set(name, value);
    }
    this.frame(query, "only");
  }

  /** Draws another part of the timeline: one request at a time, and only the last one that was wanted. */
  async frame(query, focus = null) {
    this.wantedFrame = [query, focus];
    if (this.drawing) return;
    this.drawing = true;
    while (this.wantedFrame) {
      const [query, focus] = this.wantedFrame;
      this.wantedFrame = null;
      query.set("t", this.at().dataset.t);
      const view = this.at().dataset.view;
      if (!query.has("view")) query.set("view", view);
      let answer;
      try {
        answer = await fetch(`${this.root.dataset.base}/lanes?${query}`);
      } catch {
        break;
      }
      if (!answer.ok) break;
      const holder = document.createElement("template");
      holder.innerHTML = await answer.text();
      const fresh = holder.content.querySelector("[data-timeline]");
      const typed = focus === "only" ? this.timeline.querySelector("[name=only]") : null;
      const caret = typed && document.activeElement === typed ? [typed.value, typed.selectionStart] : null;
      this.timeline.replaceWith(fresh);
      this.timeline = fresh;
      this.points = JSON.parse(fresh.dataset.points);
      this.root.dataset.axis = fresh.dataset.axis;
      fresh.querySelector("[data-play]").hidden = false;
      this.bindLanes();
      if (caret) {
        const field = fresh.querySelector("[name=only]");
        field.value = caret[0];
        field.focus();
        field.setSelectionRange(caret[1], caret[1]);
      } else if (focus && document.activeElement === document.body) {
        const name = focus.startsWith("kind") ? `[data-kind="${focus.slice(4)}"]` : `[data-window="${focus}"]`;
        fresh.querySelector(name)?.focus();
      }
      history.replaceState(null, "", `${this.root.dataset.base}?${query}`);
      // The needle and the links of the panes are those of the new window.
      await this.show(`${this.root.dataset.base}?${query}`);
    }
    this.drawing = false;
  }

  /** What was typed into the console, for the arrow keys. */
  remember(form) {
    const line = form.elements.line?.value.trim();
    if (!line) return;
    this.typed = (this.typed ?? []).filter((known) => known !== line);
    this.typed.push(line);
    this.back = 0;
    this.typing = true;
  }

  recall(event) {
    const field = event.target.closest?.("[data-console] [name=line]");
    if (!field || event.isComposing || !["ArrowUp", "ArrowDown"].includes(event.key) || !this.typed?.length) return;
    event.preventDefault();
    this.back = Math.min(Math.max((this.back ?? 0) + (event.key === "ArrowUp" ? 1 : -1), 0), this.typed.length);
    field.value = this.back ? this.typed[this.typed.length - this.back] : "";
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
    const line = this.root.querySelector("[data-console] [name=line]")?.value;
    const frame = [...new URLSearchParams(location.search)].filter(([name]) => ["from", "to", "only", "hide"].includes(name));
    return [["view", view], ...(object ? [["object", object]] : []), ...(line ? [["line", line]] : []), ...frame].filter(
      () => !this.root.dataset.compact,
    );
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
    if (this.typing) {
      this.typing = false;
      const field = fresh.querySelector("[data-console] [name=line]");
      field?.focus();
      field?.select();
    }
    this.place(fresh);
    if (this.root.dataset.page) {
      query.delete("compact");
      history.replaceState(null, "", `${url.pathname}?${query}`);
    }
    for (const link of this.root.querySelectorAll("a[data-axis]")) {
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
    const branch = this.root.dataset.page && document.querySelector("[data-branch-at]");
    if (branch) branch.value = t;
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
