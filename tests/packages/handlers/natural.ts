import natural from "npm:natural@8.1.1";

export default (c) =>
  c.json({ stem: natural.PorterStemmer.stem("running"), distance: natural.LevenshteinDistance("kitten", "sitting") });
