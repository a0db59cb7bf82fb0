// Finds every kind of page that a link leads to, so that each can be looked at once.

import type { Page } from "playwright-core";

/** Addresses of these pages and their parts that the page leads to; files that are saved, and signing out, are none. */
export async function addressesOn(page: Page): Promise<string[]> {
  const found = await page.evaluate(`[...document.querySelectorAll("a[href]:not([download]), [hx-get], [data-narrow]")]
    .map((element) => ["href", "hx-get", "data-narrow"].map((name) => element.getAttribute(name)).find(Boolean))
    .map((address) => new URL(address, location.href))
    .filter(({ origin, pathname }) => origin === location.origin && pathname.startsWith("/web"))
    .map(({ pathname, search }) => pathname + search)`) as string[];
  return found.filter((path) => !path.startsWith("/web/files/download"));
}

/** The same for addresses that differ in what they ask for, not in how: two of a kind are enough. */
export function kindOf(address: string): string {
  const { pathname, searchParams } = new URL(address, "http://here");
  // The text of each document is checked by documentation.test.ts.
  if (pathname.startsWith("/web/docs/")) return "/web/docs/one";
  return `${pathname.replaceAll(/\d+/g, "1")} ${[...searchParams.keys()]}`;
}
