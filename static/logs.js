// Follows the logs: puts new entries on top of the list as the server tells of them, until it is paused.

/** So many stay on the page; older ones are on the pages behind it. */
const ENTRIES_MAX = 1_000;
/** As in logs.tsx. */
const EVENTS = {
  exec_start: "began",
  exec_end: "ended",
  exec_reject: "failed",
  dropped: "lines left out",
  leak: "secret in the response",
  error: "the server failed",
};
const KINDS = { debug: "off", info: "plain", warn: "warn", error: "bad" };

const box = document.getElementById("following");
const list = document.getElementById("entries");
const template = document.getElementById("entry");

/** An entry as the server would have made it. All of it is set as text: it is the handlers' words. */
function made(entry, names) {
  const item = template.content.firstElementChild.cloneNode(true);
  const part = (selector) => item.querySelector(selector);
  item.classList.add(entry.level);
  const time = part("time");
  time.dateTime = time.title = entry.at;
  // Of app.js, as all pages show times alike.
  time.textContent = globalThis.timeText(entry.at, true);
  const badge = part(".badge");
  badge.className = `badge ${KINDS[entry.level]}`;
  badge.textContent = entry.level;
  part(".of").textContent = names.get(String(entry.functionId)) ?? `function ${entry.functionId}`;
  part(".of").href = `/web/logs?functionId=${entry.functionId}`;
  if (entry.requestId !== null) {
    part(".request").href = `/web/logs?requestId=${encodeURIComponent(entry.requestId)}`;
    part(".request").hidden = false;
    part(".request .visually-hidden").textContent = entry.requestId.slice(0, 8);
  }
  part(".event").textContent = EVENTS[entry.event] ?? "";
  part(".took").textContent = entry.durationMs === null ? "" : `${entry.durationMs.toFixed(1)} ms`;
  part(".message").textContent = entry.message;
  return item;
}

function follow() {
  const state = document.getElementById("following-state");
  const button = document.getElementById("pause");
  const names = new Map([...document.getElementById("functionId").options].map(({ value, text }) => [value, text]));
  const address = new URL(box.dataset.stream, location.href);
  let source;
  let waiting = [];

  /** Many entries in one go: each alone would have the page laid out anew. */
  const show = () => {
    if (waiting.length === 0) return;
    const items = waiting.slice(-ENTRIES_MAX).map((entry) => made(entry, names)).reverse();
    waiting = [];
    list.prepend(...items);
    while (list.childElementCount > ENTRIES_MAX) list.lastElementChild.remove();
    document.getElementById("nothing")?.remove();
  };

  const start = () => {
    source = new EventSource(address);
    button.textContent = "Pause";
    source.addEventListener("open", () => state.textContent = "New entries appear as they come.");
    source.addEventListener("error", () => state.textContent = "The connection was lost; trying again.");
    source.addEventListener("log", ({ data }) => {
      const entry = JSON.parse(data);
      address.searchParams.set("since", entry.id);
      if (waiting.push(entry) === 1) requestAnimationFrame(show);
    });
    source.addEventListener("lost", ({ data }) => {
      const { lines } = JSON.parse(data);
      state.textContent = `${lines ?? "Some"} entries came too fast to be shown; load the page again to see them.`;
    });
  };

  button.addEventListener("click", () => {
    if (source.readyState !== EventSource.CLOSED) {
      source.close();
      state.textContent = "Paused.";
      button.textContent = "Go on";
    } else start();
  });
  // Else a page that was left would be followed until it is thrown away.
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", ({ persisted }) => persisted && start());
  box.hidden = false;
  start();
}

if (box) follow();
