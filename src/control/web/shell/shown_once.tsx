// Keeps values that a page shows once, such as a new key's, for the session that created them, until the user confirms
// them or a few minutes have passed, so that a reload does not lose them.

import { createHash, randomBytes } from "node:crypto";
import type { Context } from "hono";
import type { Handovers, SharedState } from "../../../shared_state.ts";
import type { WebEnv } from "./deps.ts";
import { fieldText, readForm } from "./forms.ts";
import { page } from "./layout.tsx";
import { holdsSecret } from "./security.ts";

export const SHOWN_MINUTES = 10;
const SHOWN_MS = SHOWN_MINUTES * 60_000;
const KEPT_MAX = 500;

export interface ShownOnceOptions<T> {
  readonly shared: SharedState;
  /** Names the page. */
  readonly kind: string;
  /** Writes a value as text, which `read` reads. */
  readonly write: (value: T) => string;
  readonly read: (text: string) => T;
}

export class ShownOnce<T> {
  readonly #kept: Handovers;
  readonly #options: ShownOnceOptions<T>;

  constructor(options: ShownOnceOptions<T>) {
    this.#kept = options.shared.handovers(`shown ${options.kind}`, KEPT_MAX);
    this.#options = options;
  }

  /** Keeps `value` for the session of the request; returns the query of the address that shows it. */
  async keep(c: Context<WebEnv>, value: T): Promise<string> {
    const id = randomBytes(16).toString("base64url");
    await this.#kept.put(keyOf(c, id), this.#options.write(value), SHOWN_MS);
    return `shown=${id}`;
  }

  /** Returns the value that the address names, if it belongs to this session and is still kept. */
  async find(c: Context<WebEnv>): Promise<T | undefined> {
    holdsSecret(c);
    return this.#value(await this.#kept.find(keyOf(c, c.req.query("shown") ?? "")));
  }

  /** Drops the value that `Confirm` names; returns it. */
  async confirm(c: Context<WebEnv>): Promise<T | undefined> {
    return this.#value(await this.#kept.take(keyOf(c, fieldText(await readForm(c), "shown"))));
  }

  #value(text: string | undefined): T | undefined {
    return text === undefined ? undefined : this.#options.read(text);
  }
}

/** Another session does not find what this one keeps. The address alone, in a browser's history, is no key either. */
function keyOf(c: Context<WebEnv>, id: string): string {
  return createHash("sha256").update(`${c.get("admin").sessionId} ${id}`).digest("base64url");
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
          <a href={back} class="button">Back</a>
        </p>
      </>
    ),
  }, 410);
}
