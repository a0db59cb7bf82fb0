// What a handler's responses were made of: a body that was a text from the start is sent as it is, which takes a
// fraction of reading it back as a stream (measured on Deno 2.9.6).

/** Puts a private field on any object: nothing of it can be seen from outside of this file. */
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

/** The text that `response` was made of, null if it has no body, or undefined if its body has to be read. */
export function wholeBody(response: Response): string | null | undefined {
  return response.bodyUsed ? undefined : Made.from(response);
}

/** Makes `new Response` remember what it is given; everything else about the class stays. */
export function rememberBodies(): void {
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
