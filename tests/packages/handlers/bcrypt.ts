import bcrypt from "npm:bcrypt@6.0.0";

export default async (c) => c.text(await bcrypt.hash("correct horse", 10));
