import { getQuery, H3 } from "npm:h3@2.0.8";

const app = new H3()
  .get("/run/h3", (event) => ({ query: getQuery(event) }));

export default (c) => app.fetch(c.req.raw);
