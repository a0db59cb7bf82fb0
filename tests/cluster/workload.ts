// Clients that write secrets and API keys on any node and read them on the others at once, and record what they were
// answered, for the checker of histories.

import { findViolation, type Operation, type Violation } from "./linearizability.ts";
import type { TestNode } from "./nodes.ts";

const HANDLER = `export default async (c, ctx) => {
  const name = c.req.query("name");
  return c.json({ value: name === undefined ? null : (await ctx.getSecret(name)) ?? null });
};
`;
const REQUEST_MAX_MS = 15_000;
/** Answers by which a node says that it has not done what it was asked. */
const REFUSALS = ["CutOff", "Stopping", "LogTampered", "Busy"];

export interface WorkloadOptions {
  readonly nodes: readonly TestNode[];
  readonly random: () => number;
  readonly registers: number;
}

export class Workload {
  readonly #options: WorkloadOptions;
  /** By register. */
  readonly #history = new Map<string, Operation[]>();
  #values = 0;
  /** Operations with an answer that counts. */
  answered = 0;
  /** What no client may ever be answered. */
  readonly surprises: string[] = [];

  constructor(options: WorkloadOptions) {
    this.#options = options;
  }

  /** Creates the functions, on any node. */
  async prepare(): Promise<void> {
    const { server } = this.#node();
    for (
      const [name, keys] of [["reader", null], ["guarded", ["guests"]]] as const
    ) {
      await expectStatus(
        server.api("PUT", `/api/files/${name}.ts`, HANDLER),
        200,
        201,
      );
      if (keys) {
        await expectStatus(
          server.api("POST", "/api/key-groups", { name: keys[0] }),
          201,
        );
      }
      const body = {
        name,
        route: `/${name}`,
        methods: ["GET"],
        handler: `${name}.ts`,
        responseGuard: "off",
        ...(keys && { keys }),
      };
      await expectStatus(server.api("POST", "/api/functions", body), 201);
    }
  }

  /** Runs clients until `until` says so, each with one operation at a time. */
  async run(clients: number, until: () => boolean): Promise<void> {
    await Promise.all(Array.from({ length: clients }, async (_, client) => {
      const key = client === 0 ? new GuestKey(this) : undefined;
      while (!until()) {
        const did = key && this.#options.random() < 0.5 ? await key.step() : await this.#step();
        // A client whose node refuses does not ask it again at once.
        if (!did) await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }));
  }

  /** Reads every register on every node, so that what was lost is noticed. */
  async readAll(): Promise<void> {
    for (const node of this.#options.nodes) {
      for (let register = 0; register < this.#options.registers; register++) {
        await this.#read(node, `R${register}`);
      }
    }
  }

  /**
   * Checks what was read on each node together with all writes: from the answer to a change on, every node has it. Reads of
   * different nodes are not compared with each other: while a change is made, some have it and some do not.
   */
  violations(): { register: string; node: string; violation: Violation }[] {
    return [...this.#history].flatMap(([register, history]) =>
      this.#options.nodes.flatMap(({ name }) => {
        const violation = findViolation(
          history.filter(({ kind, by }) => kind === "write" || by === name),
        );
        return violation ? [{ register, node: name, violation }] : [];
      })
    );
  }

  /** Returns the operations of a register, in the order of their calls, for messages. */
  history(register: string): readonly Operation[] {
    return (this.#history.get(register) ?? []).toSorted((a, b) => a.from - b.from);
  }

  get operations(): number {
    return [...this.#history.values()].reduce(
      (sum, { length }) => sum + length,
      0,
    );
  }

  record(register: string, operation: Operation): void {
    const history = this.#history.get(register) ?? [];
    history.push(operation);
    this.#history.set(register, history);
    this.answered++;
  }

  node(): TestNode | undefined {
    const running = this.#options.nodes.filter((node) => node.isRunning);
    return running[Math.floor(this.#options.random() * running.length)];
  }

  newValue(): string {
    return `value-${++this.#values}`;
  }

  #node(): TestNode {
    const node = this.node();
    if (!node) throw new Error("no node is running");
    return node;
  }

  /** Returns whether it was answered. */
  async #step(): Promise<boolean> {
    const node = this.node();
    if (!node) return false;
    const register = `R${Math.floor(this.#options.random() * this.#options.registers)}`;
    const choice = this.#options.random();
    if (choice < 0.7) return await this.#read(node, register);
    if (choice < 0.95) return await this.#write(node, register);
    return await this.#delete(node, register);
  }

  async #read(node: TestNode, register: string): Promise<boolean> {
    const from = performance.now();
    const answer = await ask(node, "GET", `/run/reader?name=${register}`);
    if (answer?.status !== 200) {
      // 500: the node was cut off when the handler asked, which then failed.
      if (answer && ![500, 502, 503, 504].includes(answer.status)) {
        this.#surprise("read", answer);
      }
      return false;
    }
    const value = (answer.body as { value: string | null }).value ?? undefined;
    this.record(register, {
      kind: "read",
      value,
      from,
      to: performance.now(),
      by: node.name,
    });
    return true;
  }

  async #write(node: TestNode, register: string): Promise<boolean> {
    const value = this.newValue();
    const from = performance.now();
    const answer = await ask(node, "PUT", `/api/secrets/by-name/${register}`, {
      scope: "global",
      value,
    });
    return this.written(register, value, from, node, answer, [200, 201]);
  }

  async #delete(node: TestNode, register: string): Promise<boolean> {
    const from = performance.now();
    const answer = await ask(
      node,
      "DELETE",
      `/api/secrets/by-name/${register}?scope=global`,
    );
    if (answer?.status === 404) {
      this.record(register, {
        kind: "read",
        value: undefined,
        from,
        to: performance.now(),
        by: node.name,
      });
      return true;
    }
    return this.written(register, undefined, from, node, answer, [200, 204]);
  }

  /** Records a write by what is known of its outcome. Returns whether it was done. */
  written(
    register: string,
    value: string | undefined,
    from: number,
    node: TestNode,
    answer: Answered | undefined,
    done: readonly number[],
  ): boolean {
    const isDone = answer !== undefined && done.includes(answer.status);
    if (!isDone && answer && isRefusal(answer)) return false;
    if (!isDone && answer && answer.status !== 503) {
      this.#surprise("write", answer);
    }
    this.record(register, {
      kind: "write",
      value,
      from,
      to: isDone ? performance.now() : Infinity,
      by: node.name,
    });
    return isDone;
  }

  #surprise(what: string, { status, body }: Answered): void {
    this.surprises.push(`${what}: ${status} ${JSON.stringify(body)}`);
  }
}

