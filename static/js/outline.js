// Marks in the outline where the reader is.

export function startOutline() {
  const links = [...document.querySelectorAll("[data-outline] a")];
  if (!links.length) return;
  const headings = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));
  let waiting = false;
  function mark() {
    waiting = false;
    let here = 0;
    headings.forEach((heading, index) => {
      if (heading && heading.getBoundingClientRect().top <= 120) here = index;
    });
    links.forEach((link, index) => link.parentElement.classList.toggle("here", index === here));
  }
  addEventListener(
    "scroll",
    () => {
      if (!waiting) {
        waiting = true;
        requestAnimationFrame(mark);
      }
    },
    { passive: true },
  );
  mark();
}
