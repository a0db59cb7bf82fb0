import bcrypt from "npm:bcryptjs@3.0.3";

export default async function (c) {
  const hash = await bcrypt.hash("correct horse", 8);
  return c.json([await bcrypt.compare("correct horse", hash), await bcrypt.compare("wrong", hash)]);
}
