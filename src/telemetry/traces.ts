// Makes spans of calls for Deno's own OpenTelemetry (OTEL_DENO=true). Deno makes a span of each request and takes over
// the caller's context. This turns it into the span of a call, adds children, and removes its address, which may
// contain a key.

import { ConfigError } from "../config.ts";
import type { Scope } from "../ids.ts";

/** https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/ */
const ADDRESS = new Set(["url.full", "url.query", "url.path"]);
/** Where OpenTelemetry's JavaScript API keeps the span in a context. */
const SPAN_KEY = Symbol.for("OpenTelemetry Context Key SPAN");
const STATUS_ERROR = 2;
const PROBE_KEY = "probe";

type Attributes = Record<string, string | number | boolean | string[]>;

/** The part of OpenTelemetry's interface in use: Deno.telemetry is untyped. */
interface Span {
  setAttribute(name: string, value: Attributes[string]): Span;
  setAttributes(attributes: Attributes): Span;
  setStatus(status: { code: number }): Span;
  updateName(name: string): Span;
  spanContext(): { traceId: string; spanId: string; traceFlags: number };
  end(): void;
}

interface Context {
  getValue(key: symbol): unknown;
}

interface Tracer {
  startSpan(name: string, options: { attributes: Attributes }, context: Context): Span;
}

/** The trace of one call. */
export interface CallTrace {
  /** The header for requests that the call's handler makes (W3C Trace Context, 3.2). */
  readonly traceparent: string;
  /** Records the kind of the call's failure, one word. */
  failed(kind: string): void;
  /** Starts the span of a question. The function returned ends it with the scopes of the values that were disclosed. */
  asking(
    question: "getSecret" | "getSecretVersions" | "getCompleteSecret",
    name: string | undefined,
  ): (scopes: readonly Scope[]) => void;
}

export interface Traces {
  /** Turns the span of the current request into that of a call. */
  call(about: { name: string; method: string; route: string; requestId: string }): CallTrace;
  /** Starts the span of the start of a sandbox process for the current call. The function returned ends it. */
  starting(name: string): (failed: boolean) => void;
}

/**
 * Keeps addresses out of all spans, and verifies it, as it depends on how Deno makes its spans.
 * @throws ConfigError if a request's address would be exported
 */
export async function openTraces(): Promise<Traces> {
  const tracer: Tracer = Deno.telemetry.tracerProvider.getTracer("crude-functions");
  const active = (): Context => Deno.telemetry.contextManager.active();
  const wasDropped = dropAddresses(tracer, active());
  await probe();
  if (!wasDropped()) {
    throw new ConfigError(
      "OTEL_DENO cannot be set with this version of Deno: addresses of requests, which may contain keys, would be exported.",
    );
  }

  return {
    call({ name, method, route, requestId }) {
      const context = active();
      const span = context.getValue(SPAN_KEY) as Span | undefined;
      span?.updateName(`${method} ${route}`);
      span?.setAttributes({ "http.route": route, "faas.name": name, "faas.invocation_id": requestId });
      return callTrace(tracer, context, span);
    },

    starting(name) {
      const span = tracer.startSpan("start sandbox", { attributes: { "faas.name": name } }, active());
      return (failed) => {
        if (failed) span.setStatus({ code: STATUS_ERROR });
        span.end();
      };
    },
  };
}

function callTrace(tracer: Tracer, context: Context, span: Span | undefined): CallTrace {
  return {
    get traceparent() {
      const { traceId, spanId, traceFlags } = span?.spanContext() ?? { traceId: "", spanId: "", traceFlags: 0 };
      return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
    },
    failed(kind) {
      span?.setAttribute("crude_functions.failure", kind);
    },
    asking(question, name) {
      const attributes: Attributes = name === undefined ? {} : { "crude_functions.secret.name": name };
      const asked = tracer.startSpan(question, { attributes }, context);
      return (scopes) => {
        if (scopes.length > 0) asked.setAttribute("crude_functions.secret.scopes", [...scopes]);
        asked.end();
      };
    },
  };
}

/** Makes all spans ignore addresses. The function returned reports whether the probe's addresses were dropped. */
function dropAddresses(tracer: Tracer, context: Context): () => boolean {
  // Attributes cannot be removed from a span, so Deno has to be kept from adding these.
  const spans: Span = Object.getPrototypeOf(tracer.startSpan("", { attributes: {} }, context));
  const { setAttribute } = spans;
  let dropped = 0;
  spans.setAttribute = function (this: Span, name, value) {
    if (!ADDRESS.has(name)) return setAttribute.call(this, name, value);
    if (typeof value === "string" && value.includes(PROBE_KEY)) dropped++;
    return this;
  };
  return () => dropped >= ADDRESS.size;
}

/** Sends a request to a temporary server, so that Deno makes a span. It is flagged as not sampled, so not exported. */
async function probe(): Promise<void> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response());
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
  const request = [
    `GET /${PROBE_KEY}?${PROBE_KEY} HTTP/1.1`,
    "Host: localhost",
    "Connection: close",
    `traceparent: 00-${"1".repeat(32)}-${"1".repeat(16)}-00`,
  ];
  await connection.write(new TextEncoder().encode(`${request.join("\r\n")}\r\n\r\n`));
  await new Response(connection.readable).bytes();
  await server.shutdown();
}
