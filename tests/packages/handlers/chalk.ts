import { Chalk } from "npm:chalk@6.0.1";

export default (c) => c.text(new Chalk({ level: 1 }).red("warning"));
