import BigNumber from "npm:bignumber.js@11.1.5";

export default (c) => c.json([new BigNumber("0.1").plus("0.2").toString(), new BigNumber(2).pow(100).toFixed()]);
