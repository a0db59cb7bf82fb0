import { Feed } from "npm:feed@6.0.0";

export default function (c) {
  const feed = new Feed({
    title: "News",
    id: "https://example.com",
    link: "https://example.com",
    updated: new Date(0),
  });
  feed.addItem({ title: "First", id: "1", link: "https://example.com/1", date: new Date(0) });
  return c.body(feed.rss2(), 200, { "Content-Type": "application/rss+xml" });
}
