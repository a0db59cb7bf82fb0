import { pipeline } from "npm:@huggingface/transformers@4.3.1";

export default async function (c) {
  const classify = await pipeline("sentiment-analysis");
  return c.json(await classify("I like it."));
}
