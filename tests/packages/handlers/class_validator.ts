import { IsEmail, Min, validate } from "npm:class-validator@0.15.1";

class User {
  email = "nobody";
  age = 3;
}
// Decorators as functions: TypeScript's experimental ones are not available.
IsEmail()(User.prototype, "email");
Min(18)(User.prototype, "age");

export default async (c) =>
  c.json((await validate(new User())).map(({ property, constraints }) => [property, constraints]));
