import * as cheerio from "npm:cheerio@1.2.0";

export default function (c) {
  const $ = cheerio.load('<ul><li class="a">One</li><li>Two</li></ul>');
  $("li.a").text("First").addClass("seen");
  return c.json({ items: $("li").map((_, element) => $(element).text()).get(), html: $("ul").html() });
}
