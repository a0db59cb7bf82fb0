// Follows the logs: adds new entries at the top of the list as the server sends them, until the user pauses it.

/** How many entries stay on the page; older ones are on the following pages. */
const ENTRIES_MAX = 1_000;
/** As in logs.tsx. */
const EVENTS = {
  exec_start: "started",
  exec_end: "ended",
  exec_reject: "failed",
  dropped: "lines dropped",
  leak: "secret in the response",
  error: "server error",
};
const KINDS = { debug: "off", info: "plain", warn: "warn", error: "bad" };

const box = document.getElementById("following");
const list = document.getElementById("entries");
const template = document.getElementById("entry");

/** Renders an entry as the server does. All parts are set as text, because handlers write them. */
function made(entry, names) {
  const item = template.content.firstElementChild.cloneNode(true);
  const part = (selector) => item.querySelector(selector);
  item.classList.add(entry.level);
  const time = part("time");
  time.dateTime = time.title = entry.at;
  // From app.js, so that all pages format times in the same way.
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
  part(".node").textContent = entry.node?.slice(0, 8) ?? "";
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

  /** Adds many entries at once; adding each on its own would cause a layout for each. */
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
    source.addEventListener("open", () => state.textContent = "New entries appear automatically.");
    source.addEventListener("error", () => state.textContent = "The connection was lost; trying again.");
    source.addEventListener("log", ({ data, lastEventId }) => {
      const entry = JSON.parse(data);
      address.searchParams.set("since", lastEventId);
      if (waiting.push(entry) === 1) requestAnimationFrame(show);
    });
    source.addEventListener("nodes", ({ data }) => {
      const { silent } = JSON.parse(data);
      const notice = document.getElementById("silent");
      notice.textContent = silent.map(({ error }) => `Entries are missing. ${error}`).join(" ");
      notice.hidden = silent.length === 0;
    });
    source.addEventListener("lost", ({ data }) => {
      const { lines } = JSON.parse(data);
      state.textContent = `${lines ?? "Some"} entries arrived too fast to be shown; reload the page to see them.`;
    });
  };

  button.addEventListener("click", () => {
    if (source.readyState !== EventSource.CLOSED) {
      source.close();
      state.textContent = "Paused.";
      button.textContent = "Resume";
    } else start();
  });
  // Otherwise a page that was left would follow the log until the browser discards it.
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", ({ persisted }) => persisted && start());
  box.hidden = false;
  start();
}

if (box) follow();
