import type { PackageCase } from "../package_case.ts";

export const HTTP: readonly PackageCase[] = [
  {
    package: "axios",
    does: "posts JSON and handles a 404",
    services: ["api"],
    short: true,
    answer: { body: { name: "Ada" }, query: { page: "2" }, missing: 404 },
  },
  { package: "got", does: "posts JSON", services: ["api"], answer: { body: { name: "Ada" }, query: { page: "2" } } },
  {
    package: "ky",
    does: "posts JSON and handles a 404",
    services: ["api"],
    answer: { body: { name: "Ada" }, missing: "HTTPError" },
  },
  { package: "node-fetch", does: "posts JSON", services: ["api"], answer: { name: "Ada" } },
  {
    package: "undici",
    does: "posts JSON through a pool",
    services: ["api"],
    answer: { statusCode: 200, body: { name: "Ada" } },
  },
  {
    package: "superagent",
    does: "posts JSON",
    services: ["api"],
    answer: { body: { name: "Ada" }, query: { page: "2" } },
  },
  { package: "ofetch", does: "posts JSON", services: ["api"], answer: { name: "Ada" } },
  { package: "graphql-request", does: "queries", services: ["api"], answer: { user: { name: "Ada" } } },
  { package: "ws", does: "sends and receives over a WebSocket", services: ["api"], answer: "echo: hello" },
  { package: "eventsource", does: "receives server-sent events", services: ["api"], answer: ["one", "two"] },
  {
    package: "form-data",
    does: "posts a form with a file",
    services: ["api"],
    answer: { name: "Ada", file: "a.txt", text: "contents" },
  },
  { package: "soap", does: "calls an operation of a WSDL", services: ["api"], answer: { sum: 5 } },
  { package: "@grpc/grpc-js", does: "calls a method", services: ["grpc"], answer: "Hello, Ada." },
  {
    package: "isomorphic-git",
    does: "lists the branches of a repository",
    services: ["api"],
    answer: { heads: { main: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" } },
  },
  {
    package: "basic-ftp",
    does: "connects",
    net: ["127.0.0.1:9"],
    answer: { refused: true },
    note: "not tested against a server: only that a failed connection is reported",
  },
  {
    package: "ssh2",
    does: "connects",
    net: ["127.0.0.1:9"],
    answer: { code: "ECONNREFUSED" },
    note: "not tested against a server: only that a failed connection is reported",
  },
];
