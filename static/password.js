// Puts a button into each field of a password, which shows what is typed.

for (const input of document.querySelectorAll("input[type=password][autocomplete$=password]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet small";
  const field = document.createElement("span");
  field.className = "visually-hidden";
  field.textContent = ` what is typed as ${input.labels[0]?.textContent ?? "this"}`;
  button.append("Show", field);
  button.addEventListener("click", () => {
    const isShown = input.type === "password";
    input.type = isShown ? "text" : "password";
    button.firstChild.data = isShown ? "Hide" : "Show";
  });
  // What is shown is not kept by the browser as a text that was typed before.
  input.form?.addEventListener("submit", () => input.type = "password");
  const box = document.createElement("div");
  box.className = "password-box";
  input.replaceWith(box);
  box.append(input, button);
}
