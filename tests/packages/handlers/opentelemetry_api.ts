import { trace } from "npm:@opentelemetry/api@1.10.0";

export default (c) =>
  trace.getTracer("app").startActiveSpan("order", (span) => {
    span.setAttribute("id", 7);
    span.end();
    return c.json({ recording: span.isRecording() });
  });
