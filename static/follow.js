// Marks the link of a list to the part of the page that is read.

/** How far below the top of the window the read part begins, as a share of its height. */
const LINE = 0.25;

for (const list of document.querySelectorAll("[data-follow]")) {
  const parts = [...list.querySelectorAll('a[href^="#"]')].map((link) => ({
    link,
    part: document.getElementById(decodeURIComponent(link.hash.slice(1))),
  })).filter(({ part }) => part);
  const mark = () => {
    const isEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2 && scrollY > 0;
    const above = parts.filter(({ part }) => part.getBoundingClientRect().top < innerHeight * LINE);
    const current = isEnd ? parts.at(-1) : above.at(-1) ?? parts[0];
    for (const one of parts) {
      if (one === current) one.link.setAttribute("aria-current", "true");
      else one.link.removeAttribute("aria-current");
    }
  };
  if (parts.length === 0) continue;
  addEventListener("scroll", mark, { passive: true });
  addEventListener("resize", mark);
  mark();
}
