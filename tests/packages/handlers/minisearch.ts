import MiniSearch from "npm:minisearch@7.2.0";

const search = new MiniSearch({ fields: ["text"] });
search.addAll([{ id: 1, text: "a red lamp" }, { id: 2, text: "a blue desk" }]);

export default (c) => c.json(search.search("lmap", { fuzzy: 0.5 }).map(({ id }) => id));
