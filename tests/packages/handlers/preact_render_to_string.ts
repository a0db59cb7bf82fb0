import { h } from "npm:preact@11.2.0";
import { renderToString } from "npm:preact-render-to-string@6.8.2";

const List = ({ items }) => h("ul", null, items.map((item) => h("li", { key: item }, item)));

export default (c) => c.html(renderToString(h(List, { items: ["a", "b & c"] })));
