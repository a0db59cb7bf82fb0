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

openMenu();
showTimes(document);
focusProblems(document);
document.addEventListener("htmx:after:swap", () => showTimes(document));
