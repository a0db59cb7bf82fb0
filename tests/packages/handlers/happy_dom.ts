import { Window } from "npm:happy-dom@21.0.4";

export default async function (c) {
  const window = new Window();
  window.document.body.innerHTML = "<a href='/x'>link</a>";
  const text = window.document.querySelector("a").textContent;
  await window.happyDOM.close();
  return c.text(text);
}
