import { createElement, useState } from "npm:react@19.3.1";
import { renderToReadableStream } from "npm:react-dom@19.3.1/server";

function Counter({ start }) {
  const [count] = useState(start);
  return createElement("button", { className: "counter" }, `Count: ${count} <3`);
}

export default async () =>
  new Response(await renderToReadableStream(createElement(Counter, { start: 7 })), {
    headers: { "Content-Type": "text/html" },
  });
