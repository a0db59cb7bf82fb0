import argon2 from "npm:argon2@0.45.1";

export default async (c) => c.text(await argon2.hash("correct horse"));
