import { parse } from "npm:ini@7.0.0";

export default (c) => c.json(parse("[database]\nhost = localhost\nport = 5432\n"));
