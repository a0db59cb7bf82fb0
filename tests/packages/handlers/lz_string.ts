import LZString from "npm:lz-string@1.5.0";

export default (c) =>
  c.text(LZString.decompressFromEncodedURIComponent(LZString.compressToEncodedURIComponent("a state of a page")));
