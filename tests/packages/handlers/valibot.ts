import * as v from "npm:valibot@1.5.0";

const Login = v.object({ email: v.pipe(v.string(), v.email()), password: v.pipe(v.string(), v.minLength(8)) });

export default (c) =>
  c.json(v.flatten(v.safeParse(Login, { email: "ada@example.com", password: "short" }).issues).nested);
