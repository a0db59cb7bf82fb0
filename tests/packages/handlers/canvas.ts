import { createCanvas } from "npm:canvas@3.2.3";

export default (c) => c.body(createCanvas(10, 10).toBuffer("image/png"), 200, { "Content-Type": "image/png" });
