// Lists that clients may take page by page or whole. A whole one is read and sent in pieces, so that nobody waits
// for it, however long it is.

import type { TypedResponse } from "hono";
import { cursorOf, PAGE_MAX } from "../inputs/secret_schemas.ts";

/** Rows at a time where no page was asked for: some milliseconds in which nobody else is served. */
const PIECE = 250;

/** What was asked for: without a limit and a cursor, the whole list. */
export interface Asked {
  readonly limit?: number | undefined;
  /** 0 if there is none. */
  readonly cursor: number;
}

type ListAnswer<Name extends string, Shown> =
  & Response
  & TypedResponse<{ [N in Name]: Shown[] } & { next?: string | null }, 200, "json">;

/**
 * Answers with `{"<name>": […]}`, and with `next` where a page was asked for. `read` gives rows with an id above
 * `after` in order of id, at most `limit`; `show` tells what is seen of them.
 */
export function answerList<Name extends string, Row extends { readonly id: number }, Shown>(
  name: Name,
  { limit, cursor }: Asked,
  read: (after: number, limit: number) => Row[],
  show: (rows: Row[]) => Shown[],
): ListAnswer<Name, Shown> {
  const page = (after: number, limit: number): Piece => {
    const rows = read(after, limit + 1);
    const next = rows.length > limit ? rows[limit - 1]!.id : undefined;
    return { shown: show(rows.slice(0, limit)), next };
  };
  const typed = (response: Response) => response as ListAnswer<Name, Shown>;

  if (limit !== undefined || cursor > 0) {
    const { shown, next } = page(cursor, limit ?? PAGE_MAX);
    return typed(Response.json({ [name]: shown, next: next === undefined ? null : cursorOf(next) }));
  }
  const first = page(0, PIECE);
  if (first.next === undefined) return typed(Response.json({ [name]: first.shown }));
  const stream = jsonStream(name, first, (after) => page(after, PIECE));
  return typed(new Response(stream, { headers: { "Content-Type": "application/json" } }));
}

interface Piece {
  readonly shown: unknown[];
  /** The id to go on after; undefined if there is nothing more. */
  readonly next: number | undefined;
}

function jsonStream(name: string, first: Piece, following: (after: number) => Piece): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let piece: Piece | undefined = first;
  let { next } = first;
  return new ReadableStream({
    async pull(controller) {
      // Deno asks for the next piece at once, which would keep everybody else waiting to the end of the list.
      await new Promise((resolve) => setTimeout(resolve, 0));
      const { shown, next: more }: Piece = piece ?? following(next!);
      const rows = shown.map((row) => JSON.stringify(row)).join(",");
      // The rows that were to follow may have been deleted meanwhile.
      const before = piece ? `{${JSON.stringify(name)}:[` : rows && ",";
      piece = undefined;
      next = more;
      controller.enqueue(encoder.encode(before + rows + (next === undefined ? "]}" : "")));
      if (next === undefined) controller.close();
    },
  }, { highWaterMark: 0 });
}
