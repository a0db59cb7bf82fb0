// Enhances every page in the browser; each page also works without scripts.

/** Returns the zone in which pages show times: the one that the user chose, otherwise the browser's. */
function timeZone() {
  return document.documentElement.dataset.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** Formats by zone. */
const formats = new Map();

function formatOf(zone) {
  const two = "2-digit";
  const parts = { year: "numeric", month: two, day: two, hour: two, minute: two, second: two };
  if (!formats.has(zone)) {
    formats.set(zone, new Intl.DateTimeFormat("en-GB", { ...parts, timeZone: zone, hourCycle: "h23" }));
  }
  return formats.get(zone);
}

/** Formats a time in that zone, in the same way as the server: see format/times.ts. */
function timeText(iso, form = "whole") {
  const zone = timeZone();
  const parts = formatOf(zone).formatToParts(new Date(iso)).map(({ type, value }) => [type, value]);
  const { year, month, day, hour, minute, second } = Object.fromEntries(parts);
  const date = `${Number(day)} ${MONTHS[month - 1]}`;
  const suffix = zone === "UTC" ? " UTC" : "";
  if (form === "precise") {
    return `${year}-${month}-${day} ${hour}:${minute}:${second}${iso.slice(19, 23)}${suffix}`;
  }
  if (form === "day") return date;
  if (form === "day-minute") return `${date} ${hour}:${minute}`;
  if (form === "minute") return `${hour}:${minute}`;
  if (form === "second") return `${hour}:${minute}:${second}`;
  return `${date} ${year}, ${hour}:${minute}${suffix}`;
}

/** Shows the times of a part of the page in that zone. Whole ones keep the text in UTC as their title. */
function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const { form } = time.dataset;
    // For a text such as "3 days ago", only the title is the exact time.
    if (time.hasAttribute("data-relative")) time.title = timeText(time.dateTime);
    else {
      if (form === undefined) time.title ||= time.textContent;
      time.textContent = timeText(time.dateTime, form);
    }
  }
}

/** Reports the zone of the browser to the server, once, so that it sends the next pages with the right times. */
function reportZone() {
  const form = document.querySelector("form[data-look]");
  const browserZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!form || document.documentElement.dataset.browserZone === browserZone) return;
  const body = new URLSearchParams({ browserZone });
  // Scripts show the right times if this fails.
  fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" } }).catch(() => {});
}

/** Moves the focus to what must be read first. */
function focusProblems(root) {
  const control = root.querySelector(":is(input, select, textarea, fieldset)[data-focus]");
  (control ?? root.querySelector("[data-focus]"))?.focus();
}

/** Opens the menu on wide screens. */
function openMenu() {
  const wide = matchMedia("(min-width: 48rem)");
  const adapt = () => {
    for (const menu of document.querySelectorAll("[data-wide-open]")) menu.open = wide.matches;
  };
  wide.addEventListener("change", adapt);
  adapt();
}

/** Copies the text of the element that the button names, and announces it. */
async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Without HTTPS, or without permission: select the text for Ctrl+C.
    getSelection().selectAllChildren(source);
    if (!document.execCommand("copy")) return announce("Press Ctrl+C to copy the selected text.");
  }
  announce("Copied.");
}

/** Reports whether a form that changes something was edited and not sent. */
function isUnsent(form) {
  // htmx does not leave the page, and the editor handles its own form.
  if ("sent" in form.dataset || form.hasAttribute("hx-post") || form.hasAttribute("data-code-form")) return false;
  // A form that is shown again contains what was typed before.
  if ("unsaved" in form.dataset || form.querySelector(".problems")) return true;
  return [...form.elements].some(isEdited);
}

/** Reports whether a field has another value than when the page was loaded. */
function isEdited(field) {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.tagName === "SELECT") {
    const chosen = [...field.options].findIndex((option) => option.defaultSelected);
    return field.selectedIndex !== Math.max(chosen, 0);
  }
  return "defaultValue" in field && field.type !== "hidden" && field.value !== field.defaultValue;
}

// Asks before an edited form is left. Not on the pages before the sign-in, which have nothing to lose.
addEventListener("beforeunload", (event) => {
  const forms = document.querySelectorAll(".frame main form[method=post]");
  if ([...forms].some(isUnsent)) event.preventDefault();
});

// A request for a part of the page failed: without an answer, htmx would show nothing.
document.addEventListener("htmx:error", ({ target, detail }) => {
  if (!detail.ctx) return;
  const text = "The server cannot be reached, so nothing was done. What you typed is still here: try again.";
  announce(text, "warning");
  // Also where the answer is expected, which may be far from the notice.
  if (target.matches?.("[data-trial]")) document.getElementById("outcome").textContent = text;
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// Closes a menu by Escape, which returns the focus to its button, by a click elsewhere, and when the focus leaves it.
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest("details[data-menu][open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
for (const type of ["click", "focusin"]) {
  document.addEventListener(type, ({ target }) => {
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      if (!menu.contains(target)) menu.open = false;
    }
  });
}

/** Pause after which what was typed narrows a dropdown. */
const TYPED_MS = 200;
let narrowing;
let typing;

/** Replaces the entries of a dropdown by those that have what was typed. Without htmx, which most pages do not load. */
async function narrow(field) {
  const select = document.getElementById(field.getAttribute("aria-controls"));
  const address = new URL(field.dataset.narrow, location.href);
  address.searchParams.set("find", field.value);
  address.searchParams.set(select.name, select.value);
  narrowing?.abort();
  const { signal } = narrowing = new AbortController();
  try {
    const answer = await fetch(address, { headers: { "HX-Request": "true" }, signal });
    const text = await answer.text();
    // Instead of entries, the answer may be a notice that the session has ended.
    document.getElementById(answer.ok ? select.id : "notices").innerHTML = text;
  } catch {
    if (!signal.aborted) announce("The server cannot be reached. Try again.", "warning");
  }
}

document.addEventListener("input", ({ target }) => {
  if (!target.matches("[data-narrow]")) return;
  clearTimeout(typing);
  typing = setTimeout(() => narrow(target), TYPED_MS);
});

openMenu();
reportZone();
showTimes(document);
focusProblems(document);
document.addEventListener("htmx:after:swap", () => showTimes(document));
