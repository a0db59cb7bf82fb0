import puppeteer from "npm:puppeteer-core@25.16.0";

export default async function (c, ctx) {
  const browser = await puppeteer.connect({ browserWSEndpoint: await ctx.getSecret("BROWSER_URL") });
  const page = await browser.newPage();
  await page.setContent("<title>Invoice</title><p>Total: 12.50</p>");
  const title = await page.title();
  const pdf = await page.pdf({ format: "A6" });
  await page.close();
  await browser.disconnect();
  return c.json({ title, pdf: new TextDecoder().decode(pdf.subarray(0, 4)) });
}
