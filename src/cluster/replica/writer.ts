// Makes changes on all nodes: records a change of this node's rows while no other node can append, appends it to the log,
// and answers when every live node has applied it.

import { setImmediate } from "node:timers/promises";
import { messageOf } from "../../errors.ts";
import type { Replication } from "../../store/replication.ts";
import type { Committer } from "../../store/store.ts";
import type { ChangeLog, Entry, NewEntry } from "../log/change_log.ts";
import { newEntryId } from "../log/entry.ts";
import { StoreUnavailable } from "../log/errors.ts";
import type { Replica } from "./replica.ts";

export interface WriterOptions {
  readonly log: Pick<ChangeLog, "exclusively">;
  readonly replication: Pick<Replication, "record">;
  readonly replica: Replica;
  /**
   * Resolves once every other live node has applied the entry with this number.
   * @throws StoreUnavailable with the outcome `unknown`
   */
  readonly appliedEverywhere: (seq: number) => Promise<void>;
  /** Is awaited before work that takes long, in which nothing else can run. */
  readonly beforeLong?: (() => Promise<void>) | undefined;
}

type Composed = Omit<NewEntry, "id"> | undefined;

export interface Writer extends Committer {
  /**
   * Appends an entry of `compose`, which is called when this node has applied everything and nothing else can be
   * appended, and resolves once every live node has applied it. Without an entry, appends nothing.
   * @throws as `commit`
   */
  append(compose: () => Composed): Promise<void>;
}

/** Longer than 80 lines: all steps of a change share what is known of its commit. */
export function createWriter(
  { log, replication, replica, appliedEverywhere, beforeLong }: WriterOptions,
): Writer {
  /** Returns the entry once it is durable. */
  const append = (id: string, compose: () => Composed, isLong = false): Promise<Entry | undefined> =>
    log.exclusively(async (locked) => {
      await replica.applyUpTo(locked.head.seq);
      if (isLong) await beforeLong?.();
      const composed = compose();
      // Nothing can have been applied since, as no other node appends.
      return composed && await locked.append(replica.head, { ...composed, id });
    });

  /** Resolves when an entry that is durable is in force on all live nodes. */
  const inForce = async (entry: Entry): Promise<void> => {
    try {
      await replica.beforeApplying(entry);
      replica.applyOwn(entry);
      await replica.catchUp(entry.seq);
    } catch (error) {
      throw new StoreUnavailable(messageOf(error), "unknown");
    }
    await appliedEverywhere(entry.seq);
  };

  /**
   * Resolves when what this node has applied is in force on all live nodes: an answer that relies on it, such as that
   * there is nothing to change or to delete any more, would otherwise come before the change itself was answered.
   */
  const inForceSoFar = async (seq: number): Promise<void> => {
    await replica.catchUp(seq);
    await appliedEverywhere(seq);
  };

  let changesUnderWay = 0;

  return {
    async commit<T, R = T>(work: () => T, applied?: (result: T) => R, isLong = false): Promise<R> {
      replica.requireSound();
      const id = newEntryId();
      let made: { readonly result: T; readonly after: number; readonly composed: Composed } | undefined;
      let refused: { readonly after: number; readonly error: unknown } | undefined;
      let outcome: { readonly value: R } | { readonly error: unknown } | undefined;
      /** Whether the entry was appended, or never will be. */
      let isOver = false;
      const follow = (): void => {
        const { result } = made!;
        try {
          outcome = { value: applied ? applied(result) : result as unknown as R };
        } catch (error) {
          outcome = { error };
        }
      };
      const compose = (): Composed => {
        const { seq } = replica.head;
        // The log may run this again; what was recorded is still right if nothing was applied meanwhile.
        if (made?.after !== seq) {
          try {
            const { result, change } = replication.record(work);
            made = { result, after: seq, composed: change && { kind: "change", ...change } };
          } catch (error) {
            refused = { after: seq, error };
            throw error;
          }
        }
        return made.composed;
      };
      /** Records while the lock is awaited, which takes as long: nothing else is applied in most cases. */
      const recordAhead = async (): Promise<void> => {
        // PostgreSQL was asked for the lock then.
        for (let turn = 0; turn < 2; turn++) await setImmediate();
        if (made || refused || isOver) return;
        try {
          compose();
        } catch {
          // It is recorded again with the lock, and what it throws then counts.
          refused = undefined;
        }
      };
      replica.expect(id, follow);
      let entry: Entry | undefined;
      try {
        changesUnderWay++;
        const mayRecordAhead = changesUnderWay === 1 && !isLong;
        [entry] = await Promise.all([append(id, compose, isLong), mayRecordAhead && recordAhead()]);
      } catch (error) {
        if (refused && refused.error === error) {
          replica.forget(id);
          await inForceSoFar(refused.after);
          throw error;
        }
        // If it was stored after all, what follows from it is still to be done.
        if (!(error instanceof StoreUnavailable && error.outcome === "unknown")) replica.forget(id);
        throw error;
      } finally {
        isOver = true;
        changesUnderWay--;
      }
      if (entry) {
        await inForce(entry);
      } else {
        replica.forget(id);
        follow();
        await inForceSoFar(made!.after);
      }
      if ("error" in outcome!) throw outcome.error;
      return await outcome!.value;
    },

    async append(compose) {
      replica.requireSound();
      const entry = await append(newEntryId(), compose);
      if (!entry) return;
      await inForce(entry);
    },
  };
}
