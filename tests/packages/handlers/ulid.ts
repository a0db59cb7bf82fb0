import { decodeTime, ulid } from "npm:ulid@3.0.2";

export default (c) => c.json({ at: decodeTime(ulid(1_767_225_600_000)) });
