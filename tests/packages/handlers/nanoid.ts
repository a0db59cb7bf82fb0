import { customAlphabet, nanoid } from "npm:nanoid@6.0.2";

export default (c) => c.json({ length: nanoid().length, digits: /^\d{6}$/.test(customAlphabet("0123456789", 6)()) });
