// What the pages do by themselves in the browser; each works without it, only less conveniently.

/** Times in the reader's own format and zone. */
function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
    const at = new Date(time.dateTime);
    time.title = time.textContent;
    time.textContent = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }
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
function tell(text) {
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.textContent = text;
  document.getElementById("notices").replaceChildren(notice);
}

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
showTimes(document);
focusProblems(document);
document.addEventListener("htmx:after:swap", () => showTimes(document));
