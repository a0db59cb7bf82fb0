// Sends lists page by page or as a whole. A whole list is read and sent in chunks, so that even a long one does not
// delay other requests.

import { pageOf } from "../../paging.ts";
import type { TypedResponse } from "hono";
import { jsonResponse } from "../../json.ts";
import { cursorOf, PAGE_MAX } from "../inputs/secret_schemas.ts";

/** Rows per chunk of a whole list. Reading them takes a few milliseconds, in which no other request is served. */
const PIECE = 250;

/** The requested part of a list: without a limit and a cursor, the whole list. */
export interface Asked {
  readonly limit?: number | undefined;
  /** 0 without a cursor. */
  readonly cursor: number;
}

type ListAnswer<Name extends string, Shown> =
  & Response
  & TypedResponse<{ [N in Name]: Shown[] } & { next?: string | null }, 200, "json">;

/**
 * Answers with `{"<name>": […]}`, and for a page with `next`. `read` returns at most `limit` rows with an id above
 * `after`, in order of id; `show` converts a row for the answer; `check` is called before each chunk, and breaks the
 * answer off by throwing.
 */
export async function answerList<Name extends string, Row extends { readonly id: number }, Shown>(
  name: Name,
  { limit, cursor }: Asked,
  read: (after: number, limit: number) => Row[],
  show: (rows: Row[]) => Shown[] | Promise<Shown[]>,
  check: () => void,
): Promise<ListAnswer<Name, Shown>> {
  const page = async (after: number, limit: number): Promise<Piece> => {
    check();
    const { rows, next } = pageOf(read(after, limit + 1), limit, ({ id }) => id);
    return { shown: await show(rows), next };
  };
  const typed = (response: Response) => response as ListAnswer<Name, Shown>;

  if (limit !== undefined || cursor > 0) {
    const { shown, next } = await page(cursor, limit ?? PAGE_MAX);
    return typed(jsonResponse({ [name]: shown, next: next === undefined ? null : cursorOf(next) }));
  }
  const first = await page(0, PIECE);
  if (first.next === undefined) return typed(jsonResponse({ [name]: first.shown }));
  const stream = jsonStream(name, first, (after) => page(after, PIECE));
  return typed(new Response(stream, { headers: { "Content-Type": "application/json" } }));
}

interface Piece {
  readonly shown: unknown[];
  /** The id after which the list continues; undefined at its end. */
  readonly next: number | undefined;
}

function jsonStream(
  name: string,
  first: Piece,
  following: (after: number) => Promise<Piece>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let piece: Piece | undefined = first;
  let { next } = first;
  return new ReadableStream({
    async pull(controller) {
      // Deno requests the next chunk at once; without a pause, all other requests would wait for the whole list.
      await new Promise((resolve) => setTimeout(resolve, 0));
      const { shown, next: more }: Piece = piece ?? await following(next!);
      const rows = shown.map((row) => JSON.stringify(row)).join(",");
      // The following rows may have been deleted meanwhile.
      const before = piece ? `{${JSON.stringify(name)}:[` : rows && ",";
      piece = undefined;
      next = more;
      controller.enqueue(encoder.encode(before + rows + (next === undefined ? "]}\n" : "")));
      if (next === undefined) controller.close();
    },
  }, { highWaterMark: 0 });
}
