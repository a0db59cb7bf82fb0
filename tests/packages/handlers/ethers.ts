import { verifyMessage, Wallet } from "npm:ethers@6.17.0";

export default async function (c) {
  const wallet = Wallet.createRandom();
  const signature = await wallet.signMessage("log in");
  return c.json({ valid: verifyMessage("log in", signature) === wallet.address });
}
