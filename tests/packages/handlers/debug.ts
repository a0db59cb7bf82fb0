import debug from "npm:debug@4.4.3";

const log = debug("app:orders");
debug.enable("app:*");

export default function (c) {
  log("order %d of %o", 7, { user: "Ada" });
  return c.json({ enabled: log.enabled });
}
