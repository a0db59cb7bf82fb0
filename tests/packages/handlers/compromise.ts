import nlp from "npm:compromise@14.17.0";

export default (c) => c.json(nlp("She walked to the old house.").verbs().toPresentTense().out("array"));
