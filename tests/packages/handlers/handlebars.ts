import Handlebars from "npm:handlebars@4.7.10";

Handlebars.registerHelper("upper", (text) => text.toUpperCase());
const render = Handlebars.compile("{{#each names}}<li>{{upper this}}</li>{{/each}}");

export default (c) => c.html(render({ names: ["Ada", "<Bob>"] }));
