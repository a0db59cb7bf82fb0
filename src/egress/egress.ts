// Keeps the egress process: starts it when it is first needed and again after its end, and passes requests with sealed
// values to it. Values are in this server's memory, on the private socket and in that process, and nowhere else.

import { ProtocolError, readFrames } from "../sandbox/wire/protocol.ts";
import { BodyMode, type FlatHeaders, FrameWriter, WINDOW_BYTES } from "../sandbox/wire/protocol.ts";
import type { SealedExchange, SealedRequest, SealedResponsePort, SealedSender } from "../sandbox/host/fetches.ts";
import { closedEntries, type NetRules } from "../sandbox/process/net_flags.ts";
import type { ProcessOptions } from "../sandbox/process/process.ts";
import { settledWithin } from "../sandbox/process/settled.ts";
import { machineNames } from "../sandbox/process/machine_names.ts";
import { type EgressProcess, startEgress } from "./start.ts";
import {
  type FailedPayload,
  FROM_EGRESS_LIMITS,
  FromEgress,
  type HeadPayload,
  type RequestPayload,
  ToEgress,
  type UsedPayload,
} from "./wire.ts";

export interface EgressOptions {
  readonly process: Pick<
    ProcessOptions,
    "runDir" | "runtime" | "ownAddresses" | "nodeAddresses" | "databaseAddresses" | "machineHosts" | "denyNet"
  >;
  /** Certificates, as PEM, that are trusted in addition to the usual ones. */
  readonly certificates: readonly string[];
  /** Returns why no request may be sent now; undefined if they may. */
  readonly refusal?: () => string | undefined;
  /** Called with a sentence when the process has failed. */
  readonly onFailure: (sentence: string) => void;
}

export interface Egress {
  /** Returns what sends the requests of one sandbox process, whose function may connect as `net` says. */
  sender(net: NetRules["net"]): SealedSender;
  /** Kills the process, and resolves when it is gone. No more are started. */
  close(): Promise<void>;
}

export function createEgress(options: EgressOptions): Egress {
  return new EgressService(options);
}

const ENDED = "The process that sends requests with sealed secrets has ended.";
/** How long to wait for the end of a process after its connection ended. */
const END_WAIT_MS = 250;
/** After a process that could not be started, none is started for this long. */
const RETRY_MS = 1_000;

/** How long the addresses of this machine are taken to be the same, as for sandboxes. */
const RULES_MS = 1_000;

/** What functions may not connect to, except for what their permissions name. */
interface Closed extends Omit<NetRules, "net"> {
  readonly key: string;
}

class EgressService implements Egress {
  readonly #options: EgressOptions;
  #current: Connection | undefined;
  readonly #all = new Set<Connection>();
  #lastLane = 0;
  #failedAt = -Infinity;
  #isClosed = false;
  #rules: Closed | undefined;
  #rulesAt = 0;

  constructor(options: EgressOptions) {
    this.#options = options;
  }

