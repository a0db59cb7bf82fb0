import { parse } from "npm:dotenv@18.0.10";

export default (c) => c.json(parse('A=1\nB="two words"\n# a comment\n'));
