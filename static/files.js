// Enhances the pages of files: folds folders of the tree in place, and takes files that are dropped on the page.

for (const tree of document.querySelectorAll("[data-tree]")) {
  for (const link of tree.querySelectorAll("[data-folder]")) addFold(tree, link);
}

/** Adds the button that shows or hides what is in a folder; it is fetched once. */
function addFold(tree, link) {
  const { folder } = link.dataset;
  const item = link.parentElement;
  const button = document.createElement("button");
  button.type = "button";
  button.ariaLabel = `Contents of ${folder}`;
  button.ariaExpanded = String(item.querySelector("ul") !== null);
  const icon = link.querySelector("svg").cloneNode(true);
  const use = icon.querySelector("use");
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, "#chevron-right"));
  button.append(icon);
  button.addEventListener("click", async () => {
    const isOpen = button.ariaExpanded !== "true";
    if (isOpen && !item.querySelector("ul") && !await load(tree, item, folder)) return;
    button.ariaExpanded = String(isOpen);
    item.querySelector("ul").hidden = !isOpen;
  });
  item.prepend(button);
}

/** Fetches the entries of a folder; without an answer, its page is opened, which says why. */
async function load(tree, item, folder) {
  try {
    const answer = await fetch(`${tree.dataset.tree}?${new URLSearchParams({ folder })}`, { redirect: "error" });
    if (!answer.ok) throw new Error(answer.statusText);
    item.insertAdjacentHTML("beforeend", await answer.text());
  } catch {
    location.href = item.querySelector("a").href;
    return false;
  }
  for (const link of item.querySelector("ul").querySelectorAll("[data-folder]")) addFold(tree, link);
  return true;
}

// Files that are dropped anywhere are chosen in the form, whose button sends them.
const main = document.getElementById("main");
const form = document.querySelector("[data-upload]");
if (form) {
  const input = form.querySelector("input[type=file]");
  const over = (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    main.classList.add("over");
  };
  main.addEventListener("dragenter", over);
  main.addEventListener("dragover", over);
  main.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!main.contains(relatedTarget)) main.classList.remove("over");
  });
  main.addEventListener("drop", (event) => {
    if (event.dataTransfer.files.length === 0) return;
    event.preventDefault();
    main.classList.remove("over");
    input.files = event.dataTransfer.files;
    form.closest("details").open = true;
    form.querySelector("button").focus();
  });
}
