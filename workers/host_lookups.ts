// Asks the host for DNS records, and converts them for `node:dns`. The host checks the function's permissions.

import {
  DNS_NAME_MAX_LENGTH,
  type FrameWriter,
  type LookedPayload,
  type LookupOutcome,
  RECORD_TYPES,
  type RecordType,
  ToHost,
} from "../src/sandbox/wire/protocol.ts";

export interface Looked {
  readonly outcome: LookupOutcome;
  /** As `Deno.resolveDns` returns them. */
  readonly records: readonly unknown[];
}

const REFUSED: Looked = { outcome: "refused", records: [] };

/** The look-ups of a process at its host. */
export class HostLookups {
  readonly #writer: FrameWriter;
  readonly #waiting = new Map<number, (looked: Looked) => void>();
  #last = 0;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** Asks the host for records. Never rejects. */
  ask(type: string, name: string): Promise<Looked> {
    const ascii = toAscii(`${name}`);
    if (!isRecordType(type) || ascii.length > DNS_NAME_MAX_LENGTH) return Promise.resolve(REFUSED);
    const lookup = ++this.#last;
    return new Promise((resolve) => {
      this.#waiting.set(lookup, resolve);
      this.#writer.send(ToHost.Lookup, 0, JSON.stringify([lookup, type, ascii]));
    });
  }

  receive([lookup, outcome, records = []]: LookedPayload): void {
    this.#waiting.get(lookup)?.({ outcome, records });
    this.#waiting.delete(lookup);
  }
}

function isRecordType(type: string): type is RecordType {
  return (RECORD_TYPES as readonly string[]).includes(type);
}

/** Converts an internationalized name to its form in DNS (UTS 46). */
function toAscii(name: string): string {
  if (/^[\0-\x7f]*$/.test(name)) return name;
  const address = `http://${name}`;
  return URL.canParse(address) ? new URL(address).hostname : "";
}

/** Returns the type of the records that a function of `node:dns` asks for; undefined if it asks for something else. */
export function recordTypeOf(query: string, record: unknown): RecordType | undefined {
  const type = query === "resolve" ? `${record}` : query.replace(/^resolve/, "").toUpperCase();
  return isRecordType(type) ? type : undefined;
}

/** Returns the code by which `node:dns` reports the outcome. */
export function codeOf(outcome: Exclude<LookupOutcome, "ok">): string {
  switch (outcome) {
    case "refused":
      return "EREFUSED";
    case "missing":
      return "ENOTFOUND";
    case "late":
      return "ETIMEOUT";
    default:
      return "ESERVFAIL";
  }
}

/** Returns records as `node:dns` returns them: https://nodejs.org/api/dns.html */
export function recordsForNode(type: RecordType, records: readonly unknown[]): unknown {
  // deno-lint-ignore no-explicit-any
  const all = records as any[];
  switch (type) {
    case "CNAME":
    case "NS":
    case "PTR":
      return all.map(withoutDot);
    case "CAA":
      return all.map(({ critical, tag, value }) => ({ critical: critical ? 128 : 0, [tag]: value }));
    case "MX":
      return all.map(({ preference, exchange }) => ({ priority: preference, exchange: withoutDot(exchange) }));
    case "NAPTR":
      return all.map(({ services, replacement, ...rest }) => ({
        ...rest,
        service: services,
        replacement: withoutDot(replacement),
      }));
    case "SOA": {
      const { mname, rname, minimum, ...rest } = all[0];
      return { nsname: withoutDot(mname), hostmaster: withoutDot(rname), ...rest, minttl: minimum };
    }
    case "SRV":
      return all.map(({ target, ...rest }) => ({ ...rest, name: withoutDot(target) }));
    default:
      return all;
  }
}

function withoutDot(name: string): string {
  return name.replace(/\.$/, "");
}
