// Converts between a function, the texts of its form, and the input of the API's schemas.

import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import { CORS_MAX_AGE_SECONDS, DEFAULT_CONFINEMENT } from "../../../../core/functions/permissions.ts";
import { readDuration, writeDuration } from "../../../../core/settings/kinds.ts";
import { SECOND_MS } from "../../../../time.ts";
import { fieldText, type Problems, type Typed } from "../../shell/forms.ts";
import { parsePositiveInt } from "../../ui/format.ts";
import { type Template, TEMPLATES } from "./template.ts";

const TEMPLATE_NAMES = Object.keys(TEMPLATES) as Template[];
export const NETS = ["any", "none", "hosts"] as const;

export interface FunctionForm {
  readonly name: string;
  readonly description: string;
  readonly handler: string;
  readonly route: string;
  readonly methods: readonly string[];
  /** Ids of the chosen groups. */
  readonly keys: readonly string[];
  readonly net: (typeof NETS)[number];
  /** One per line, as in the fields below. */
  readonly hosts: string;
  readonly secrets: string;
  readonly isolation: string;
  readonly responseGuard: string;
  /** Origins that may call it, one per line. Empty: none. */
  readonly origins: string;
  readonly corsHeaders: string;
  /** "yes" or empty. */
  readonly corsCredentials: string;
  readonly corsMaxAge: string;
  readonly timeoutMs: string;
  readonly memoryMb: string;
  /** Patterns, one per line. */
  readonly files: string;
  /** What the code of a new function begins with. */
  readonly template: Template;
}

/** Labels of the form's fields. */
export const LABELS = {
  name: "Name",
  description: "Description",
  handler: "Handler file",
  route: "Route",
  methods: "Methods",
  keys: "Who may call it",
  hosts: "Hosts",
  secrets: "Secret names",
  isolation: "Isolation",
  responseGuard: "Secrets in responses",
  origins: "Allowed origins",
  corsHeaders: "Allowed request headers",
  corsCredentials: "Credentials",
  corsMaxAge: "Preflight cache",
  timeoutMs: "Time limit",
  memoryMb: "Memory limit",
  files: "Files it may read",
};

export const NET_LABELS: Readonly<Record<FunctionForm["net"], string>> = {
  any: "Anywhere, except this machine and link-local addresses (default)",
  none: "Nowhere",
  hosts: "To these hosts only",
};

export const BLANK: FunctionForm = {
  name: "",
  description: "",
  handler: "",
  route: "",
  methods: ["GET"],
  keys: [],
  net: "any",
  hosts: "",
  secrets: DEFAULT_CONFINEMENT.secrets.join("\n"),
  isolation: DEFAULT_CONFINEMENT.isolation,
  responseGuard: DEFAULT_CONFINEMENT.responseGuard,
  origins: "",
  corsHeaders: "",
  corsCredentials: "",
  corsMaxAge: "",
  timeoutMs: "",
  memoryMb: "",
  files: "",
  template: "hello",
};

export function formOf(entry: RegisteredFunction): FunctionForm {
  const { net } = entry.permissions;
  return {
    name: entry.name,
    description: entry.description,
    handler: entry.handler,
    route: entry.route,
    methods: entry.methods,
    keys: entry.keys.map(String),
    net: net === true ? "any" : net === false ? "none" : "hosts",
    hosts: typeof net === "boolean" ? "" : net.join("\n"),
    secrets: entry.secrets.join("\n"),
    isolation: entry.isolation,
    responseGuard: entry.responseGuard,
    origins: entry.cors?.origins.join("\n") ?? "",
    corsHeaders: entry.cors?.headers?.join("\n") ?? "",
    corsCredentials: entry.cors?.credentials ? "yes" : "",
    corsMaxAge: entry.cors && entry.cors.maxAgeSeconds !== CORS_MAX_AGE_SECONDS
      ? writeDuration(entry.cors.maxAgeSeconds, SECOND_MS)
      : "",
    timeoutMs: entry.timeoutMs === null ? "" : writeDuration(entry.timeoutMs, 1),
    memoryMb: entry.memoryMb === null ? "" : `${entry.memoryMb} MB`,
    files: entry.files.join("\n"),
    template: "hello",
  };
}

