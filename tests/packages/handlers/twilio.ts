import twilio from "npm:twilio@6.2.0";

export default async function (c, ctx) {
  const api = await ctx.getSecret("API_URL");
  const token = await ctx.getSecret("API_TOKEN");
  // The client has no setting for another host: its requests are sent elsewhere here.
  class Client extends twilio.RequestClient {
    request(options) {
      return super.request({ ...options, uri: options.uri.replace("https://api.twilio.com", `${api}/twilio`) });
    }
  }
  const client = twilio("AC00000000000000000000000000000007", token, { httpClient: new Client() });
  const { sid } = await client.messages.create({ from: "+15550001", to: "+15550002", body: "Hello" });
  const signed = twilio.validateRequest(token, "wrong", "https://example.com", {});
  return c.json({ sid, signed });
}
