import ms from "npm:ms@2.1.3";

export default (c) => c.json([ms("2 days"), ms(60_000), ms(5_400_000, { long: true })]);
