import { parse } from "npm:smol-toml@1.9.1";

export default (c) => c.json(parse('title = "x"\n[server]\nport = 80\n'));
