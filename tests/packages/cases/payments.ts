import type { PackageCase } from "../package_case.ts";

export const PAYMENTS: readonly PackageCase[] = [
  {
    package: "stripe",
    does: "creates a payment, handles a declined card, checks a webhook's signature",
    services: ["api"],
    sealed: true,
    short: true,
    answer: {
      id: "pi_7",
      amount: 1250,
      declined: { type: "StripeCardError", code: "card_declined" },
      event: "payment_intent.succeeded",
    },
  },
  {
    package: "square",
    does: "creates a payment",
    services: ["api"],
    sealed: true,
    answer: { id: "sq_7", amount: "1250" },
  },
  {
    package: "plaid",
    does: "reads balances",
    services: ["api"],
    sealed: true,
    answer: [{ account_id: "a7", balances: { current: 110 } }],
  },
  {
    package: "@octokit/rest",
    does: "reads a repository and handles an issue that is missing",
    services: ["api"],
    sealed: true,
    answer: { stars: 1843, missing: 404 },
  },
  { package: "@notionhq/client", does: "reads a page", services: ["api"], sealed: true, answer: { id: "p7" } },
  { package: "algoliasearch", does: "searches an index", services: ["api"], sealed: true, answer: ["Middlemarch"] },
  { package: "@hubspot/api-client", does: "creates a contact", services: ["api"], sealed: true, answer: { id: "c7" } },
  { package: "@linear/sdk", does: "reads the user", services: ["api"], sealed: true, answer: { name: "Ada" } },
  { package: "airtable", does: "reads records", services: ["api"], sealed: true, answer: ["Middlemarch"] },
  { package: "contentful", does: "reads entries", services: ["api"], sealed: true, answer: ["A post"] },
  { package: "posthog-node", does: "captures an event", services: ["api"], answer: { sent: true } },
  { package: "@segment/analytics-node", does: "tracks an event", services: ["api"], answer: { sent: true } },
  { package: "@sentry/node", does: "reports an exception", services: ["api"], answer: { id: 32, sent: true } },
  { package: "@sentry/deno", does: "reports a message", services: ["api"], answer: { id: 32, sent: true } },
];
