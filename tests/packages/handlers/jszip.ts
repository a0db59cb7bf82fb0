import JSZip from "npm:jszip@3.10.2";

export default async function (c) {
  const zip = new JSZip();
  zip.file("hello.txt", "Hello");
  const read = await JSZip.loadAsync(await zip.generateAsync({ type: "uint8array", compression: "DEFLATE" }));
  return c.text(await read.file("hello.txt").async("text"));
}
