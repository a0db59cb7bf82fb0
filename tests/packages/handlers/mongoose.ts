import mongoose from "npm:mongoose@9.12.1";

const User = mongoose.model(
  "User",
  new mongoose.Schema({ email: { type: String, required: true, lowercase: true }, age: { type: Number, min: 18 } }),
);

export default async function (c) {
  const invalid = new User({ age: 3 }).validateSync();
  const valid = new User({ email: "ADA@example.com", age: 36 });
  let failure;
  try {
    await mongoose.connect("mongodb://127.0.0.1:9/app", { serverSelectionTimeoutMS: 500 });
  } catch (error) {
    failure = error.name;
  }
  return c.json({ invalid: Object.keys(invalid.errors).sort(), email: valid.email, failure });
}
