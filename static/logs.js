// Follows the logs: adds new entries at the top of the list as the server sends them, until the user pauses it. Applies
// the filter when one of its fields changes.

/** How many entries stay on the page; older ones are on the following pages. */
const ENTRIES_MAX = 1_000;
/** As in entries.tsx. */
const EVENTS = {
  secret: "asked for a secret",
  exec_start: "started",
  exec_end: "ended",
  exec_reject: "failed",
  dropped: "lines dropped",
  leak: "secret in the response",
  error: "server error",
};
const SHORT_ID_LENGTH = 8;

const box = document.getElementById("following");
const list = document.getElementById("entries");
const template = document.getElementById("entry");

/** Renders an entry as the server does. All parts are set as text, because handlers write them. */
function made(entry, words) {
  const item = template.content.firstElementChild.cloneNode(true);
  const part = (selector) => item.querySelector(selector);
  const show = (selector, text) => {
    part(selector).hidden = text === "";
    part(selector).textContent = text;
  };
  item.classList.add(entry.level);
  const time = part("time");
  time.dateTime = time.title = entry.at;
  // From app.js, so that all pages format times in the same way.
  time.textContent = globalThis.timeText(entry.at, true);
  part(".level").textContent = entry.level;
  part(".of").textContent = entry.functionName ?? "a deleted function";
  part(".only").href = `/web/logs?functionId=${entry.functionId}`;
  part(".event").textContent = EVENTS[entry.event] ?? "";
  part(".text").replaceChildren(...marked(entry.message, words));
  if (entry.requestId !== null) {
    part(".request").href = `/web/logs?requestId=${encodeURIComponent(entry.requestId)}`;
    part(".request .id").textContent = entry.requestId.slice(0, SHORT_ID_LENGTH);
    part(".request").hidden = false;
    part(".whole-request code").textContent = entry.requestId;
    part(".whole-request").hidden = false;
  }
  show(".took", entry.durationMs === null ? "" : `${entry.durationMs.toFixed(1)} ms`);
  show(".node", entry.node === undefined ? "" : `Node ${entry.node.slice(0, SHORT_ID_LENGTH)}`);
  return item;
}

/** Returns the parts of a message, with the words that are searched for in elements of their own. */
function marked(message, words) {
  if (!words) return [message];
  // The pattern is in a group, so that each second part is a match.
  return message.split(words).map((part, index) => {
    if (index % 2 === 0) return part;
    const mark = document.createElement("mark");
    mark.textContent = part;
    return mark;
  });
}

/** Returns a pattern for words that begin as those of a search do; null without a search. */
function wordsOf(search) {
  const words = search.normalize("NFC").match(/[\p{L}\p{N}\p{Co}]+/gu);
  return words && new RegExp(`(?<![\\p{L}\\p{N}])((?:${words.join("|")})[\\p{L}\\p{N}]*)`, "iu");
}

function follow() {
  const state = document.getElementById("following-state");
  const button = document.getElementById("pause");
  const address = new URL(box.dataset.stream, location.href);
  const words = wordsOf(address.searchParams.get("search") ?? "");
  let source;
  let waiting = [];

  /** Adds many entries at once; adding each on its own would cause a layout for each. */
  const show = () => {
    if (waiting.length === 0) return;
    const items = waiting.slice(-ENTRIES_MAX).map((entry) => made(entry, words)).reverse();
    waiting = [];
    list.prepend(...items);
    while (list.childElementCount > ENTRIES_MAX) list.lastElementChild.remove();
    document.getElementById("nothing")?.remove();
  };

  const start = () => {
    source = new EventSource(address);
    button.textContent = "Pause";
    source.addEventListener("open", () => state.textContent = "Live");
    source.addEventListener("error", () => state.textContent = "Connection lost; trying again");
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
      state.textContent = "Paused";
      button.textContent = "Resume";
    } else start();
  });
  // Otherwise a page that was left would follow the log until the browser discards it.
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", ({ persisted }) => persisted && start());
  box.hidden = false;
  start();
}

/** Sends the form when a field changes, so that it needs no button. */
function applyAtOnce(form) {
  form.querySelector("button[type=submit]").hidden = true;
  form.addEventListener("change", () => form.requestSubmit());
}

for (const form of document.querySelectorAll("form[data-apply]")) applyAtOnce(form);
if (box) follow();
