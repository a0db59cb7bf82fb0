import { BlobServiceClient, StorageSharedKeyCredential } from "npm:@azure/storage-blob@12.34.0";

export default async function (c, ctx) {
  const credential = new StorageSharedKeyCredential("app", btoa(await ctx.getSecret("API_TOKEN")));
  const service = new BlobServiceClient(`${await ctx.getSecret("API_URL")}/azure`, credential);
  const blob = service.getContainerClient("files").getBlockBlobClient("note.txt");
  await blob.upload("a note", 6);
  return c.text((await blob.downloadToBuffer()).toString());
}
