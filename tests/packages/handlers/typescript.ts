import ts from "npm:typescript@5.9.3";

export default (c) =>
  c.text(ts.transpileModule("const x: number = 1;", { compilerOptions: { target: "ES2022" } }).outputText);
