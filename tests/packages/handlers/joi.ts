import Joi from "npm:joi@18.3.2";

const schema = Joi.object({ name: Joi.string().min(3).required(), year: Joi.number().integer().min(1900) });

export default (c) =>
  c.json(
    schema.validate({ name: "Al", year: 1800 }, { abortEarly: false }).error.details.map(({ message }) => message),
  );
