import { blake3 } from "npm:@noble/hashes@2.4.0/blake3.js";
import { bytesToHex, utf8ToBytes } from "npm:@noble/hashes@2.4.0/utils.js";

export default (c) => c.text(bytesToHex(blake3(utf8ToBytes("abc"))));
