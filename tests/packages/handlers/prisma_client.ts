import { PrismaClient } from "npm:@prisma/client@7.10.0";

export default async function (c) {
  const prisma = new PrismaClient();
  return c.json(await prisma.user.findMany());
}
