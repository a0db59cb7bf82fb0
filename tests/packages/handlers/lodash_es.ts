import { kebabCase, merge } from "npm:lodash-es@4.18.1";

export default (c) => c.json({ name: kebabCase("fooBar Baz"), merged: merge({ a: { b: 1 } }, { a: { c: 2 } }) });
