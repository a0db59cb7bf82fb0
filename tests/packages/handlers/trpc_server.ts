import { initTRPC } from "npm:@trpc/server@11.25.2";
import { fetchRequestHandler } from "npm:@trpc/server@11.25.2/adapters/fetch";
import { z } from "npm:zod@4.6.7";

const t = initTRPC.context().create();
const router = t.router({
  greet: t.procedure.input(z.object({ name: z.string() })).query(({ input, ctx }) => `${ctx.word}, ${input.name}`),
});

export default () => {
  const req = new Request(`https://example.com/trpc/greet?input=${encodeURIComponent('{"name":"Ada"}')}`);
  return fetchRequestHandler({ endpoint: "/trpc", req, router, createContext: () => ({ word: "Hello" }) });
};
