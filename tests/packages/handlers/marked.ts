import { marked } from "npm:marked@18.2.1";

export default async (c) => c.html(marked.parse(await c.req.text() || "# Title\n\n- *one*\n- `two`\n"));
