// The settings: a filter by words, and a bar that appears when something is not saved.

const form = document.querySelector("[data-settings]");
const settings = [...form.querySelectorAll(".setting")];

/** Shows the bar while something is not saved, and how many settings that concerns. */
function showUnsaved() {
  const edited = settings.filter((setting) => [...setting.querySelectorAll("input, select, textarea")].some(isEdited));
  for (const setting of settings) setting.classList.toggle("edited", edited.includes(setting));
  const isUnsaved = edited.length > 0 || "unsaved" in form.dataset;
  form.classList.toggle("is-unsaved", isUnsaved);
  const count = edited.length === 1 ? "1 setting" : `${edited.length} settings`;
  form.querySelector("[data-unsaved-count]").textContent = edited.length > 0 ? `${count} not saved` : "Not saved";
}

form.addEventListener("input", showUnsaved);
form.addEventListener("change", showUnsaved);
form.addEventListener("reset", () => setTimeout(showUnsaved));
showUnsaved();

const filter = document.querySelector("[data-settings-filter]");

/** Shows the settings that have all words in their name, raw name or meaning, and opens what is folded around them. */
function applyFilter() {
  const [words, changedOnly] = filter.querySelectorAll("input");
  const typed = words.value.toLowerCase().split(/\s+/);
  const isFiltered = words.value.trim() !== "" || changedOnly.checked;
  for (const setting of settings) {
    const text = setting.textContent.toLowerCase();
    const fits = typed.every((word) => text.includes(word));
    setting.hidden = !fits || changedOnly.checked && !setting.matches("[data-changed], .edited");
  }
  for (const group of form.querySelectorAll(".settings-group, details")) {
    group.hidden = !group.querySelector(".setting:not([hidden])");
  }
  for (const folded of form.querySelectorAll("details")) {
    folded.dataset.open ??= String(folded.open);
    folded.open = isFiltered || folded.dataset.open === "true";
  }
  document.querySelector("[data-nothing]").hidden = settings.some((setting) => !setting.hidden);
}

if (filter) {
  filter.hidden = false;
  filter.addEventListener("input", applyFilter);
}
