// What a handler finds in `c` and `ctx`, as completion tells it. Kept by hand: the words are for newcomers.

export interface Member {
  /** After the dot. */
  readonly name: string;
  /** What follows the name when it is taken over; "|" is where the cursor goes. */
  readonly then?: string;
  /** Signature or type, in short. */
  readonly detail: string;
  readonly info: string;
}

/** By what stands before the dot, with the parameters' names as `c` and `ctx`. */
export const MEMBERS: Readonly<Record<string, readonly Member[]>> = {
  c: [
    { name: "req", detail: "the request", info: "Method, headers, query and body of the request." },
    {
      name: "json",
      then: "({ | })",
      detail: "(value, status?)",
      info: "A response with JSON.\nreturn c.json({ ok: true }, 201);",
    },
    { name: "text", then: '("|")', detail: "(text, status?)", info: "A response with plain text." },
    { name: "html", then: '("|")', detail: "(html, status?)", info: "A response with HTML." },
    {
      name: "body",
      then: "(|)",
      detail: "(data, status?, headers?)",
      info: "A response with bytes, a stream or a string, as they are.",
    },
    {
      name: "redirect",
      then: '("|")',
      detail: "(address, status = 302)",
      info: "Sends the caller to another address.",
    },
    { name: "notFound", then: "()", detail: "()", info: "A response with status 404." },
    {
      name: "header",
      then: '("|")',
      detail: "(name, value)",
      info: "Sets a header of the response that is made after it.",
    },
    { name: "status", then: "(|)", detail: "(code)", info: "Sets the status of the response that is made after it." },
    {
      name: "newResponse",
      then: "(|)",
      detail: "(data, status?, headers?)",
      info: "A Response with the headers set so far.",
    },
    { name: "set", then: '("|")', detail: "(name, value)", info: "Keeps a value for the rest of this call." },
    { name: "get", then: '("|")', detail: "(name)", info: "A value that was kept with c.set." },
  ],
  "c.req": [
    { name: "method", detail: "string", info: "GET, POST, …" },
    { name: "url", detail: "string", info: "The whole address, without an API key." },
    { name: "path", detail: "string", info: "The path of the address, with /run." },
    {
      name: "header",
      then: '("|")',
      detail: "(name)",
      info: "A header of the request, or undefined. The caller's API key is never among them.",
    },
    { name: "query", then: '("|")', detail: "(name)", info: "A parameter of the query, or undefined." },
    { name: "queries", then: '("|")', detail: "(name)", info: "All values of a parameter that occurs several times." },
    { name: "param", then: '("|")', detail: "(name)", info: "A parameter of the route, as ctx.params has it." },
    { name: "json", then: "()", detail: "() → Promise", info: "The body as JSON.\nconst order = await c.req.json();" },
    { name: "text", then: "()", detail: "() → Promise<string>", info: "The body as text." },
    { name: "formData", then: "()", detail: "() → Promise<FormData>", info: "The body as a form." },
    { name: "parseBody", then: "()", detail: "() → Promise", info: "The fields of a form, by name." },
    { name: "arrayBuffer", then: "()", detail: "() → Promise<ArrayBuffer>", info: "The body as bytes." },
    { name: "raw", detail: "Request", info: "The standard Request; raw.body is a stream." },
  ],
  ctx: [
    {
      name: "getSecret",
      then: '("|")',
      detail: "(name, scope?) → Promise",
      info:
        'The value that is set for the caller\'s key, its group, this function or globally: the first there is, or undefined.\nconst key = await ctx.getSecret("STRIPE_API_KEY");',
    },
    {
      name: "getCompleteSecret",
      then: '("|")',
      detail: "(name) → Promise",
      info: "The values of every scope that this call may read, with their owners.",
    },
    {
      name: "waitUntil",
      then: "(|)",
      detail: "(promise)",
      info: "Work that goes on after the response; getSecret works in it.\nctx.waitUntil(sendReceipt(order));",
    },
    { name: "params", detail: "the route's parameters", info: "Decoded: for the route /orders/:id, ctx.params.id." },
    { name: "query", detail: "the query's parameters", info: "Decoded; of one that occurs several times, the first." },
    { name: "requestId", detail: "string", info: "UUID of this call, as in its log and in the answer's X-Request-Id." },
    { name: "requestedAt", detail: "Date", info: "When the request came in." },
    {
      name: "authenticatedKeyGroup",
      detail: "string | undefined",
      info: "Name of the group whose key let the call in; undefined on a public function.",
    },
    { name: "route", detail: "this function", info: "Its name, description, handler, route, methods and keys." },
  ],
  "ctx.route": [
    { name: "name", detail: "string", info: "Its name." },
    { name: "description", detail: "string", info: "Its description." },
    { name: "handler", detail: "string", info: "Path of this file in the code folder." },
    { name: "route", detail: "string", info: "The pattern, such as /orders/:id." },
    { name: "methods", detail: "string[]", info: "The methods that it answers." },
    { name: "keys", detail: "number[]", info: "Ids of the groups whose keys may call it; empty if it is public." },
  ],
};

export const SCOPES: readonly Member[] = [
  { name: "key", detail: "scope", info: "Set for the API key of this call." },
  { name: "group", detail: "scope", info: "Set for the group of that key." },
  { name: "function", detail: "scope", info: "Set for this function." },
  { name: "global", detail: "scope", info: "Set for all." },
];
