import createDOMPurify from "npm:dompurify@3.4.18";
import { JSDOM } from "npm:jsdom@31.0.1";

const purify = createDOMPurify(new JSDOM("").window);

export default (c) => c.html(purify.sanitize('<img src="x" onerror="alert(1)"><b>ok</b>'));
