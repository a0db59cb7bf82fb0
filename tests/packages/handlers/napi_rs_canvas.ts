import { createCanvas } from "npm:@napi-rs/canvas@1.1.1";

export default (c) => c.body(createCanvas(10, 10).toBuffer("image/png"), 200, { "Content-Type": "image/png" });
