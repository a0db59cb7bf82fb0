// Reads what a response leaves unread of its request's body, so that the client gets the response.

/** How many bytes of an unread body are read before the response is sent. */
const READ_MAX_BYTES = 65_536;
/** How long that may take. */
const READ_MAX_MS = 1_000;
/** Bodies that are read at a time. When more requests are refused at once, memory counts more than these clients. */
const AT_ONCE_MAX = 32;

export class UnreadBodies {
  #reading = 0;

  /**
   * Returns `response` once the body of `request`, if it is short and nothing has read it, was read to its end.
   * Otherwise the server resets the stream (HTTP/2) or closes the connection (HTTP/1.1) after its response, which some
   * clients, curl 7.88 among them, take for a failed request, without the response.
   */
  async readBefore(response: Response | Promise<Response>, request: Request): Promise<Response> {
    const answer = await response;
    const { body, bodyUsed, headers } = request;
    const announcedBytes = Number(headers.get("content-length") ?? 0);
    const isWanted = body && !bodyUsed && !body.locked && announcedBytes <= READ_MAX_BYTES;
    if (!isWanted || this.#reading >= AT_ONCE_MAX) return answer;
    this.#reading++;
    await discard(body);
    this.#reading--;
    return answer;
  }
}

/** Reads at most 64 KiB, for at most a second, and lets go of the rest. A client that has left is no error. */
async function discard(body: ReadableStream<Uint8Array>): Promise<void> {
  const reader = body.getReader();
  const cancel = () => reader.cancel().catch(() => {});
  const timer = setTimeout(cancel, READ_MAX_MS);
  try {
    for (let bytes = 0; bytes <= READ_MAX_BYTES;) {
      const { done, value } = await reader.read();
      if (done) return;
      bytes += value.byteLength;
    }
    await cancel();
  } catch {
    // The response goes to a client that cannot read it.
  } finally {
    clearTimeout(timer);
  }
}