  sender(net: NetRules["net"]): SealedSender {
    const lane = ++this.#lastLane;
    let closed: readonly string[] = [];
    let closedFor: Closed | undefined;
    return {
      send: (request, body, port) => {
        const refusal = this.#options.refusal?.();
        if (refusal !== undefined) return failing(port, refusal);
        const current = this.#closed();
        if (closedFor !== current) closed = closedEntries({ ...current, net });
        closedFor = current;
        return this.#connection(current).open(lane, closed, request, body, port);
      },
      close: () => {
        for (const connection of this.#all) connection.closeLane(lane);
      },
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const ended = [...this.#all].map((connection) => connection.ended);
    for (const connection of this.#all) connection.kill();
    await Promise.all(ended);
  }

  /** Returns what is closed now. It is the same object until that changes. */
  #closed(): Closed {
    const now = performance.now();
    const { ownAddresses, nodeAddresses, databaseAddresses, machineHosts, denyNet } = this.#options.process;
    const denied = denyNet();
    const isRecent = this.#rules && now - this.#rulesAt < RULES_MS;
    if (isRecent && denied.join() === this.#rules!.denied.join()) return this.#rules!;
    const [addresses, own] = [machineHosts(), [...ownAddresses(), ...nodeAddresses()]];
    const database = databaseAddresses();
    const key = JSON.stringify([addresses, own, database, denied]);
    this.#rulesAt = now;
    if (this.#rules?.key === key) return this.#rules;
    const names = machineNames(addresses);
    return this.#rules = {
      key,
      ownAddresses: own,
      databaseAddresses: database,
      machineHosts: addresses,
      machineNames: names,
      denied,
    };
  }

  /** Returns the process. One that was started with other closed addresses ends after its last response. */
  #connection({ ownAddresses, denied }: Closed): Connection {
    const closed = [...ownAddresses, ...denied];
    const flags = closed.join();
    if (this.#current && !this.#current.isOver) {
      if (this.#current.flags === flags) return this.#current;
      this.#current.retire();
    }
    const mayStart = !this.#isClosed && performance.now() - this.#failedAt >= RETRY_MS;
    if (!mayStart) return new Connection(undefined, flags);
    const connection = new Connection(
      startEgress(this.#options.process, closed, this.#options.certificates),
      flags,
      (output) => {
        this.#all.delete(connection);
        if (connection.isRetired || this.#isClosed) return;
        if (connection.hasConnected) return this.#options.onFailure(ENDED);
        this.#failedAt = performance.now();
        // It was given no value yet that its output could hold.
        const last = output.trim().split("\n").at(-1) ?? "";
        this.#options.onFailure(`The process that sends requests with sealed secrets did not start. ${last}`.trim());
      },
    );
    this.#all.add(connection);
    return this.#current = connection;
  }
}

function failing(port: SealedResponsePort, message: string): SealedExchange {
  queueMicrotask(() => port.failed(message));
  return { body() {}, endBody() {}, credit() {}, abort() {} };
}

interface Exchange {
  readonly port: SealedResponsePort;
  /** Bytes of the response that the process may still send. */
  granted: number;
  hasHead: boolean;
}

/** One process, and the requests that it was given. */
class Connection {
  /** What it may not connect to, as given by flags. */
  readonly flags: string;
  readonly #process: EgressProcess | undefined;
  readonly #exchanges = new Map<number, Exchange>();
  /** By lane that is open there: what its requests must not connect to. */
  readonly #lanes = new Map<number, readonly string[]>();
  #lastId = 0;
  #socket: Deno.UnixConn | undefined;
  /** Frames until it has connected. */
  readonly #connected: Promise<Deno.UnixConn>;
  readonly #writer: FrameWriter;
  hasConnected = false;
  isOver = false;
  isRetired = false;
  readonly ended: Promise<void>;

  /** Without a process, every request fails. */
  constructor(process: EgressProcess | undefined, flags: string, onEnd: (output: string) => void = () => {}) {
    this.#process = process;
    this.flags = flags;
    this.#connected = process?.connected ?? Promise.reject(new Error(ENDED));
    this.#connected.catch(() => {});
    this.#writer = new FrameWriter(
      async (bytes) => (await this.#connected).write(bytes),
      () => false,
    );
    this.ended = this.#serve(onEnd);
  }

  open(
    lane: number,
    closed: readonly string[],
    request: SealedRequest,
    body: Uint8Array,
    port: SealedResponsePort,
  ): SealedExchange {
    const id = this.#lastId = this.#lastId % 0xffff_ffff + 1;
    if (this.isOver || !this.#process) {
      return failing(port, ENDED);
    }
    this.#exchanges.set(id, { port, granted: WINDOW_BYTES, hasHead: false });
    if (this.#lanes.get(lane) !== closed) {
      this.#lanes.set(lane, closed);
      this.#send(ToEgress.OpenLane, lane, JSON.stringify(closed));
    }
    this.#send(ToEgress.Request, id, JSON.stringify({ ...request, lane } satisfies RequestPayload), body);
    const ifOpen = (work: (exchange: Exchange) => void): void => {
      const exchange = this.#exchanges.get(id);
      if (exchange) work(exchange);
    };
    return {
      body: (piece) => ifOpen(() => this.#send(ToEgress.Body, id, "", piece)),
      endBody: () => ifOpen(() => this.#send(ToEgress.BodyEnd, id)),
      credit: (bytes) =>
        ifOpen((exchange) => {
          // Bounded, so that never more than a window waits here for the sandbox.
          const more = Math.min(bytes, WINDOW_BYTES - exchange.granted);
          exchange.granted += more;
          if (more > 0) this.#send(ToEgress.Credit, id, String(more));
        }),
      abort: () =>
        ifOpen(() => {
          this.#send(ToEgress.Abort, id);
          this.#close(id);
        }),
    };
  }

  closeLane(lane: number): void {
    if (!this.#lanes.delete(lane)) return;
    this.#send(ToEgress.CloseLane, lane);
  }

  /** Ends it after its last response. */
  retire(): void {
    this.isRetired = true;
    if (this.#exchanges.size === 0) this.kill();
  }

  kill(): void {
    this.#process?.kill();
  }

  #send(type: number, id: number, payload = "", body?: Uint8Array): void {
    this.#writer.send(type, id, payload, body);
  }

  async #serve(onEnd: (output: string) => void): Promise<void> {
    let failure = "";
    try {
      const socket = this.#socket = await this.#connected;
      this.hasConnected = true;
      await readFrames(
        (into) => socket.read(into),
        (type, id, payload, body) => this.#receive(type, id, payload, body),
        undefined,
        (type) => FROM_EGRESS_LIMITS[type],
      );
    } catch (error) {
      if (error instanceof ProtocolError) failure = error.message;
    }
    this.isOver = true;
    for (const [id, { port }] of this.#exchanges) {
      this.#exchanges.delete(id);
      port.failed(ENDED);
    }
    this.#socket?.close();
    if (!this.#process) return;
    // A process that fails closes its socket before it says why.
    if (failure === "") await settledWithin(this.#process.ended, END_WAIT_MS);
    this.kill();
    onEnd(failure || await this.#process.ended);
  }

  #receive(type: number, id: number, payload: string, body: Uint8Array): void {
    const exchange = this.#exchanges.get(id);
    if (!exchange) return;
    const { port } = exchange;
    switch (type) {
      case FromEgress.Head: {
        if (exchange.hasHead) throw new ProtocolError("a second head");
        exchange.hasHead = true;
        const [status, statusText, headers, mode] = JSON.parse(
          payload,
        ) as HeadPayload;
        if (mode !== BodyMode.Stream) this.#close(id);
        return port.head(status, statusText, headers as FlatHeaders, mode, body);
      }
      case FromEgress.Piece:
        exchange.granted -= body.length;
        if (exchange.granted < 0 || !exchange.hasHead) {
          throw new ProtocolError("more than was requested");
        }
        return port.piece(body);
      case FromEgress.End:
        this.#close(id);
        return port.end();
      case FromEgress.Credit:
        return port.credit(Number(payload));
      case FromEgress.Used:
        return port.used(...JSON.parse(payload) as UsedPayload);
      case FromEgress.Failed:
        this.#close(id);
        return port.failed(...JSON.parse(payload) as FailedPayload);
      default:
        throw new ProtocolError(`a frame of unknown type ${type}`);
    }
  }

  #close(id: number): void {
    this.#exchanges.delete(id);
    if (this.isRetired && this.#exchanges.size === 0) this.kill();
  }
}
