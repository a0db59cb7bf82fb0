// Writes JSON answers. They end with a line feed, so that a shell's prompt begins on a line of its own after them.

/** Returns a response with `body` as JSON. */
export function jsonResponse(body: unknown, { status = 200, headers }: {
  status?: number;
  headers?: Record<string, string>;
} = {}): Response {
  return new Response(jsonText(body), { status, headers: { "Content-Type": "application/json", ...headers } });
}

export function jsonText(body: unknown): string {
  return `${JSON.stringify(body)}\n`;
}
