// Starts `crude dev`, which gives the folder and the port as arguments.

import { resolve } from "node:path";
import { AppError, messageOf } from "../errors.ts";
import { ConfigError } from "../config.ts";
import { KeyFileError } from "../keyring/key_file.ts";
import { DataFolderError } from "../store/data_folder.ts";
import { dev } from "./dev.ts";

const [folder = ".", port = "8000"] = Deno.args;
const ending = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => ending.abort());
try {
  await dev({
    folder: resolve(folder),
    port: Number(port),
    env: (name) => Deno.env.get(name),
    print: (line) => console.log(line),
    signal: ending.signal,
  });
  Deno.exit(0);
} catch (error) {
  const isUsers = [AppError, ConfigError, DataFolderError, KeyFileError].some((kind) => error instanceof kind);
  console.error(isUsers ? messageOf(error) : error);
  Deno.exit(1);
}
