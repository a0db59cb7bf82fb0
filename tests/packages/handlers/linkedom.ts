import { parseHTML } from "npm:linkedom@0.18.15";

export default function (c) {
  const { document } = parseHTML("<!doctype html><h1>Title</h1><p>Text</p>");
  document.querySelector("p").setAttribute("class", "lead");
  return c.html(document.querySelector("p").outerHTML);
}
