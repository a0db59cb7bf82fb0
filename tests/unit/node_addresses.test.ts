// The addresses of a cluster's nodes, to which no function may connect.

import assert from "node:assert/strict";
import { NodeAddresses } from "../../src/cluster/peers/addresses.ts";

Deno.test("every name and every address of every node is closed, with its port", async () => {
  const names = new Map([["node-a.example", ["192.0.2.1", "2001:db8::1"]]]);
  const warnings: string[] = [];
  const addresses = new NodeAddresses({
    of: "a node",
    resolve: (name) => names.has(name) ? Promise.resolve(names.get(name)!) : Promise.reject(new Error("unknown")),
    warn: (message) => warnings.push(message),
  });
  try {
    await addresses.follow([
      { url: "http://Node-A.example:8000" },
      { url: "https://192.0.2.2" },
      { url: "http://[2001:db8::3]:8000" },
      { url: "http://node-d:80" },
    ]);
    assert.deepEqual(addresses.all(), [
      "192.0.2.1:8000",
      "192.0.2.2:443",
      "[2001:db8::1]:8000",
      "[2001:db8::3]:8000",
      "node-a.example:8000",
      "node-d:80",
    ]);
    assert.match(warnings.join(), /^The host name node-d of a node cannot be resolved\. Only its name/);
    // A name that stands for something else now, a node that is gone, and one whose name is gone.
    names.set("node-a.example", ["192.0.2.9"]);
    await addresses.follow([{ url: "http://node-a.example:8000" }]);
    assert.deepEqual(addresses.all(), ["192.0.2.9:8000", "node-a.example:8000"]);
    names.clear();
    await addresses.follow([{ url: "http://node-a.example:8001" }]);
    assert.deepEqual(addresses.all(), ["192.0.2.9:8001", "node-a.example:8001"]);
  } finally {
    addresses.close();
  }
});
