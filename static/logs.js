// Follows the logs: adds new entries at the top of the list as the server sends them, until the user pauses it. Applies
// the filter when one of its fields changes, and a time that is chosen in the histogram.

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
  time.textContent = globalThis.timeText(entry.at, "precise");
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
  if (entry.keyId !== null) {
    part(".with-key a").href = `/web/logs?key=${entry.keyId}`;
    part(".with-key a").textContent = entry.keyName ?? `revoked key ${entry.keyId}`;
    part(".with-key").hidden = false;
  }
  show(".took", entry.durationMs === null ? "" : tookText(entry.durationMs));
  show(".node", entry.node === undefined ? "" : `Node ${entry.node.slice(0, SHORT_ID_LENGTH)}`);
  return item;
}

const SIGNIFICANT = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** How long something took, as ui/format.ts has it. */
function tookText(ms) {
  const text = (n) => (n >= 100 ? WHOLE : SIGNIFICANT).format(n);
  if (Math.round(ms) < 1_000) return `${text(ms)} ms`;
  return ms < 120_000 ? `${text(ms / 1_000)} s` : `${text(ms / 60_000)} min`;
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
  const say = (text, kind) => {
    state.textContent = text;
    state.className = `status ${kind}`;
  };

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
    source.addEventListener("open", () => say("Live", "ok"));
    source.addEventListener("error", () => say("Connection lost; trying again", "bad"));
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
      say(`${lines ?? "Some"} entries arrived too fast to be shown; reload the page to see them.`, "warn");
    });
  };

  button.addEventListener("click", () => {
    if (source.readyState !== EventSource.CLOSED) {
      source.close();
      say("Paused", "off");
      button.textContent = "Resume";
    } else start();
  });
  // Otherwise a page that was left would follow the log until the browser discards it.
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", ({ persisted }) => persisted && start());
  box.hidden = false;
  start();
}

/** Chooses a time in the histogram: by dragging over bars, and among their links by the arrow keys. */
function choose(histogram) {
  const [from, width, count] = ["from", "width", "count"].map((name) => Number(histogram.dataset[name]));
  const selection = document.createElement("div");
  selection.className = "selection";
  let start;
  const barAt = ({ clientX }) => {
    const { left, width } = histogram.getBoundingClientRect();
    return Math.min(count - 1, Math.max(0, Math.floor((clientX - left) / width * count)));
  };
  const draw = (end) => {
    const [first, last] = [Math.min(start, end), Math.max(start, end)];
    selection.style.left = `${first / count * 100}%`;
    selection.style.width = `${(last - first + 1) / count * 100}%`;
    histogram.append(selection);
  };
  histogram.addEventListener("dragstart", (event) => event.preventDefault());
  histogram.addEventListener("pointerdown", (event) => {
    if (event.button === 0 && event.pointerType !== "touch") start = barAt(event);
  });
  addEventListener("pointermove", (event) => {
    if (start === undefined) return;
    if (event.buttons === 0) start = undefined;
    else if (barAt(event) !== start || selection.isConnected) draw(barAt(event));
  });
  addEventListener("pointerup", (event) => {
    const [first, last] = start === undefined ? [] : [start, barAt(event)].sort((a, b) => a - b);
    start = undefined;
    if (first === undefined || !selection.isConnected) return;
    const address = new URL(location.href);
    address.searchParams.set("range", "custom");
    address.searchParams.set("from", new Date(from + first * width).toISOString());
    address.searchParams.set("to", new Date(from + (last + 1) * width).toISOString());
    address.searchParams.delete("cursor");
    location.assign(address);
  });
  const links = [...histogram.querySelectorAll("a")];
  for (const link of links.slice(0, -1)) link.tabIndex = -1;
  histogram.addEventListener("keydown", (event) => {
    const at = links.indexOf(document.activeElement);
    const to = links[{ ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: links.length - 1 }[event.key]];
    if (at === -1 || !to) return;
    event.preventDefault();
    links[at].tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  });
}

/** Adds a button that copies what an entry shows as JSON when it is unfolded. */
function offerCopy(details) {
  const more = details.querySelector(".more");
  if (!details.open || more.querySelector("button")) return;
  const entry = details.closest(".entry");
  const text = (selector) => entry.querySelector(selector)?.textContent.trim() || undefined;
  const duration = text(".took");
  const json = {
    at: entry.querySelector("time").dateTime,
    level: text("summary .level"),
    function: text(".of"),
    event: entry.querySelector(".event").textContent || undefined,
    message: entry.querySelector(".text").textContent,
    requestId: text(".whole-request code"),
    key: text(".with-key a"),
    durationMs: duration && parseFloat(duration),
    node: text(".node")?.replace("Node ", ""),
  };
  const source = document.createElement("pre");
  source.hidden = true;
  source.id = `json-${document.querySelectorAll("[id^=json-]").length}`;
  source.textContent = JSON.stringify(json, null, 2);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "link";
  button.dataset.copy = source.id;
  button.textContent = "Copy as JSON";
  const item = document.createElement("li");
  item.append(button, source);
  more.append(item);
}

/** Sends the form when a field changes, so that it needs no button. */
function applyAtOnce(form) {
  form.querySelector("button[type=submit]").hidden = true;
  form.addEventListener("change", () => form.requestSubmit());
}

for (const form of document.querySelectorAll("form[data-apply]")) applyAtOnce(form);
for (const histogram of document.querySelectorAll(".histogram")) choose(histogram);
list?.addEventListener("toggle", ({ target }) => offerCopy(target), true);
if (box) follow();
