import { UAParser } from "npm:ua-parser-js@2.0.10";

export default function (c) {
  const { browser, os } = UAParser("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
  return c.json({ browser: browser.name, os: os.name });
}
