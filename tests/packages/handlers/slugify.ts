import slugify from "npm:slugify@1.6.9";

export default (c) => c.text(slugify("Crème brûlée & Co.", { lower: true, strict: true }));
