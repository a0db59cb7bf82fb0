import { JSDOM } from "npm:jsdom@31.0.1";

export default function (c) {
  const { document } = new JSDOM("<p>Hello <b>Ada</b></p>").window;
  document.querySelector("b").textContent = "Bob";
  return c.html(document.body.innerHTML);
}
