// A decrypted value that cannot slip into a log, an error or JSON by accident.

const SHOWN = "[secret]";

/** A secret in the clear. Only `reveal()` gives the text; every other way of printing gives `[secret]`. */
export class SecretValue {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself. Call it at the last moment, where the value leaves for whom it is meant. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [Symbol.for("Deno.customInspect")](): string {
    return SHOWN;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return SHOWN;
  }
}
