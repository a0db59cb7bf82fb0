import ivm from "npm:isolated-vm@7.0.1";

export default async (c) => c.json(await new ivm.Isolate().createContextSync().eval("1 + 1"));
