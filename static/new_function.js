// The form of a new function: shows what follows from its name, and its URL, while they are typed.

const form = document.querySelector("[data-new-function]");
const [name, route, handler] = ["name", "route", "handler"].map((field) => form.elements.namedItem(field));
const line = form.querySelector(".new-url");

/** As the server derives it, which decides. */
function slugOf(text) {
  const letters = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return letters.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
}

function show() {
  const slug = slugOf(name.value);
  const derived = "Derived from the name";
  route.placeholder = slug === "" ? derived : `/${slug}`;
  handler.placeholder = slug === "" ? derived : `${slug}.ts`;
  const path = route.value.trim() || (slug === "" ? "" : `/${slug}`);
  line.hidden = !path.startsWith("/");
  line.querySelector("code").textContent = line.dataset.origin + (path === "/" ? "" : path);
}

for (const field of [name, route]) field.addEventListener("input", show);
// A webhook is sent by POST; methods that were chosen stay.
form.addEventListener("change", ({ target }) => {
  if (target.name !== "template") return;
  const boxes = [...form.querySelectorAll("[name=methods]")];
  const [from, to] = target.value === "webhook" ? ["GET", "POST"] : ["POST", "GET"];
  if (boxes.filter((box) => box.checked).map((box) => box.value).join() !== from) return;
  for (const box of boxes) box.checked = box.value === to;
});
show();
