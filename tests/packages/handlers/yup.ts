import * as yup from "npm:yup@1.7.1";

const schema = yup.object({ age: yup.number().required().positive().integer(), email: yup.string().email() });

export default async function (c) {
  const errors = await schema.validate({ age: -1, email: "x" }, { abortEarly: false }).catch((error) => error.errors);
  return c.json({ cast: schema.cast({ age: "24" }), errors });
}
