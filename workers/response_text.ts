// Remembers the texts of which responses were created. Sending the text takes a fraction of the time of reading it back
// from a stream (measured on Deno 2.9.6).

/** Adds a private field to any object, which is visible only in this file. */
class Made extends (class {
  constructor(response: object) {
    return response;
  }
}) {
  #from: string | null;

  constructor(response: object, from: string | null) {
    super(response);
    this.#from = from;
  }

  static from(response: object): string | null | undefined {
    return #from in response ? response.#from : undefined;
  }
}

/** Returns the text of `response`; null if it has no body, undefined if its body has to be read. */
export function textOf(response: Response): string | null | undefined {
  return response.bodyUsed ? undefined : Made.from(response);
}

/** Makes `new Response` remember its text. Everything else about the class stays the same. */
export function rememberTexts(): void {
  const { construct } = Reflect;
  const Native = Response;
  const Remembering = new Proxy(Native, {
    construct(_, args, newTarget) {
      const response = construct(Native, args, newTarget) as Response;
      const from: unknown = args[0];
      if (typeof from === "string") new Made(response, from);
      else if (from === undefined || from === null) new Made(response, null);
      return response;
    },
  });
  Native.prototype.constructor = Remembering;
  Object.defineProperty(globalThis, "Response", { value: Remembering });
}
