import Fuse from "npm:fuse.js@7.5.0";

const fuse = new Fuse([{ title: "Middlemarch" }, { title: "Emma" }], { keys: ["title"] });

export default (c) => c.json(fuse.search("midlemarch").map(({ item }) => item.title));
