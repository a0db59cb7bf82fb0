// The documentation: buttons that copy code, links to a heading that has a page now.

const sections = document.querySelector("[data-sections]");

/** The address of a long document with the id of a heading leads to the page that has the heading. */
function followHash() {
  const entry = sections && location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (entry && sections.contains(entry)) location.replace(entry.querySelector("a").href);
}

/** Puts a button that copies it next to an example. */
function offerCopy(code, number) {
  code.id = `code-${number}`;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "secondary small";
  button.dataset.copy = code.id;
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy example ${number}`);
  const example = document.createElement("div");
  example.className = "example";
  code.parentElement.replaceWith(example);
  example.append(code.parentElement, button);
}

for (const [at, code] of document.querySelectorAll(".prose pre > code").entries()) offerCopy(code, at + 1);
addEventListener("hashchange", followHash);
followHash();
