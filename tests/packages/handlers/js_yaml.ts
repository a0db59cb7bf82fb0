import { dump, load } from "npm:js-yaml@5.5.0";

export default (c) => c.json({ loaded: load("name: Ada\nlangs:\n  - fr\n  - en\n"), dumped: dump({ a: [1, 2] }) });
