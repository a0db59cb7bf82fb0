import { renderToString, ssr } from "npm:solid-js@1.9.19/web";
import { createSignal } from "npm:solid-js@1.9.19";

const Counter = () => {
  const [count] = createSignal(7);
  return ssr(["<p>", "</p>"], String(count()));
};

export default (c) => c.html(renderToString(Counter));
