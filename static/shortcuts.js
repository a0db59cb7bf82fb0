// Shortcuts of single keys, which the menu of the account turns off (WCAG 2.1.4), and the sheet that lists them.

const PLACES = {
  o: ["/web", "Overview"],
  f: ["/web/functions", "Functions"],
  d: ["/web/files", "Code"],
  s: ["/web/secrets", "Secrets"],
  k: ["/web/keys", "API Keys"],
  l: ["/web/logs", "Logs"],
  m: ["/web/metrics", "Metrics"],
};
/** How long after G the second key counts. */
const SECOND_KEY_MS = 1_500;

/** Of a list, what makes a new entry: the link next to its heading. */
const CREATE = '.heading .actions a[href*="/new"]';
const FILTER = "main :is(input[type=search], form[method=get] input:not([type=hidden], [type=checkbox], [type=radio]))";

let waitsForSecond = false;
let timer;

/** Reports whether a key belongs to what has the focus. The editor's field is in a root of its own. */
function isTyped(event) {
  const at = event.composedPath()[0];
  return at.matches?.("input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select") ||
    at.isContentEditable === true;
}

/** Does what the key stands for; reports whether it stands for anything. */
function act(key) {
  if (waitsForSecond) {
    waitsForSecond = false;
    if (!PLACES[key]) return false;
    location.assign(PLACES[key][0]);
    return true;
  }
  switch (key) {
    case "g":
      waitsForSecond = true;
      clearTimeout(timer);
      timer = setTimeout(() => waitsForSecond = false, SECOND_KEY_MS);
      return true;
    case "?":
      showHelp();
      return true;
    case "/":
      return focusFilter();
    case "c": {
      const link = document.querySelector(CREATE);
      link?.click();
      return link !== null;
    }
    default:
      return false;
  }
}

function focusFilter() {
  const field = document.querySelector(FILTER);
  if (!field) return false;
  const folded = field.closest("details");
  if (folded) folded.open = true;
  field.focus();
  field.select?.();
  return true;
}

let help;

function showHelp() {
  help ??= createHelp();
  if (!document.querySelector("dialog:modal")) help.showModal();
}

function createHelp() {
  const rows = [
    ["Search", "Ctrl K"],
    ["This list", "?"],
    ["Filter the list on this page", "/"],
    ["Create an entry of the list on this page", "C"],
    ...Object.entries(PLACES).map(([key, [, name]]) => [`Go to ${name}`, `G ${key.toUpperCase()}`]),
    ["Save in the editor", "Ctrl S"],
    ["Leave the editor", "Esc Tab"],
  ];
  const dialog = document.createElement("dialog");
  dialog.className = "keys-help";
  dialog.setAttribute("aria-labelledby", "keys-help");
  dialog.innerHTML = `
    <div class="palette-head"><h2 id="keys-help">Keyboard shortcuts</h2>
      <button type="button" class="icon-button" aria-label="Close">×</button></div>
    <dl>${rows.map(([does, keys]) => `<div><dt>${does}</dt><dd>${keysOf(keys)}</dd></div>`).join("")}</dl>
    <p>Shortcuts of a single key can be turned off in the account menu.</p>`;
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog || target.closest("[aria-label=Close]")) dialog.close();
  });
  document.body.append(dialog);
  return dialog;
}

function keysOf(keys) {
  return keys.split(" ").map((key) => `<kbd>${key}</kbd>`).join(" ");
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.documentElement.dataset.keys === "off" || document.querySelector("dialog:modal")) return;
  if (event.key.length !== 1 || event.repeat || isTyped(event)) return;
  if (act(event.key.toLowerCase())) event.preventDefault();
});

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-keys-help]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  showHelp();
});
