import { transform } from "npm:sucrase@3.35.1";

export default (c) => c.text(transform("const a: number = 1;", { transforms: ["typescript"] }).code);
