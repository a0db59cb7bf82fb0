// Decides whether a history of reads and writes of registers is linearizable: whether each operation can have taken effect
// at one moment between its call and its answer. By the search of Wing and Gong (1993) with the states that were tried
// remembered (Lowe, 2017), for one register at a time, as linearizability is local (Herlihy and Wing, 1990).

export interface Operation {
  readonly kind: "read" | "write";
  /** What was read or written; undefined where there is nothing, such as after a deletion. */
  readonly value: string | undefined;
  /** When it was called. */
  readonly from: number;
  /** When it was answered; Infinity if it is not known whether it took effect. */
  readonly to: number;
  /** Who did it where, for messages. */
  readonly by?: string;
}

export interface Violation {
  /** The operations that cannot be put in any order behind those before them. */
  readonly operations: readonly Operation[];
  /** The value that the register can have had before them, in the order that reaches furthest. */
  readonly value: string | undefined;
}

/** Returns undefined if the history of one register, which has no value at first, is linearizable. */
export function findViolation(history: readonly Operation[]): Violation | undefined {
  const operations = relevant(history).toSorted((a, b) => a.from - b.from);
  const tried = new Set<string>();
  let furthest: State = { first: 0, ahead: [], value: undefined };
  const open: State[] = [furthest];
  while (open.length > 0) {
    const state = withReads(operations, open.pop()!);
    if (state.first === operations.length) return undefined;
    const key = `${state.first} ${state.ahead.join()} ${state.value}`;
    if (tried.has(key)) continue;
    tried.add(key);
    if (state.first > furthest.first) furthest = state;
    const next = candidates(operations, state);
    // All that is left may be writes of which no one knows whether they took effect.
    if (next.isEnd) return undefined;
    for (const index of next.indices) {
      const { kind, value } = operations[index]!;
      if (kind === "write") open.push(after(operations, state, index, value));
    }
  }
  const { indices } = candidates(operations, furthest);
  return { operations: indices.map((index) => operations[index]!), value: furthest.value };
}

/** What has taken effect: all operations before `first`, and those of `ahead`, in ascending order. */
interface State {
  readonly first: number;
  readonly ahead: readonly number[];
  readonly value: string | undefined;
}

/** Drops writes that may not have taken effect and whose values no one has read. */
function relevant(history: readonly Operation[]): Operation[] {
  const read = new Set(history.filter(({ kind }) => kind === "read").map(({ value }) => value));
  return history.filter(({ kind, value, to }) => kind === "read" || to !== Infinity || read.has(value));
}

/** Lets reads of the current value take effect. To do so as early as possible never excludes an order. */
function withReads(operations: readonly Operation[], from: State): State {
  let state = from;
  while (true) {
    const read = candidates(operations, state).indices.find((index) => {
      const { kind, value } = operations[index]!;
      return kind === "read" && value === state.value;
    });
    if (read === undefined) return state;
    state = after(operations, state, read, state.value);
  }
}

/** Returns the operations that can be next: those that were called before any other one that is left was answered. */
function candidates(operations: readonly Operation[], { first, ahead }: State): { indices: number[]; isEnd: boolean } {
  const done = new Set(ahead);
  const indices: number[] = [];
  let answered = Infinity;
  for (let index = first; index < operations.length && operations[index]!.from <= answered; index++) {
    if (done.has(index)) continue;
    answered = Math.min(answered, operations[index]!.to);
    indices.push(index);
  }
  return { indices: indices.filter((index) => operations[index]!.from <= answered), isEnd: answered === Infinity };
}

function after(operations: readonly Operation[], state: State, index: number, value: string | undefined): State {
  const done = new Set(state.ahead).add(index);
  let { first } = state;
  while (first < operations.length && done.delete(first)) first++;
  return { first, ahead: [...done].sort((a, b) => a - b), value };
}
