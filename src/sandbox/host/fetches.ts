// Passes requests of one sandbox process that may carry sealed values on to the process that sends them. Which values,
// and where they may be sent, comes from the host's own record of the call, never from the sandbox.

import { coversOrigin, type Origin, originOf, type SealedEntry, type SealedUse } from "../../sealed.ts";
import { namesHost } from "../process/net_flags.ts";
import type { SealedValues } from "./sealed_values.ts";
import { parseElsewhere, parseFetch, parseFetchNumbers } from "../wire/fetch_payloads.ts";
import {
  BodyMode,
  type FetchedPayload,
  type FetchFailedPayload,
  type FetchPayload,
  type FlatHeaders,
  type FrameWriter,
  ProtocolError,
  ToHost,
  ToSandbox,
  WINDOW_BYTES,
} from "../wire/protocol.ts";

/** A request as it is given to the process that sends it. */
export interface SealedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: FlatHeaders;
  readonly mode: BodyMode;
  readonly length: number | null;
  readonly sealed: readonly SealedEntry[];
}

/** Where its response goes. */
export interface SealedResponsePort {
  head(status: number, statusText: string, headers: FlatHeaders, mode: BodyMode, body: Uint8Array): void;
  piece(bytes: Uint8Array): void;
  end(): void;
  /** Allows that many more bytes of the request's body. */
  credit(bytes: number): void;
  /** The placeholder of a value that is watched has left. */
  used(placeholder: string, use: SealedUse): void;
  /** `code` is one of Node's, or missing. */
  failed(message: string, code?: string): void;
}

export interface SealedExchange {
  body(piece: Uint8Array): void;
  endBody(): void;
  /** Allows that many more bytes of the response's body. */
  credit(bytes: number): void;
  abort(): void;
}

/** Sends the requests of one sandbox process. */
export interface SealedSender {
  send(request: SealedRequest, body: Uint8Array, port: SealedResponsePort): SealedExchange;
  /** Closes the connections that these requests shared. */
  close(): void;
}

/** The call that a request belongs to. */
export interface FetchingCall {
  readonly id: number;
  /** Whether it may still use its sealed values. */
  readonly mayFetch: boolean;
  readonly sealed: SealedValues | undefined;
  /** Takes memory of the host for a request; returns false if there is none. */
  hold(bytes: number): boolean;
  release(bytes: number): void;
}

interface Fetch {
  readonly call: FetchingCall;
  exchange: SealedExchange | undefined;
  /** Bytes of the request's body that the sandbox may still send. */
  bodyCredit: number;
  hasBodyEnded: boolean;
  heldBytes: number;
}

/** Requests of one call at a time. */
const FETCHES_MAX = 100;
/** Memory of a request: both windows, as they wait for the two processes. */
const FETCH_BYTES = 4 * WINDOW_BYTES;
const COPIES = 4;
/** Hosts of which it is remembered whether they may be connected to. */
const NAMED_MAX = 100;

export interface FetchesOptions {
  readonly net: boolean | readonly string[];
  readonly sender: SealedSender | undefined;
  writer(): FrameWriter;
  /** Called with the host of each request that is sent, in lower case with its port. */
  onSend?(host: string): void;
}

export class Fetches {
  readonly #options: FetchesOptions;
  /** By the number that the sandbox gave it. */
  readonly #fetches = new Map<number, Fetch>();
  /** By host and port: whether the function's permissions name them. */
  readonly #named = new Map<string, boolean>();

  constructor(options: FetchesOptions) {
    this.#options = options;
  }

  /** Handles what the sandbox says of a placeholder that it sent to another host itself. @throws ProtocolError */
  elsewhere(call: FetchingCall | undefined, payload: string): void {
    const [placeholder, host] = parseElsewhere(payload);
    call?.sealed?.used(placeholder, host, "other host");
  }

  /** Handles a frame about fetches. `call` is undefined if it has ended. @throws ProtocolError */
  receive(type: number, call: FetchingCall | undefined, id: number, payload: string, body: Uint8Array): void {
    if (type === ToHost.Fetch) {
      return this.#open(parseFetch(payload), body, call, id);
    }
    const [fetch, count] = parseFetchNumbers(payload);
    const found = this.#fetches.get(fetch);
    // It may have ended meanwhile.
    if (!found?.exchange || found.call !== call) return;
    switch (type) {
      case ToHost.FetchBody:
        found.bodyCredit -= body.length;
        if (found.bodyCredit < 0 || found.hasBodyEnded || body.length === 0) {
          throw new ProtocolError(
            "a piece of a request that was not asked for",
          );
        }
        return found.exchange.body(body);
      case ToHost.FetchBodyEnd:
        if (found.hasBodyEnded) {
          throw new ProtocolError("a second end of a request");
        }
        found.hasBodyEnded = true;
        return found.exchange.endBody();
      case ToHost.FetchCredit:
        if (count === undefined || count <= 0) {
          throw new ProtocolError("a credit that is not a positive number");
        }
        return found.exchange.credit(count);
      case ToHost.FetchAbort:
        return this.#end(fetch, true);
    }
  }

