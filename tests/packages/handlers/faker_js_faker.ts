import { faker } from "npm:@faker-js/faker@10.6.0";

export default function (c) {
  faker.seed(7);
  return c.json({ email: faker.internet.email().includes("@"), name: faker.person.fullName().length > 3 });
}
