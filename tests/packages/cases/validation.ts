import type { PackageCase } from "../package_case.ts";

export const VALIDATION: readonly PackageCase[] = [
  { package: "zod", does: "validates a body", short: true, answer: { good: true, bad: ["email", "items"] } },
  {
    package: "yup",
    does: "validates and casts",
    answer: { cast: { age: 24 }, errors: ["age must be a positive number", "email must be a valid email"] },
  },
  {
    package: "joi",
    does: "validates",
    answer: ['"name" length must be at least 3 characters long', '"year" must be greater than or equal to 1900'],
  },
  { package: "ajv", does: "validates, with `ajv-formats`", answer: { valid: false, paths: ["/email", "/age"] } },
  { package: "valibot", does: "validates", answer: { password: ["Invalid length: Expected >=8 but received 5"] } },
  { package: "superstruct", does: "validates", answer: [true, false] },
  {
    package: "class-validator",
    does: "validates an object of a class",
    answer: [["email", { isEmail: "email must be an email" }], ["age", { min: "age must not be less than 18" }]],
    note: "TypeScript's experimental decorators are not available: call the decorators as functions",
  },
  {
    package: "arktype",
    does: "validates",
    answer: { good: { name: "Ada", age: 36 }, bad: "age must be at least 18 (was 3)" },
  },
  { package: "effect", does: "retries what fails", answer: { result: "done", attempts: 3 } },
];
