// Runs a handler of attempts with every permission, as a control: what fails here, too, was no attempt.

import { pathToFileURL } from "node:url";

const { default: handler } = await import(pathToFileURL(Deno.args[0]!).href);
const response: Response = await handler({}, {});
// Something the attempts have opened may keep the process alive.
console.log("OUTCOMES " + await response.text());
Deno.exit(0);