export function typedForm(typed: Typed): FunctionForm {
  const text = (name: string) => fieldText(typed, name);
  const net = text("net");
  return {
    name: text("name").trim(),
    description: text("description"),
    handler: text("handler").trim(),
    route: text("route").trim(),
    methods: typed["methods"] ?? [],
    keys: typed["keys"] ?? [],
    net: NETS.find((one) => one === net) ?? "any",
    hosts: text("hosts"),
    secrets: text("secrets"),
    isolation: text("isolation") || BLANK.isolation,
    responseGuard: text("responseGuard") || BLANK.responseGuard,
    origins: text("origins"),
    corsHeaders: text("corsHeaders"),
    corsCredentials: text("corsCredentials"),
    corsMaxAge: text("corsMaxAge").trim(),
    timeoutMs: text("timeoutMs").trim(),
    memoryMb: text("memoryMb").trim(),
    files: text("files"),
    template: TEMPLATE_NAMES.find((one) => one === text("template")) ?? "hello",
  };
}

/** Fills the fields that a new function may leave empty from its name. */
export function completed(form: FunctionForm): FunctionForm {
  // Without the marks of letters: "Ünïcode" becomes "unicode".
  const letters = form.name.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const slug = letters.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
  if (slug === "") return form;
  return { ...form, handler: form.handler || `${slug}.ts`, route: form.route || `/${slug}` };
}

/** Returns the input of the API's schemas, which report its problems. */
export function toInput(form: FunctionForm): Record<string, unknown> {
  const { template: _, net, hosts, origins, corsHeaders, corsCredentials, corsMaxAge, timeoutMs, memoryMb, ...rest } =
    form;
  return {
    ...rest,
    keys: form.keys.map(parsePositiveInt),
    permissions: { net: net === "hosts" ? linesOf(hosts) : net === "any" },
    secrets: linesOf(form.secrets),
    cors: linesOf(origins).length === 0 ? null : {
      origins: linesOf(origins),
      headers: linesOf(corsHeaders).length === 0 ? null : linesOf(corsHeaders),
      credentials: corsCredentials !== "",
      maxAgeSeconds: corsMaxAge === "" ? CORS_MAX_AGE_SECONDS : readDuration(corsMaxAge, SECOND_MS) ?? corsMaxAge,
    },
    timeoutMs: timeoutMs === "" ? null : readDuration(timeoutMs, 1) ?? timeoutMs,
    memoryMb: memoryMb === "" ? null : numberOrText(memoryMb.replace(/ ?MB$/i, "")),
    files: linesOf(form.files),
  };
}

function linesOf(text: string): string[] {
  return text.split(/[\n,]/).map((line) => line.trim()).filter((line) => line !== "");
}

function numberOrText(text: string): number | string {
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

function corsField(path: string): string {
  const [, part] = path.split(".");
  return { headers: "corsHeaders", credentials: "corsCredentials", maxAgeSeconds: "corsMaxAge" }[part ?? ""] ??
    "origins";
}

/** Problems of numbers, in the units of the form. */
const RANGES: Readonly<Record<string, string>> = {
  timeoutMs: "must be 100 ms to 1 h, or empty",
  memoryMb: "must be 32 to 4,096 MB, or empty",
  corsMaxAge: "must be 0 s to 24 h, or empty",
};

/** Converts problems of the API's fields to problems of the form's. */
export function problemsOfForm(problems: Problems): Problems {
  const mapped: Record<string, string> = Object.create(null);
  for (const [path, problem] of Object.entries(problems)) {
    const [first] = path.split(".") as [string];
    const field = first === "permissions" ? "hosts" : first === "cors" ? corsField(path) : first;
    mapped[field] ??= RANGES[field] ??
      (path === "permissions.net"
        ? 'must be 1 to 100 hosts such as "api.example.com:443", one per line'
        : problem.replace(/, or null$/, ", or empty"));
  }
  return mapped;
}
