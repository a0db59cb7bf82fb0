import Mustache from "npm:mustache@4.2.0";

export default (c) => c.html(Mustache.render("{{#names}}<li>{{.}}</li>{{/names}}", { names: ["Ada", "<Bob>"] }));
