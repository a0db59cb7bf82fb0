// Spans of calls for Deno's own OpenTelemetry (OTEL_DENO=true). Deno makes a span of each request and takes over
// the caller's context; here it becomes that of a call, gets children, and loses its address: that may hold a key.

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
  /** Of this call, for the requests that its handler makes (W3C Trace Context, 3.2). */
  readonly traceparent: string;
  /** How the call failed, in a word. */
  failed(kind: string): void;
  /** A handler asks for a secret; what it returns is told the scopes of the values that were given. */
  asking(question: "getSecret" | "getCompleteSecret", name: string | undefined): (scopes: readonly Scope[]) => void;
}

export interface Traces {
  /** Makes the span of the request that is being handled that of a call. */
  call(about: { name: string; method: string; route: string; requestId: string }): CallTrace;
  /** A sandbox process is being started for the call that is being handled; what it returns ends the span. */
  starting(name: string): (failed: boolean) => void;
}

/**
 * Keeps addresses out of all spans and makes sure that this works, which rests on how Deno makes its spans.
 * @throws ConfigError if a request's address would be exported
 */
export async function openTraces(): Promise<Traces> {
  const tracer: Tracer = Deno.telemetry.tracerProvider.getTracer("crude-functions");
  const active = (): Context => Deno.telemetry.contextManager.active();
  const heard = dropAddresses(tracer, active());
  await probe();
  if (!heard()) {
    throw new ConfigError(
      "OTEL_DENO cannot be set with this version of Deno: the addresses of requests, which may hold keys, would be exported.",
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

/** From now on no span takes an address; the function returned tells whether one was dropped since. */
function dropAddresses(tracer: Tracer, context: Context): () => boolean {
  // Attributes can be added to a span but not taken back, so Deno has to be kept from adding these.
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

/** One request to a server of our own, so that Deno makes a span of it. The sampler's flag keeps that from being sent. */
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
