import type { PackageCase } from "../package_case.ts";

export const FRAMEWORKS: readonly PackageCase[] = [
  {
    package: "hono",
    does: "routes requests, with a middleware",
    short: true,
    answer: { open: { open: true }, closed: 401, admin: "admin users" },
  },
  { package: "itty-router", does: "routes a request", answer: { home: true } },
  { package: "elysia", does: "routes a request", answer: { home: true } },
  { package: "h3", does: "routes a request", answer: { query: {} } },
  {
    package: "express",
    does: "routes a request with a JSON body",
    answer: { id: "7", name: "Ada" },
    note: "an app has no port to listen on; `light-my-request` hands it requests",
  },
  {
    package: "koa",
    does: "routes a request",
    answer: { path: "/users", query: { page: "2" } },
    note: "an app has no port to listen on; `light-my-request` hands it requests",
  },
  {
    package: "fastify",
    does: "validates a body",
    answer: { good: { sum: 5 }, bad: "body must have required property 'b'" },
    note: "an app has no port to listen on; `app.inject` hands it requests",
  },
  { package: "@trpc/server", does: "answers a query", answer: { result: { data: "Hello, Ada" } } },
  { package: "graphql-yoga", does: "answers a query", answer: { data: { add: 5 } } },
  { package: "@apollo/server", does: "executes a query", answer: { hello: "hello, Ada" } },
  { package: "graphql", does: "executes a query", answer: { data: { user: { id: "7", name: "Ada" } } } },
];
