import tar from "npm:tar-stream@3.2.2";

export default async function (c) {
  const pack = tar.pack();
  pack.entry({ name: "a.txt" }, "one");
  pack.finalize();
  const files = [];
  for await (const entry of pack.pipe(tar.extract())) {
    let text = "";
    for await (const chunk of entry) text += chunk;
    files.push([entry.header.name, text]);
  }
  return c.json(files);
}
