import { Command } from "npm:commander@15.1.0";

export default function (c) {
  const program = new Command().exitOverride().option("-p, --port <number>", "port", Number).argument("<file>");
  program.parse(["-p", "80", "a.txt"], { from: "user" });
  return c.json({ ...program.opts(), args: program.args });
}
