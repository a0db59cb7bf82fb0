import { hash } from "npm:@node-rs/argon2@2.2.1";

export default async (c) => c.text(await hash("correct horse"));
