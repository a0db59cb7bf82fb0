// Keeps values that a page shows once, such as a new key's: in memory, for the session that created them, until the
// user confirms them or a few minutes have passed, so that a reload does not lose them.

import { randomBytes } from "node:crypto";
import type { Context } from "hono";
import type { SessionId } from "../../../ids.ts";
import type { WebEnv } from "./deps.ts";
import { fieldText, readForm } from "./forms.ts";
import { page } from "./layout.tsx";

export const SHOWN_MINUTES = 10;
const SHOWN_MS = SHOWN_MINUTES * 60_000;
const KEPT_MAX = 500;
const KEPT_PER_SESSION_MAX = 20;

interface Kept<T> {
  readonly sessionId: SessionId;
  readonly value: T;
  readonly timer: ReturnType<typeof setTimeout>;
}

export class ShownOnce<T> {
  readonly #kept = new Map<string, Kept<T>>();

  /** Drops all values when `closing` is aborted. */
  constructor(closing: AbortSignal) {
    closing.addEventListener("abort", () => [...this.#kept.keys()].forEach((id) => this.#forget(id)));
  }

  /** Keeps `value` for the session of the request; returns the query of the address that shows it. */
  keep(c: Context<WebEnv>, value: T): string {
    const { sessionId } = c.get("admin");
    const own = [...this.#kept].filter(([, kept]) => kept.sessionId === sessionId);
    if (own.length >= KEPT_PER_SESSION_MAX) this.#forget(own[0]![0]);
    else if (this.#kept.size >= KEPT_MAX) this.#forget(this.#kept.keys().next().value!);
    const id = randomBytes(16).toString("base64url");
    const timer = setTimeout(() => this.#forget(id), SHOWN_MS);
    Deno.unrefTimer(timer);
    this.#kept.set(id, { sessionId, value, timer });
    return `shown=${id}`;
  }

  /** Returns the value that the address names, if it belongs to this session and is still kept. */
  find(c: Context<WebEnv>): T | undefined {
    return this.#of(c, c.req.query("shown") ?? "");
  }

  /** Drops the value that `Confirm` names; returns it. */
  async confirm(c: Context<WebEnv>): Promise<T | undefined> {
    const id = fieldText(await readForm(c), "shown");
    const value = this.#of(c, id);
    if (value !== undefined) this.#forget(id);
    return value;
  }

  #of(c: Context<WebEnv>, id: string): T | undefined {
    const kept = this.#kept.get(id);
    return kept?.sessionId === c.get("admin").sessionId ? kept.value : undefined;
  }

  #forget(id: string): void {
    clearTimeout(this.#kept.get(id)?.timer);
    this.#kept.delete(id);
  }
}

/** The button that confirms the value, and the time after which it disappears without it. */
export function Confirm({ c, action, label }: { c: Context<WebEnv>; action: string; label: string }) {
  return (
    <form method="post" action={action} class="confirm-shown">
      <input type="hidden" name="shown" value={c.req.query("shown") ?? ""} />
      <button type="submit" class="secondary" aria-describedby="shown-hint">{label}</button>
      <p id="shown-hint" class="hint">
        This page shows it in this browser only, for {SHOWN_MINUTES} minutes or until you press the button.
      </p>
    </form>
  );
}

/** Shows the page for a value that is no longer kept. */
export function noLongerShown(c: Context<WebEnv>, { title, advice, back }: {
  title: string;
  /** How to create another value. */
  advice: string;
  back: string;
}) {
  return page(c, {
    title,
    children: (
      <>
        <p>
          It is no longer shown: you confirmed that you have it, {SHOWN_MINUTES}{" "}
          minutes passed, or the server was restarted. {advice}
        </p>
        <p>
          <a href={back} role="button">Back</a>
        </p>
      </>
    ),
  }, 410);
}
