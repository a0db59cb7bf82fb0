import iconv from "npm:iconv-lite@0.7.3";

export default (c) =>
  c.json({
    text: iconv.decode(new Uint8Array([0x93, 0xfa, 0x96, 0x7b]), "shift_jis"),
    bytes: [...iconv.encode("é", "latin1")],
  });
