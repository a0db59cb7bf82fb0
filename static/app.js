// What the pages do by themselves in the browser; each works without it, only less conveniently.

const ZONE = "crude-times";

/** The zone in which all pages show times: the reader's own, or UTC; as it was chosen in this browser. */
function timeZone() {
  return localStorage.getItem(ZONE) === "UTC" ? "UTC" : undefined;
}

/** A time in that zone, to the minute, or to the millisecond as in logs. */
function timeText(iso, precise = false) {
  const zone = timeZone();
  const options = precise
    ? { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" }
    : { dateStyle: "medium", timeStyle: "short" };
  // Swedish has the form of ISO 8601.
  const text = new Date(iso).toLocaleString(precise ? "sv" : undefined, { ...options, timeZone: zone });
  const fraction = precise ? iso.slice(19, 23) : "";
  return text + fraction + (zone === undefined ? "" : " UTC");
}

/** Shows the times of a part of the page in the chosen zone; what the server wrote is their title. */
function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.dataset.sent ??= time.title || time.textContent;
    // Such as "3 days ago": the exact time is the title alone.
    if (time.hasAttribute("data-relative")) time.title = timeText(time.dateTime);
    else {
      time.title = time.dataset.sent;
      time.textContent = timeText(time.dateTime, time.hasAttribute("data-precise"));
    }
  }
}

/** The button that changes the zone, which only scripts can. */
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

/** What has to be read first gets the focus. */
function focusProblems(root) {
  root.querySelector("[data-focus]")?.focus();
}

/** The menu stands open where there is room for it. */
function openMenu() {
  const wide = matchMedia("(min-width: 48rem)");
  const adapt = () => {
    for (const menu of document.querySelectorAll("[data-wide-open]")) menu.open = wide.matches;
  };
  wide.addEventListener("change", adapt);
  adapt();
}

/** Copies the text of the element that the button names, and says so. */
async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Without https, or without permission: the text is selected, for Ctrl+C.
    getSelection().selectAllChildren(source);
    if (!document.execCommand("copy")) return tell("Press Ctrl+C to copy what is selected.");
  }
  tell("Copied.");
}

/** Says what happened, also to those who do not see it. */
function tell(text, kind = "notice") {
  const notice = document.createElement("p");
  notice.className = kind;
  notice.textContent = text;
  document.getElementById("notices").replaceChildren(notice);
}

/** Whether something was typed or chosen in a form that is sent to change something, and not sent. */
function isUnsent(form) {
  // What htmx sends does not leave the page, and the editor looks after its own form.
  if ("sent" in form.dataset || form.hasAttribute("hx-post") || form.hasAttribute("data-code-form")) return false;
  // A form that came back with a problem holds what was typed before.
  if (form.querySelector(".problems")) return true;
  return [...form.elements].some((field) => {
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.tagName === "SELECT") {
      const chosen = [...field.options].findIndex((option) => option.defaultSelected);
      return field.selectedIndex !== Math.max(chosen, 0);
    }
    return "defaultValue" in field && field.type !== "hidden" && field.value !== field.defaultValue;
  });
}

// Leaving a form that was filled in is asked about. Not on the pages before signing in: they have nothing to lose.
addEventListener("beforeunload", (event) => {
  const forms = document.querySelectorAll(".frame main form[method=post]");
  if ([...forms].some(isUnsent)) event.preventDefault();
});

// A part of the page that could not be asked for: without an answer, htmx would leave everything as it is.
document.addEventListener("htmx:error", ({ target, detail }) => {
  if (!detail.ctx) return;
  const text = "The server cannot be reached, so nothing was done. What you typed is still here: try again.";
  tell(text, "warning");
  // Where the answer was going to be, which may be far from the notice.
  if (target.matches?.("[data-trial]")) document.getElementById("outcome").textContent = text;
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

/** After this, a form whose answer has not come can be sent again: its loading may have been stopped. */
const SENT_MS = 10_000;

function release(form) {
  delete form.dataset.sent;
  for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
}

// A form is sent once: a second click, while its answer is on its way, does nothing. Its buttons are not disabled,
// as the name of a disabled one would not be sent, and the focus would be lost.
document.addEventListener("submit", (event) => {
  const form = event.target;
  // Scripts that send a form themselves have prevented this.
  if (event.defaultPrevented || form.method !== "post") return;
  if ("sent" in form.dataset) return event.preventDefault();
  form.dataset.sent = "";
  event.submitter?.setAttribute("aria-busy", "true");
  setTimeout(() => release(form), SENT_MS);
});

// A page that the browser restores after Back: sending it again is intended, so its forms get new tokens.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) release(form);
  for (const field of document.querySelectorAll("[data-form-token]")) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    field.value = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
});

// What is called a button answers to the space bar, too.
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || !event.target.matches("a[role=button]")) return;
  event.preventDefault();
  event.target.click();
});

openMenu();
offerZones();
showTimes(document);
focusProblems(document);
document.addEventListener("htmx:after:swap", () => showTimes(document));
