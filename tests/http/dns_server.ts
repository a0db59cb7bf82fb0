// A name server for tests: answers questions over UDP (RFC 1035) from a table, and records what it was asked.

import { createSocket } from "node:dgram";
import { once } from "node:events";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33, NAPTR: 35, CAA: 257 };
type Type = keyof typeof TYPES;

/** By name in lower case, then by type: the data of each record. */
export type Zone = Record<string, Partial<Record<Type, readonly Uint8Array[]>>>;

export interface DnsServer extends AsyncDisposable {
  /** Such as `TXT db.example.test`, spelled as it was asked. */
  readonly questions: string[];
}

/** Returns the server once it answers at port 53 of `address`. Questions for names outside of `zone` are not answered. */
export async function startDnsServer(address: string, zone: Zone): Promise<DnsServer> {
  const questions: string[] = [];
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    const { name, type, end } = questionOf(query);
    questions.push(`${type} ${name}`);
    const records = zone[name.toLowerCase()];
    if (!records) return;
    const data = records[type as Type] ?? [];
    const answers = data.flatMap((bytes) => [
      // The name is that of the question.
      ...[0xc0, 12],
      ...u16(TYPES[type as Type]),
      ...[0, 1, 0, 0, 0, 60],
      ...u16(bytes.length),
      ...bytes,
    ]);
    const head = [...query.subarray(0, 2), 0x85, 0x80, 0, 1, ...u16(data.length), 0, 0, 0, 0];
    socket.send(
      new Uint8Array([...head, ...query.subarray(12, end), ...answers]),
      from.port,
      from.address,
    );
  });
  socket.bind(53, address);
  await once(socket, "listening");
  return {
    questions,
    async [Symbol.asyncDispose]() {
      const closed = once(socket, "close");
      socket.close();
      await closed;
    },
  };
}

function questionOf(query: Uint8Array): { name: string; type: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (; query[at] !== 0; at += query[at]! + 1) {
    labels.push(decoder.decode(query.subarray(at + 1, at + 1 + query[at]!)));
  }
  const code = query[at + 1]! << 8 | query[at + 2]!;
  const type = Object.entries(TYPES).find(([, known]) => known === code)?.[0] ??
    String(code);
  return { name: labels.join("."), type, end: at + 5 };
}

/** The data of a record from numbers of 16 bits, texts of at most 255 bytes, names, and bytes. */
export function data(...parts: (number | { text: string } | { name: string } | Uint8Array)[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => {
    if (typeof part === "number") return u16(part);
    if (part instanceof Uint8Array) return [...part];
    if ("text" in part) return label(part.text);
    return [...part.name.split(".").flatMap(label), 0];
  }));
}

function label(text: string): number[] {
  const bytes = encoder.encode(text);
  return [bytes.length, ...bytes];
}

function u16(value: number): number[] {
  return [value >> 8, value & 0xff];
}
