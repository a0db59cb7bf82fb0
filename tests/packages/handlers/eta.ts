import { Eta } from "npm:eta@4.6.0";

const eta = new Eta();

export default (c) => c.html(eta.renderString("<li><%= it.name %></li>", { name: "<Bob>" }));
