// One connection to a host, over TCP or TLS. What arrives is kept in a buffer of its own until it is taken.

import type { Origin } from "../../sealed.ts";

const START_BYTES = 16 * 1024;
/** More at a time is read for long bodies only. */
const FULL_BYTES = 64 * 1024;

/** The certificate of the host is not valid for it. The message names the reason, not what is in the certificate. */
export class NotTrusted extends Error {}

export class Connection {
  readonly #socket: Deno.TcpConn | Deno.TlsConn;
  #buffer = new Uint8Array(START_BYTES);
  #from = 0;
  #to = 0;
  #reading: Promise<boolean> | undefined;
  #isClosed = false;
  /** Whether an earlier request was sent on it. */
  isReused = false;
  /** When its last response ended, by `performance.now()`. */
  idleSince = 0;

  constructor(socket: Deno.TcpConn | Deno.TlsConn) {
    this.#socket = socket;
  }

  /** What has arrived and was not taken. Valid until the next `read`. */
  get unread(): Uint8Array {
    return this.#buffer.subarray(this.#from, this.#to);
  }

  /** Returns the next bytes, which must have arrived. Valid until the next `read`. */
  take(count: number): Uint8Array {
    const taken = this.#buffer.subarray(this.#from, this.#from + count);
    this.#from += count;
    return taken;
  }

  /** Waits until more has arrived. Returns false at the end. Only one read at a time is under way. */
  read(): Promise<boolean> {
    return this.#reading ??= this.#read();
  }

  async #read(): Promise<boolean> {
    this.#makeRoom();
    const room = this.#buffer.length - this.#to;
    const count = await this.#socket.read(this.#buffer.subarray(this.#to));
    this.#reading = undefined;
    if (count === null) return false;
    this.#to += count;
    if (count === room && this.#buffer.length < FULL_BYTES) this.#resize(FULL_BYTES);
    return true;
  }

  #makeRoom(): void {
    if (this.#from === this.#to) this.#from = this.#to = 0;
    else if (this.#from > 0) {
      this.#buffer.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
    if (this.#to === this.#buffer.length) this.#resize(2 * this.#to);
  }

  #resize(size: number): void {
    const larger = new Uint8Array(size);
    larger.set(this.unread);
    this.#to -= this.#from;
    this.#from = 0;
    this.#buffer = larger;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#socket.write(at === 0 ? bytes : bytes.subarray(at));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }
}

/**
 * Connects to the address, and to the origin's host by TLS unless it is plain. With `signal`, the attempt ends.
 * @throws NotTrusted; errors of `Deno.connect` and of TLS
 */
export async function connect(address: string, { isPlain, host, port }: Origin, signal: AbortSignal) {
  const socket = await Deno.connect({ hostname: address, port, signal, autoSelectFamily: false });
  socket.setNoDelay();
  if (isPlain) return new Connection(socket);
  let encrypted: Deno.TlsConn | undefined;
  const close = (): void => (encrypted ?? socket).close();
  signal.addEventListener("abort", close);
  try {
    encrypted = await Deno.startTls(socket, {
      hostname: host.replace(/^\[(.*)\]$/, "$1"),
      alpnProtocols: ["http/1.1"],
    });
    await encrypted.handshake();
    return new Connection(encrypted);
  } catch (error) {
    if (!signal.aborted) close();
    signal.throwIfAborted();
    const [, reason] = /invalid peer certificate: (\w+)/.exec((error as Error).message) ?? [];
    if (reason !== undefined) throw new NotTrusted(reason === "certificate" ? "NotValidForName" : reason);
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
  }
}
