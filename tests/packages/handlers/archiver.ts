import { ZipArchive } from "npm:archiver@8.0.0";

export default async function (c) {
  const archive = new ZipArchive({ zlib: { level: 9 } });
  archive.append("Hello", { name: "hello.txt" });
  archive.finalize();
  const chunks = [];
  for await (const chunk of archive) chunks.push(chunk);
  return c.body(await new Blob(chunks).arrayBuffer(), 200, { "Content-Type": "application/zip" });
}
