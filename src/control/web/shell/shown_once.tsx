// Values that the pages show once, such as a new key's: in memory alone, for the session that made them, until
// they are confirmed or for some minutes, so that a reload does not lose them.

import { randomBytes } from "node:crypto";
import type { Context } from "hono";
import type { SessionId } from "../../../ids.ts";
import type { WebEnv } from "./deps.ts";
import { readForm, typedText } from "./forms.ts";
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

  /** Forgets everything when `closing` is aborted. */
  constructor(closing: AbortSignal) {
    closing.addEventListener("abort", () => [...this.#kept.keys()].forEach((id) => this.#forget(id)));
  }

  /** Keeps `value` for the session of the request; returns the query that its page is asked with. */
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

  /** Returns what the address asks for, if it is this session's and still kept. */
  find(c: Context<WebEnv>): T | undefined {
    return this.#of(c, c.req.query("shown") ?? "");
  }

  /** Forgets what `Confirm` names; returns it. */
  async confirm(c: Context<WebEnv>): Promise<T | undefined> {
    const id = typedText(await readForm(c), "shown");
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

/** The button that ends the showing, and how long it lasts otherwise. */
export function Confirm({ c, action, label }: { c: Context<WebEnv>; action: string; label: string }) {
  return (
    <form method="post" action={action} class="confirm-shown">
      <input type="hidden" name="shown" value={c.req.query("shown") ?? ""} />
      <button type="submit" class="secondary" aria-describedby="shown-hint">{label}</button>
      <p id="shown-hint" class="hint">
        This page shows it for {SHOWN_MINUTES} minutes, in this browser only, or until you press the button.
      </p>
    </form>
  );
}

/** The page when there is nothing to show any more. */
export function noLongerShown(c: Context<WebEnv>, { title, advice, back }: {
  title: string;
  /** How to get another one. */
  advice: string;
  back: string;
}) {
  return page(c, {
    title,
    children: (
      <>
        <p>
          It is no longer shown: you confirmed that you have it, {SHOWN_MINUTES}{" "}
          minutes have passed, or the server was restarted. {advice}
        </p>
        <p>
          <a href={back} role="button">Back</a>
        </p>
      </>
    ),
  }, 410);
}
