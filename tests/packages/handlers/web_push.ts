import webpush from "npm:web-push@3.6.7";

export default function (c) {
  const { publicKey, privateKey } = webpush.generateVAPIDKeys();
  webpush.setVapidDetails("mailto:ada@example.com", publicKey, privateKey);
  const { headers } = webpush.generateRequestDetails({
    endpoint: "https://push.example.com/7",
    keys: { auth: "tBHItJI5svbpez7KI4CCXg", p256dh: publicKey },
  }, "a notification");
  return c.json({ scheme: headers.Authorization.split(" ")[0], encoding: headers["Content-Encoding"] });
}
