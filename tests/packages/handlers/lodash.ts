import _ from "npm:lodash@4.18.1";

export default (c) =>
  c.json({
    grouped: _.groupBy([6.1, 4.2, 6.3], Math.floor),
    deep: _.get({ a: [{ b: 7 }] }, "a[0].b"),
    chunks: _.chunk([1, 2, 3], 2),
  });
