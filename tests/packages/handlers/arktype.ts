import { type } from "npm:arktype@2.2.9";

const User = type({ name: "string", age: "number.integer >= 18" });

export default (c) => c.json({ good: User({ name: "Ada", age: 36 }), bad: User({ name: "Ada", age: 3 }).summary });
