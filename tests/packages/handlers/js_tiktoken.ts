import { Tiktoken } from "npm:js-tiktoken@1.0.21/lite";
import o200k from "npm:js-tiktoken@1.0.21/ranks/o200k_base";

const encoding = new Tiktoken(o200k);

export default (c) => c.json({ tokens: encoding.encode("How many tokens are in this sentence?").length });
