import AdmZip from "npm:adm-zip@0.6.1";

export default function (c) {
  const zip = new AdmZip();
  zip.addFile("a.txt", new TextEncoder().encode("one"));
  return c.json(new AdmZip(zip.toBuffer()).getEntries().map(({ entryName }) => entryName));
}
