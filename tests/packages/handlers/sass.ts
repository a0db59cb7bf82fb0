import { compileString } from "npm:sass@1.108.2";

export default (c) => c.text(compileString("$c: red; a { b { color: $c } }").css);
