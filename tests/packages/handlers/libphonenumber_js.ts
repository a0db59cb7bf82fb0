import { parsePhoneNumberFromString } from "npm:libphonenumber-js@1.13.16";

export default function (c) {
  const number = parsePhoneNumberFromString("030 901820", "DE");
  return c.json({ e164: number.number, valid: number.isValid(), national: number.formatNational() });
}