  /** Ends the requests of a call that has ended. */
  callEnded(call: FetchingCall): void {
    for (const [number, fetch] of this.#fetches) {
      if (fetch.call === call) this.#end(number, true);
    }
  }

  /** Ends all requests, as the process has ended. */
  close(): void {
    for (const number of [...this.#fetches.keys()]) this.#end(number, true);
    this.#options.sender?.close();
  }

  #open(payload: FetchPayload, body: Uint8Array, call: FetchingCall | undefined, id: number): void {
    const [number, method, url, headers, mode, length] = payload;
    if (this.#fetches.has(number)) {
      throw new ProtocolError("a request with a number that is in use");
    }
    const send = (type: number, text: string, bytes?: Uint8Array): void =>
      this.#options.writer().send(type, id, text, bytes);
    const fail = (message: string, code = ""): void =>
      send(ToSandbox.FetchFailed, JSON.stringify([number, message, code] satisfies FetchFailedPayload));
    const { sender } = this.#options;
    if (!call?.mayFetch || !sender) {
      return fail(
        "This call has ended; its sealed secrets can no longer be used.",
      );
    }
    const origin = URL.canParse(url) ? originOf(new URL(url)) : undefined;
    const sealed = this.#sealedFor(call, origin);
    if (typeof sealed === "string") return fail(sealed);
    this.#options.onSend?.(`${origin!.host}:${origin!.port}`);
    let running = 0;
    for (const other of this.#fetches.values()) if (other.call === call) running++;
    const heldBytes = FETCH_BYTES +
      COPIES * (url.length + headers.join("").length) + body.length;
    if (running >= FETCHES_MAX || !call.hold(heldBytes)) {
      return fail("The call makes too many requests at once.");
    }
    const fetch: Fetch = {
      call,
      exchange: undefined,
      bodyCredit: WINDOW_BYTES,
      hasBodyEnded: mode !== BodyMode.Stream,
      heldBytes,
    };
    this.#fetches.set(number, fetch);
    fetch.exchange = sender.send(
      { method, url, headers, mode, length, sealed },
      body,
      {
        head: (status, statusText, headers, mode, bytes) => {
          const head: FetchedPayload = [
            number,
            status,
            statusText,
            headers,
            mode,
          ];
          send(ToSandbox.Fetched, JSON.stringify(head), bytes);
          if (mode !== BodyMode.Stream) {
            this.#end(number, false);
          }
        },
        piece: (bytes) => send(ToSandbox.FetchedBody, JSON.stringify([number]), bytes),
        end: () => {
          send(ToSandbox.FetchedEnd, JSON.stringify([number]));
          this.#end(number, false);
        },
        credit: (bytes) => {
          fetch.bodyCredit += bytes;
          send(ToSandbox.FetchCredit, JSON.stringify([number, bytes]));
        },
        used: (placeholder, use) => call.sealed?.used(placeholder, new URL(url).host, use),
        failed: (message, code) => {
          fail(message, code);
          this.#end(number, false);
        },
      },
    );
  }

  /** Returns the values of the call for a request to the origin; a sentence if none may be sent there. */
  #sealedFor({ sealed }: FetchingCall, origin: Origin | undefined): SealedEntry[] | string {
    const given = sealed?.values ?? [];
    if (!origin || !given.some(({ hosts }) => coversOrigin(hosts, origin))) {
      return "No sealed secret of this call may be sent to this host.";
    }
    const { host, port } = origin;
    if (!this.#mayConnect(host, port)) {
      return `This function may not connect to "${host}:${port}"; permissions.net lists the hosts that it may`;
    }
    return given.map(({ hosts, places, placeholder, name, value, isWatched }) => ({
      placeholder,
      name,
      value,
      places: coversOrigin(hosts, origin) ? places : [],
      ...(isWatched && { isWatched }),
    }));
  }

  /** Reports whether the function's permissions name the host. They do not change during the process. */
  #mayConnect(host: string, port: number): boolean {
    const key = `${host}:${port}`;
    let may = this.#named.get(key);
    if (may === undefined) {
      may = namesHost(this.#options.net, host, port);
      if (this.#named.size >= NAMED_MAX) this.#named.clear();
      this.#named.set(key, may);
    }
    return may;
  }

  #end(number: number, isAborted: boolean): void {
    const fetch = this.#fetches.get(number);
    if (!fetch) return;
    this.#fetches.delete(number);
    fetch.call.release(fetch.heldBytes);
    if (isAborted) fetch.exchange?.abort();
  }
}
