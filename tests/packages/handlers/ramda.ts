import * as R from "npm:ramda@0.32.0";

const total = R.pipe(R.map(R.prop("price")), R.sum);

export default (c) => c.json({ total: total([{ price: 2 }, { price: 5 }]) });
