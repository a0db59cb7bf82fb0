// Wraps a decrypted value so that it cannot get into a log, an error or JSON by accident.

const SHOWN = "[secret]";

/** A decrypted secret. Only `reveal()` returns the text; every way of printing gives `[secret]`. */
export class SecretValue {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** Returns the text. Call it as late as possible, where the value is passed to its recipient. */
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
