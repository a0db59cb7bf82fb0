import { Ajv } from "npm:ajv@8.20.0";
import addFormats from "npm:ajv-formats@3.0.1";

const ajv = new Ajv({ allErrors: true });
addFormats.default(ajv);
const validate = ajv.compile({
  type: "object",
  required: ["email"],
  properties: { email: { type: "string", format: "email" }, age: { type: "integer", minimum: 18 } },
});

export default function (c) {
  const valid = validate({ email: "nobody", age: 3 });
  return c.json({ valid, paths: validate.errors.map(({ instancePath }) => instancePath) });
}
