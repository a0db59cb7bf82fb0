// Enhances every page in the browser; each page also works without scripts.

const ZONE = "crude-times";

/** Returns the zone in which pages show times: UTC if that was chosen in this browser, otherwise the reader's own. */
function timeZone() {
  return localStorage.getItem(ZONE) === "UTC" ? "UTC" : undefined;
}

/** Formats a time in that zone, to the minute, or for logs to the millisecond. */
function timeText(iso, precise = false) {
  const zone = timeZone();
  const options = precise
    ? { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" }
    : { dateStyle: "medium", timeStyle: "short" };
  // Swedish dates have the format of ISO 8601.
  const text = new Date(iso).toLocaleString(precise ? "sv" : undefined, { ...options, timeZone: zone });
  const fraction = precise ? iso.slice(19, 23) : "";
  return text + fraction + (zone === undefined ? "" : " UTC");
}

const [DAY, MINUTE] = [{ day: "numeric", month: "short" }, { hour: "2-digit", minute: "2-digit" }];
/** What short times show, as in components.tsx. */
const FORMS = {
  "day": DAY,
  "day-minute": { ...DAY, ...MINUTE },
  "minute": MINUTE,
  "second": { ...MINUTE, second: "2-digit" },
};

/** Shows the times of a part of the page in the chosen zone; their titles are the server's texts. */
function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.dataset.sent ??= time.title || time.textContent;
    const { form } = time.dataset;
    if (form) {
      time.textContent = new Date(time.dateTime).toLocaleString("en-GB", { ...FORMS[form], timeZone: timeZone() })
        .replace(",", "");
      continue;
    }
    // For a text such as "3 days ago", only the title is the exact time.
    if (time.hasAttribute("data-relative")) time.title = timeText(time.dateTime);
    else {
      time.title = time.dataset.sent;
      time.textContent = timeText(time.dateTime, time.hasAttribute("data-precise"));
    }
  }
}

/** Shows the button that changes the zone, which needs scripts. */
function offerZones() {
  const button = document.getElementById("time-zone");
  if (!button) return;
  const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (own === "UTC") return;
  const label = () => {
    button.textContent = timeZone() === "UTC" ? "Times in UTC" : `Times in ${own}`;
    button.title = timeZone() === "UTC" ? `Show times in ${own}` : "Show times in UTC";
  };
  button.addEventListener("click", () => {
    if (timeZone() === "UTC") localStorage.removeItem(ZONE);
    else localStorage.setItem(ZONE, "UTC");
    label();
    showTimes(document);
    document.dispatchEvent(new Event("time-zone"));
  });
  label();
  button.hidden = false;
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
offerZones();
showTimes(document);
focusProblems(document);
document.addEventListener("htmx:after:swap", () => showTimes(document));
