import nunjucks from "npm:nunjucks@3.2.4";

const environment = new nunjucks.Environment(null, { autoescape: true });

export default (c) =>
  c.html(environment.renderString("{% for name in names %}<li>{{ name | upper }}</li>{% endfor %}", {
    names: ["Ada", "<Bob>"],
  }));
