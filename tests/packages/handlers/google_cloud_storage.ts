import { Storage } from "npm:@google-cloud/storage@8.4.0";

export default async function (c, ctx) {
  const storage = new Storage({
    apiEndpoint: `${await ctx.getSecret("API_URL")}/gcs`,
    projectId: "app",
    useAuthWithCustomEndpoint: false,
  });
  const file = storage.bucket("app").file("note.txt");
  await file.save("a note", { resumable: false, contentType: "text/plain", validation: false });
  const [content] = await file.download({ validation: false });
  return c.text(content.toString());
}
