import ejs from "npm:ejs@7.0.2";

const render = ejs.compile("<% for (const name of names) { %><li><%= name %></li><% } %>");

export default (c) => c.html(render({ names: ["Ada", "<Bob>"] }));
