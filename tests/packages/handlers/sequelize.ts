import { DataTypes, Sequelize } from "npm:sequelize@6.37.8";
import pg from "npm:pg@8.23.1";

let Product;

export default async function (c, ctx) {
  if (!Product) {
    const sequelize = new Sequelize(await ctx.getSecret("DATABASE_URL"), { dialectModule: pg, logging: false });
    Product = sequelize.define("Product", { name: DataTypes.STRING, price: DataTypes.DECIMAL(10, 2) }, {
      tableName: "sequelize_products",
      timestamps: false,
    });
    await sequelize.sync({ force: true });
  }
  await Product.create({ name: "lamp", price: 19.9 });
  const found = await Product.findOne({ where: { name: "lamp" } });
  return c.json({ name: found.name, price: found.price });
}
