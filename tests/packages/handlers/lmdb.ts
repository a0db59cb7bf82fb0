import { open } from "npm:lmdb@3.5.6";

export default (c) => c.json(open({ path: "/tmp/lmdb" }).get("key"));
