// Enhances the form of a secret: checks the name and counts the remaining bytes while the user types.

/** Pause in typing after which the count is read out. */
const PAUSE_MS = 700;

const name = document.querySelector("[data-name-check]");
const check = document.getElementById(name.dataset.nameCheck);
const value = document.querySelector("[data-bytes-left]");
const left = document.getElementById(value.dataset.bytesLeft);
const announcement = document.getElementById("bytes-announcement");
const crlf = document.getElementById("crlf");
const encoder = new TextEncoder();

function checkName() {
  const text = name.value.trim();
  const wrong = [...new Set(text.replace(/[a-zA-Z0-9_-]/g, ""))].map((c) => /\s/.test(c) ? "a space" : c);
  check.textContent = wrong.length === 0
    ? ""
    : `Name must be letters, digits, underscores and hyphens; not ${wrong.join(" ")}`;
  if (wrong.length > 0) name.setAttribute("aria-invalid", "true");
  else name.removeAttribute("aria-invalid");
}

let pause;
function countBytes() {
  const max = Number(left.dataset.max);
  const text = crlf?.checked ? value.value.replaceAll("\n", "\r\n") : value.value;
  const rest = max - encoder.encode(text).length;
  left.textContent = rest >= 0
    ? `${rest.toLocaleString("en")} bytes left.`
    : `${(-rest).toLocaleString("en")} bytes too many.`;
  left.classList.toggle("problem", rest < 0);
  clearTimeout(pause);
  pause = setTimeout(() => announcement.textContent = left.textContent, PAUSE_MS);
}

name.addEventListener("input", checkName);
value.addEventListener("input", countBytes);
crlf?.addEventListener("change", countBytes);
// The field may be filled by the server, or by the browser after "Back".
if (value.value !== "") countBytes();

const standing = document.getElementById("standing");
/** The fields that are sent for that, and never the value. */
const PLACE = ["name", "scope", "functionId", "groupId", "keyId"];
/** Pause in typing after which the server is asked. */
const ASK_MS = 300;
let asking;
let waiting;

/** Shows how the value would stand to the others of its name. */
async function showStanding() {
  const fields = PLACE.map((field) => [field, document.getElementById(field).value]);
  asking?.abort();
  const { signal } = asking = new AbortController();
  try {
    const address = `${standing.dataset.standing}?${new URLSearchParams(fields)}`;
    const answer = await fetch(address, { headers: { "HX-Request": "true" }, signal });
    if (answer.ok) standing.innerHTML = await answer.text();
  } catch {
    // The server is not there, or what was typed has changed. The form works without this hint.
  }
}

if (standing) {
  name.form.addEventListener("input", ({ target }) => {
    if (!PLACE.includes(target.name)) return;
    clearTimeout(waiting);
    waiting = setTimeout(showStanding, target === name ? ASK_MS : 0);
  });
}
