import protobuf from "npm:protobufjs@8.8.1";

const { root } = protobuf.parse('syntax = "proto3"; message Order { int32 id = 1; repeated string items = 2; }');
const Order = root.lookupType("Order");

export default function (c) {
  const bytes = Order.encode(Order.create({ id: 7, items: ["lamp"] })).finish();
  return c.json({ length: bytes.length, order: Order.toObject(Order.decode(bytes)) });
}
