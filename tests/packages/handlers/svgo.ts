import { optimize } from "npm:svgo@4.1.0";

export default (c) =>
  c.body(
    optimize('<svg xmlns="http://www.w3.org/2000/svg"><!-- a comment --><path d="M 10.00 10.00 L 20.00 20.00"/></svg>')
      .data,
  );
