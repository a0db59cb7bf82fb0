import avro from "npm:avsc@5.7.9";

const type = avro.Type.forSchema({
  type: "record",
  name: "Pet",
  fields: [{ name: "name", type: "string" }, { name: "age", type: "int" }],
});

export default (c) => c.json(type.fromBuffer(type.toBuffer({ name: "Rex", age: 3 })));
