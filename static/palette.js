// The command palette: finds pages, functions, names of secrets, API keys, settings and documentation, and opens them.

const PATH = "/web/search";
/** Pause after which what was typed is searched for. */
const TYPED_MS = 80;

const dialog = document.createElement("dialog");
dialog.className = "palette";
dialog.setAttribute("aria-label", "Search");
dialog.innerHTML = `
  <div class="palette-head">
    <input type="text" role="combobox" aria-expanded="true" aria-controls="palette-results" aria-autocomplete="list"
      aria-label="Search everything" placeholder="Search or go to…"
      maxlength="100" autocomplete="off" autocapitalize="off" spellcheck="false">
    <button type="button" class="icon-button" aria-label="Close">×</button>
  </div>
  <div id="palette-results" role="listbox" aria-label="Results"></div>
  <div class="palette-problem"></div>
  <p role="status" class="visually-hidden"></p>`;
const input = dialog.querySelector("input");
const list = dialog.querySelector("[role=listbox]");
const problem = dialog.querySelector(".palette-problem");
const status = dialog.querySelector("[role=status]");

let request;
let timer;
/** Enter was pressed before the results of what is typed came; it counts for the first of them. */
let entered;

/** Opens the palette; on the page that searches, its field takes the place of it. */
function open() {
  const field = document.querySelector(`form[action="${PATH}"] input`);
  if (field) return field.select();
  if (dialog.open || document.querySelector("dialog:modal")) return;
  if (!dialog.isConnected) document.body.append(dialog);
  input.value = "";
  dialog.showModal();
  input.focus();
  search();
}

async function search() {
  request?.abort();
  request = new AbortController();
  const { signal } = request;
  try {
    const response = await fetch(`${PATH}?${new URLSearchParams({ q: input.value })}`, {
      headers: { "HX-Request": "true" },
      signal,
    });
    const text = await response.text();
    // Another search has begun, which may be answered already.
    if (signal.aborted) return;
    // Instead of results, the answer may be that the session has ended.
    show(response.ok ? text : "", response.ok ? "" : text);
  } catch {
    if (!signal.aborted) show("", '<p class="warning">The server cannot be reached. Try again.</p>');
  }
}

/** Shows results, or why there are none. Both are made by the server, which escapes what is in them. */
function show(options, refusal) {
  list.innerHTML = options;
  problem.innerHTML = refusal;
  [...list.children].forEach((option, index) => option.id = `palette-${index}`);
  const count = list.children.length;
  status.textContent = refusal ? problem.textContent : count === 1 ? "1 result" : `${count} results`;
  if (count === 0 && !refusal) problem.textContent = "Nothing fits.";
  choose(list.firstElementChild);
  list.removeAttribute("aria-busy");
  if (entered) follow(list.firstElementChild, entered.inNewTab);
  entered = undefined;
}

function choose(option) {
  list.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
  if (!option) return input.removeAttribute("aria-activedescendant");
  option.setAttribute("aria-selected", "true");
  input.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function follow(option, inNewTab) {
  if (!option) return;
  dialog.close();
  if (inNewTab) globalThis.open(option.dataset.href, "_blank", "noopener");
  else location.assign(option.dataset.href);
}

input.addEventListener("input", () => {
  clearTimeout(timer);
  // The results are not those of this text any more, nor are those under way.
  request?.abort();
  list.setAttribute("aria-busy", "true");
  entered = undefined;
  timer = setTimeout(search, TYPED_MS);
});

input.addEventListener("keydown", (event) => {
  const options = [...list.children];
  const chosen = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  const to = {
    ArrowDown: (chosen + 1) % options.length,
    ArrowUp: (chosen - 1 + options.length) % options.length,
    PageDown: Math.min(chosen + 8, options.length - 1),
    PageUp: Math.max(chosen - 8, 0),
  }[event.key];
  if (to !== undefined) choose(options[to]);
  else if (event.key === "Enter" && !event.isComposing) {
    const inNewTab = event.ctrlKey || event.metaKey;
    if (list.hasAttribute("aria-busy")) entered = { inNewTab };
    else follow(options[chosen], inNewTab);
  } else return;
  event.preventDefault();
});

list.addEventListener(
  "click",
  (event) => follow(event.target.closest("[role=option]"), event.ctrlKey || event.metaKey),
);
list.addEventListener("pointermove", ({ target }) => {
  const option = target.closest("[role=option]");
  if (option && option.getAttribute("aria-selected") !== "true") choose(option);
});

dialog.addEventListener("click", ({ target }) => {
  // The dialog itself is what is clicked outside of its content.
  if (target === dialog || target.closest("[aria-label=Close]")) dialog.close();
});
dialog.addEventListener("close", () => {
  clearTimeout(timer);
  entered = undefined;
  request?.abort();
});

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (dialog.open) dialog.close();
  else open();
});

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-palette]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open();
});
