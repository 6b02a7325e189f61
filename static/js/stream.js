// Event streams that cost nothing while nobody looks: a browser has six connections for a server, and a tab in the
// background must not hold one. The server resumes by Last-Event-ID; a stream that is opened anew asks by `since`.

/** Opens `address()` while the page is visible; `handlers` by event name. Gives a function that closes it for good. */
export function listen(address, handlers) {
  let source = null;
  let closed = false;
  function close() {
    source?.close();
    source = null;
  }
  function open() {
    if (closed || source || document.visibilityState === "hidden") return;
    source = new EventSource(address());
    for (const [name, handler] of Object.entries(handlers)) {
      source.addEventListener(name, handler);
    }
    source.addEventListener("error", () => {
      // The browser tries again by itself unless the server refused.
      if (source?.readyState === EventSource.CLOSED) close();
    });
  }
  function look() {
    if (document.visibilityState === "hidden") close();
    else open();
  }
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
  return () => {
    closed = true;
    close();
    document.removeEventListener("visibilitychange", look);
  };
}
