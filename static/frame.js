// The frame of every page in the browser: notices that can be dismissed, menus, the look, buttons that are busy.

/** How long a notice of success stays. */
const NOTICE_MS = 10_000;

/** Shows a notice, which screen readers announce. */
function announce(text, kind = "notice") {
  const notice = document.createElement("p");
  notice.className = kind;
  notice.textContent = text;
  document.getElementById("notices").replaceChildren(notice);
}

/** Gives a notice a button that dismisses it. One of success disappears after a while, unless it is being read. */
function completeNotice(notice) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "icon-button";
  button.setAttribute("aria-label", "Dismiss");
  button.textContent = "×";
  button.addEventListener("click", () => dismiss(notice));
  const text = document.createElement("span");
  text.append(...notice.childNodes);
  notice.append(text, button);
  // Who asks for less motion keeps notices until they are dismissed.
  if (!notice.matches(".notice") || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const wait = () => {
    setTimeout(() => {
      if (document.hidden || notice.matches(":hover, :focus-within")) wait();
      else notice.remove();
    }, NOTICE_MS);
  };
  wait();
}

/** Removes a notice; the focus must not be lost with its button. */
function dismiss(notice) {
  const hadFocus = notice.contains(document.activeElement);
  notice.remove();
  if (hadFocus) document.getElementById("main").focus({ preventScroll: true });
}

function watchNotices() {
  const notices = document.getElementById("notices");
  if (!notices) return;
  const complete = () => {
    for (const notice of notices.children) if (!notice.querySelector(".icon-button")) completeNotice(notice);
  };
  new MutationObserver(complete).observe(notices, { childList: true });
  complete();
  // What is there when a page loads is not announced; what comes later is.
  setTimeout(() => {
    if (!notices.contains(document.activeElement)) notices.replaceChildren(...notices.children);
  }, 100);
  // What gets the focus must not be under a notice.
  document.addEventListener("focusin", ({ target }) => {
    if (notices.childElementCount === 0 || notices.contains(target) || !target.closest("main")) return;
    const [over, own] = [notices.getBoundingClientRect(), target.getBoundingClientRect()];
    if (own.right > over.left && own.bottom > over.top) target.scrollIntoView({ block: "center" });
  });
}

/** The sidebar as a menu over the page, on narrow screens: it takes the focus, and closes when that leaves it. */
function guideMenu() {
  const sidebar = document.getElementById("sidebar");
  if (!sidebar) return;
  sidebar.addEventListener("toggle", ({ newState }) => {
    if (newState === "open") {
      (sidebar.querySelector(".sections [aria-current]") ?? sidebar.querySelector(".sections a")).focus();
    }
  });
  sidebar.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !sidebar.contains(relatedTarget) && isOpen(sidebar)) sidebar.hidePopover();
  });
  const account = document.getElementById("account-menu");
  account.addEventListener("focusout", ({ relatedTarget }) => {
    const button = document.querySelector("[popovertarget=account-menu]");
    if (relatedTarget && relatedTarget !== button && !account.contains(relatedTarget) && isOpen(account)) {
      account.hidePopover();
    }
  });
  // On wide screens, the same element is a part of the page.
  matchMedia("(min-width: 48rem)").addEventListener("change", () => isOpen(sidebar) && sidebar.hidePopover());
}

function isOpen(popover) {
  return popover.matches(":popover-open");
}

/** Changes the look of the page at once, and stores it without leaving the page. */
function changeLook(form, { name, value }) {
  const standard = { theme: "system", density: "compact", sidebar: "wide", keys: "on", zone: "local" };
  const root = document.documentElement;
  if (value === standard[name]) delete root.dataset[name];
  else root.dataset[name] = value;
  if (name === "zone") {
    // From app.js.
    globalThis.showTimes(document);
    document.dispatchEvent(new Event("time-zone"));
  }
  if (name === "sidebar") labelCollapse(form.querySelector("button"), value);
  for (const button of form.querySelectorAll(`[name="${name}"][aria-pressed]`)) {
    button.setAttribute("aria-pressed", String(button.value === value));
  }
  const body = new URLSearchParams({ [name]: value });
  fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" } })
    .then((answer) => answer.ok || Promise.reject(answer), () => Promise.reject())
    .catch(() => announce("This choice could not be stored. It is gone when you leave the page.", "warning"));
}

function labelCollapse(button, state) {
  button.value = state === "narrow" ? "wide" : "narrow";
  button.title = state === "narrow" ? "Expand the sidebar" : "Collapse the sidebar";
  button.setAttribute("aria-label", button.title);
  titleEntries();
}

/** A narrow sidebar shows icons; their titles name them for the mouse. */
function titleEntries() {
  const isNarrow = document.documentElement.dataset.sidebar === "narrow";
  for (const link of document.querySelectorAll(".sidebar :is(.sections a, .search-link, .about a)")) {
    if (isNarrow) link.title = link.querySelector(".label").textContent;
    else link.removeAttribute("title");
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-look]") || !event.submitter) return;
  event.preventDefault();
  changeLook(event.target, event.submitter);
});

/** After this time, a form without an answer can be sent again: the user may have stopped loading. */
const SENT_MS = 10_000;

function showBusy(form, button) {
  form.dataset.sent = "";
  button?.setAttribute("aria-busy", "true");
  button?.setAttribute("aria-disabled", "true");
}

function release(form) {
  delete form.dataset.sent;
  for (const button of form.querySelectorAll("[aria-busy]")) {
    button.removeAttribute("aria-busy");
    button.removeAttribute("aria-disabled");
  }
}

// Sends a form once: a second click before the answer does nothing. Its buttons are not disabled, because the name of a
// disabled one would not be sent, and the focus would be lost.
document.addEventListener("submit", (event) => {
  const form = event.target;
  // A script that sends the form itself has prevented the default.
  if (event.defaultPrevented) return;
  if (form.method === "post" && "sent" in form.dataset) return event.preventDefault();
  showBusy(form, event.submitter);
  setTimeout(() => release(form), SENT_MS);
});

// The same for forms that htmx sends, until their request ends in whatever way.
document.addEventListener("htmx:before:request", ({ target }) => {
  if (target.matches?.("form[hx-post]")) showBusy(target, submitterOf(target));
});
document.addEventListener("htmx:finally:request", ({ target }) => {
  if (target.matches?.("form[hx-post]")) release(target);
});

/** The button by which a form is being sent: the one with the focus, or the first. */
function submitterOf(form) {
  const focused = document.activeElement;
  const isOwn = focused?.form === form && focused.matches("button:not([type=button])");
  return isOwn ? focused : form.querySelector("button:not([type=button])");
}

// The browser restored the page after Back: sending a form again is intended, so forms get new tokens.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) release(form);
  for (const field of document.querySelectorAll("[data-form-token]")) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    field.value = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
});

watchNotices();
guideMenu();
titleEntries();

// The next user of this tab does not see what was sent by "Try it".
if (!document.querySelector(".frame")) {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith("crude-trial.")) sessionStorage.removeItem(key);
}