/** One API key after the other: each is made, used on all nodes, revoked, and refused from then on. */
class GuestKey {
  readonly #workload: Workload;
  #key: {
    readonly id: number;
    readonly value: string;
    uses: number;
    isDoubtful: boolean;
  } | undefined;

  constructor(workload: Workload) {
    this.#workload = workload;
  }

  async step(): Promise<boolean> {
    const node = this.#workload.node();
    if (!node) return false;
    const from = performance.now();
    if (!this.#key) {
      const answer = await ask(node, "POST", "/api/keys", {
        name: this.#workload.newValue(),
        groupId: "guests",
      });
      if (answer?.status !== 201) return false;
      const { id, value } = answer.body as { id: number; value: string };
      this.#key = { id, value, uses: 0, isDoubtful: false };
      this.#workload.record(`key ${id}`, {
        kind: "write",
        value: "valid",
        from,
        to: performance.now(),
        by: node.name,
      });
      return true;
    }
    const { id, value, uses } = this.#key;
    if (uses === 4) {
      const answer = await ask(node, "DELETE", `/api/keys/${id}`);
      // An attempt before this one may have been stored, though it was not answered as done.
      const done = this.#key.isDoubtful ? [200, 204, 404] : [200, 204];
      const isDone = this.#workload.written(
        `key ${id}`,
        undefined,
        from,
        node,
        answer,
        done,
      );
      if (isDone || !answer) this.#key.uses++;
      this.#key.isDoubtful = true;
      return isDone;
    }
    const answer = await ask(node, "GET", "/run/guarded", undefined, value);
    if (answer?.status !== 200 && answer?.status !== 401) return false;
    const seen = answer.status === 200 ? "valid" : undefined;
    this.#workload.record(`key ${id}`, {
      kind: "read",
      value: seen,
      from,
      to: performance.now(),
      by: node.name,
    });
    if (++this.#key.uses === 9) this.#key = undefined;
    return true;
  }
}

interface Answered {
  readonly status: number;
  readonly body: unknown;
}

/** Returns undefined if no answer came. */
async function ask(
  node: TestNode,
  method: string,
  path: string,
  body?: unknown,
  key?: string,
): Promise<Answered | undefined> {
  try {
    const { server } = node;
    const response = await fetch(server.url + path, {
      method,
      headers: {
        "X-API-Key": key ?? server.key,
        "Content-Type": "application/json",
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(REQUEST_MAX_MS),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text.startsWith("{") ? JSON.parse(text) : text,
    };
  } catch {
    return undefined;
  }
}

/** Reports whether an answer means that nothing was done. */
function isRefusal({ status, body }: Answered): boolean {
  const { code, details } = (body ?? {}) as {
    code?: string;
    details?: { outcome?: string };
  };
  return status === 503 &&
    (REFUSALS.includes(code ?? "") ||
      code === "StoreUnavailable" && details?.outcome === "none");
}

async function expectStatus(
  answer: Promise<Answered>,
  ...expected: number[]
): Promise<void> {
  const { status, body } = await answer;
  if (!expected.includes(status)) {
    throw new Error(`${status} ${JSON.stringify(body)}`);
  }
}
