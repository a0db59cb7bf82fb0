// Enhances the secrets pages: unfolds names in place, keeps the search in the address, copies values.

const COPIED_MS = 2_000;

function announce(text) {
  document.getElementById("announcer").textContent = text;
}

/** Makes links to a name's values show them below its row. */
function prepareUnfolding(root) {
  for (const link of root.querySelectorAll("a[data-unfold]:not([aria-expanded])")) {
    // A chip that was replaced may be the link that opened the row.
    const { unfold } = link.dataset;
    const isOpen = !document.getElementById(unfold).closest("tr").hidden &&
      !document.querySelector(`a[aria-expanded=true][aria-controls="${unfold}"]`);
    link.setAttribute("aria-expanded", String(isOpen));
    link.setAttribute("aria-controls", unfold);
  }
}

async function toggle(link) {
  const cell = document.getElementById(link.dataset.unfold);
  const row = cell.closest("tr");
  const opens = link.getAttribute("aria-expanded") === "false";
  // The name and each of its chips open the same row.
  for (const other of cell.closest("table").querySelectorAll("a[data-unfold][aria-expanded=true]")) {
    if (other.dataset.unfold === link.dataset.unfold) other.setAttribute("aria-expanded", "false");
  }
  link.setAttribute("aria-expanded", String(opens));
  // Closing removes revealed values from the page.
  if (!opens) cell.replaceChildren();
  row.hidden = !opens;
  if (opens) await htmx.ajax("GET", link.getAttribute("href"), { target: cell, swap: "innerHTML" });
}

/** Replaces a value by its form, or the form by the value, and moves the focus into what is new. */
async function replaceValue(link) {
  const { id } = link.closest("li");
  await htmx.ajax("GET", link.dataset.inPlace, { target: `#${id}`, swap: "outerHTML" });
  document.querySelector(`#${id} :is([data-first], [data-in-place])`)?.focus();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a:is([data-unfold], [data-in-place])");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (link.dataset.unfold) toggle(link);
  else replaceValue(link);
});

async function fetchValue(path) {
  const notices = document.getElementById("notices");
  let text = '<p class="warning" role="alert">The server cannot be reached, so nothing was copied. Try again.</p>';
  try {
    const response = await fetch(path, { method: "POST", headers: { "HX-Request": "true" } });
    text = await response.text();
    if (response.ok) return text;
  } catch {
    // The server did not answer.
  }
  // Otherwise the answer is a notice, for example that the session has ended.
  notices.innerHTML = text;
  throw new Error(notices.textContent.trim());
}

/** Writes a text that has not arrived yet, because browsers allow this only right after the click. */
async function writeToClipboard(text) {
  if (navigator.clipboard && globalThis.ClipboardItem) {
    const blob = text.then((value) => new Blob([value], { type: "text/plain" }));
    return await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
  }
  // Without HTTPS, this is the only way to the clipboard.
  const area = document.createElement("textarea");
  area.value = await text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("The browser did not allow it.");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy-from]");
  if (!button) return;
  const label = button.querySelector("[data-copy-label]");
  const value = fetchValue(button.dataset.copyFrom);
  try {
    await writeToClipboard(value);
    label.textContent = "Copied";
    announce("Copied to the clipboard.");
  } catch {
    label.textContent = "Not copied";
    // Browsers report an error of their own for a value that never arrived.
    const reason = await value.then(() => "Reveal the value and copy it from there.", ({ message }) => message);
    announce(`Not copied. ${reason}`);
  }
  setTimeout(() => label.textContent = "Copy", COPIED_MS);
});

/** Shows the search in the address, so that it can be kept and shared. */
function showAddress() {
  const address = document.getElementById("results")?.dataset.address;
  if (address) history.replaceState(history.state, "", address);
}

prepareUnfolding(document);
document.addEventListener("htmx:after:swap", () => {
  prepareUnfolding(document);
  showAddress();
  document.querySelector(".editing [data-focus]")?.focus();
});
