// Mail, payments, messaging and other services for businesses.

import type { ApiRoute } from "./api.ts";

const post = (path: RegExp, answer: ApiRoute["answer"]): ApiRoute => ({
  method: "POST",
  path,
  authenticated: true,
  answer,
});
const get = (path: RegExp, answer: ApiRoute["answer"]): ApiRoute => ({
  method: "GET",
  path,
  authenticated: true,
  answer,
});

const MAIL: readonly ApiRoute[] = [
  post(/^\/resend\/emails$/, ({ json }) => ({ id: `mail-to-${json.to}` })),
  post(/^\/sendgrid\/v3\/mail\/send$/, () => new Response(null, { status: 202 })),
  post(/^\/mailgun\/v3\/example\.com\/messages$/, () => ({ id: "<7@example.com>", message: "Queued. Thank you." })),
  post(/^\/email$/, ({ json }) => ({ To: json.To, MessageID: "m7", ErrorCode: 0, Message: "OK" })),
];

const PAYMENTS: readonly ApiRoute[] = [
  post(/^\/v1\/payment_intents$/, ({ text }) => ({
    id: "pi_7",
    object: "payment_intent",
    amount: Number(new URLSearchParams(text).get("amount")),
    status: "requires_payment_method",
  })),
  get(/^\/v1\/charges\/ch_declined$/, () =>
    Response.json(
      {
        error: { type: "card_error", code: "card_declined", message: "Your card was declined." },
      },
      { status: 402 },
    )),
  post(/^\/square\/v2\/payments$/, ({ json }) => ({ payment: { id: "sq_7", amount_money: json.amount_money } })),
  post(/^\/plaid\/accounts\/balance\/get$/, () => ({ accounts: [{ account_id: "a7", balances: { current: 110 } }] })),
];

const MESSAGING: readonly ApiRoute[] = [
  post(/^\/slack\/chat\.postMessage$/, () => ({ ok: true, channel: "C7", ts: "1767225600.000100" })),
  { method: "POST", path: /^\/slack\/hook$/, answer: () => new Response("ok") },
  post(
    /^\/twilio\/2010-04-01\/Accounts\/AC\d+\/Messages\.json$/,
    () => Response.json({ sid: "SM7", status: "queued" }, { status: 201 }),
  ),
  post(/^\/discord\/v10\/channels\/7\/messages$/, () => ({ id: "700" })),
  {
    method: "POST",
    path: /^\/telegram\/bota-token-of-tests-\w+\/sendMessage$/,
    answer: () => ({
      ok: true,
      result: { message_id: 42, date: 0, chat: { id: 7, type: "private" }, text: "Welcome!" },
    }),
  },
  { method: "POST", path: /^\/apps\/7\/events$/, answer: () => ({}) },
];

const TOOLS: readonly ApiRoute[] = [
  get(/^\/github\/repos\/ada\/engine$/, () => ({ full_name: "ada/engine", stargazers_count: 1843 })),
  get(/^\/github\/repos\/ada\/engine\/issues\/9$/, () => Response.json({ message: "Not Found" }, { status: 404 })),
  get(/^\/notion\/v1\/pages\/p7$/, () => ({ object: "page", id: "p7", properties: {} })),
  post(/^\/1\/indexes\/books\/query$/, () => ({ hits: [{ objectID: "1", title: "Middlemarch" }], nbHits: 1 })),
  post(
    /^\/hubspot\/crm\/v3\/objects\/contacts$|^\/hubspot\/crm\/objects\/[^/]+\/contacts$/,
    ({ json }) =>
      Response.json({ ...json, id: "c7", createdAt: "2026-01-01T00:00:00Z", updatedAt: "2026-01-01T00:00:00Z" }, {
        status: 201,
      }),
  ),
  post(/^\/linear\/graphql$/, () => ({ data: { viewer: { id: "u7", name: "Ada" } } })),
  get(/^\/airtable\/v0\/app7\/Books$/, () => ({ records: [{ id: "r1", fields: { Title: "Middlemarch" } }] })),
  get(/^\/spaces\/space\/environments\/master\/entries$/, () => ({
    sys: { type: "Array" },
    total: 1,
    skip: 0,
    limit: 100,
    items: [{ sys: { id: "e7", type: "Entry" }, fields: { title: "A post" } }],
  })),
  { method: "POST", path: /^\/posthog\/(batch|flags|i\/v0\/e)\/?$/, answer: () => ({ status: 1 }) },
  { method: "POST", path: /^\/api\/7\/envelope\/$/, answer: () => ({ id: "7" }) },
  { method: "POST", path: /^\/segment(\/v1\/batch)?$/, answer: () => ({ success: true }) },
];

export const BUSINESS_ROUTES: readonly ApiRoute[] = [...MAIL, ...PAYMENTS, ...MESSAGING, ...TOOLS];
