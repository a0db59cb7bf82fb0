import { v4, v5, v7, validate } from "npm:uuid@14.0.3";

export default (c) => c.json({ v4: validate(v4()), v7: v7()[14], v5: v5("example.com", v5.DNS) });
