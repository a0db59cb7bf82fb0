// "Try it": the path follows from the fields of the route's parameters, and they from a path that is typed. The method and
// the path that were sent last are kept for this tab of the browser. The rest may hold secrets, and browsers store what is
// kept on disk.

const STORE = "crude-trial.";
/** As in try_request.ts: `:name`, with its pattern, and whether it is optional. */
const PARAMETER = /:(\w+)(\{(?:[^{}]|\{[^{}]*\})*\})?(\?)?/g;

const form = document.querySelector("form[data-trial]");
if (form) start(form);

function start(form) {
  const { route, trial } = form.dataset;
  const fields = [...form.querySelectorAll("[data-parameter]")];
  const { path, method, body } = form.elements;
  let derived = path.value;

  const withoutQuery = () => path.value.split("?", 1)[0];
  const derive = () => {
    const values = new Map(fields.map((field) => [field.dataset.parameter, field.value]));
    derived = filled(route, values);
    path.value = derived + path.value.slice(withoutQuery().length);
  };
  for (const field of fields) {
    field.addEventListener("input", () => {
      if (withoutQuery() === derived) derive();
    });
  }
  path.addEventListener("input", () => {
    const values = valuesIn(route, withoutQuery());
    if (!values) return;
    for (const field of fields) field.value = values.get(field.dataset.parameter) ?? "";
    derived = withoutQuery();
  });

  const kept = read(STORE + trial);
  if (kept?.route === route && path.value === route && body.value === "") {
    method.value = kept.method;
    for (const field of fields) field.value = kept.values[field.dataset.parameter] ?? "";
    path.value = kept.path;
    derived = filled(route, new Map(Object.entries(kept.values)));
  }
  form.addEventListener("submit", () => {
    const values = Object.fromEntries(fields.map((field) => [field.dataset.parameter, field.value]));
    write(STORE + trial, { route, method: method.value, path: withoutQuery(), values });
  });
}

/** Returns the route with the values that are given in place of its parameters. */
function filled(route, values) {
  const named = route.replaceAll(PARAMETER, (whole, name) => {
    const value = values.get(name) ?? "";
    return value === "" ? whole : encodeURIComponent(value);
  });
  const rest = values.get("*") ?? "";
  return rest === "" ? named : named.replace(/\*$/, () => rest.split("/").map(encodeURIComponent).join("/"));
}

/** Returns the values of the route's parameters in a path; undefined if it is not a path of the route. */
function valuesIn(route, path) {
  const names = [];
  const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  let pattern = "";
  let end = 0;
  for (const { 0: whole, 1: name, 3: optional, index } of route.matchAll(PARAMETER)) {
    const before = route.slice(end, index);
    pattern += optional ? `${literal(before.replace(/\/$/, ""))}(?:/([^/]*))?` : `${literal(before)}([^/]*)`;
    names.push(name);
    end = index + whole.length;
  }
  const rest = route.slice(end);
  if (rest.endsWith("*")) names.push("*");
  pattern += literal(rest.replace(/\*$/, "")) + (rest.endsWith("*") ? "(.*)" : "");
  const found = new RegExp(`^${pattern}$`).exec(path);
  if (!found) return undefined;
  try {
    const valueOf = (text = "") => text.startsWith(":") || text === "*" ? "" : decodeURIComponent(text);
    return new Map(names.map((name, index) => [name, valueOf(found[index + 1])]));
  } catch {
    return undefined;
  }
}

function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return undefined;
  }
}

function write(key, value) {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // The browser's storage is full or refused: nothing is kept.
  }
}
