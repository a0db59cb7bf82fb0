import { countTokens } from "npm:gpt-tokenizer@4.0.0";

export default (c) => c.json({ tokens: countTokens("How many tokens are in this sentence?") });
