import { createActor, createMachine } from "npm:xstate@5.33.3";

const machine = createMachine({
  initial: "cart",
  states: { cart: { on: { PAY: "paid" } }, paid: { on: { SHIP: "shipped" } }, shipped: { type: "final" } },
});

export default function (c) {
  const actor = createActor(machine).start();
  actor.send({ type: "PAY" });
  actor.send({ type: "SHIP" });
  return c.json(actor.getSnapshot().value);
}
