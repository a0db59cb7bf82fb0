// What HTTP clients are tested with: echoes, forms, events, WebSocket, feeds, GraphQL, SOAP, git.

import type { ApiRoute } from "./api.ts";

export const WEB_ROUTES: readonly ApiRoute[] = [
  {
    method: "POST",
    path: /^\/echo$/,
    answer: ({ json, url }) => ({ json, query: Object.fromEntries(url.searchParams) }),
  },
  { method: "GET", path: /^\/status\/404$/, answer: () => Response.json({ error: "Not Found" }, { status: 404 }) },
  {
    method: "POST",
    path: /^\/form$/,
    answer: async ({ request }) => {
      const form = await request.formData();
      const file = form.get("file") as File;
      return { name: form.get("name"), file: file.name, text: await file.text() };
    },
  },
  {
    method: "GET",
    path: /^\/websocket$/,
    answer: ({ request }) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => socket.send(`echo: ${data}`);
      return response;
    },
  },
  {
    method: "GET",
    path: /^\/events$/,
    answer: () => new Response("data: one\n\ndata: two\n\n", { headers: { "Content-Type": "text/event-stream" } }),
  },
  {
    method: "POST",
    path: /^\/graphql$/,
    authenticated: true,
    answer: ({ json }) => ({ data: { user: { name: json.variables.id === "7" ? "Ada" : null } } }),
  },
  {
    method: "GET",
    path: /^\/feed\.xml$/,
    answer: () =>
      new Response(
        '<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>' +
          "<item><title>First</title></item><item><title>Second</title></item></channel></rss>",
        { headers: { "Content-Type": "application/rss+xml" } },
      ),
  },
  {
    method: "GET",
    path: /^\/soap$/,
    answer: ({ origin }) => new Response(wsdl(origin), { headers: { "Content-Type": "text/xml" } }),
  },
  {
    method: "POST",
    path: /^\/soap$/,
    answer: ({ text }) => {
      const numbers = [...text.matchAll(/<\w*:?[ab]>(\d+)</g)].map(([, digits]) => Number(digits));
      const sum = numbers.reduce((total, number) => total + number, 0);
      return new Response(
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>' +
          `<AddResponse xmlns="urn:sums"><sum>${sum}</sum></AddResponse></soap:Body></soap:Envelope>`,
        { headers: { "Content-Type": "text/xml" } },
      );
    },
  },
  {
    method: "GET",
    path: /^\/git\/repo\.git\/info\/refs$/,
    answer: () => {
      const commit = "a".repeat(40);
      const line = (text: string) => (text.length + 4).toString(16).padStart(4, "0") + text;
      const body = line("# service=git-upload-pack\n") + "0000" +
        line(`${commit} HEAD\0symref=HEAD:refs/heads/main agent=test\n`) +
        line(`${commit} refs/heads/main\n`) + "0000";
      return new Response(body, { headers: { "Content-Type": "application/x-git-upload-pack-advertisement" } });
    },
  },
];

function wsdl(origin: string): string {
  return `<definitions name="Sums" targetNamespace="urn:sums" xmlns:tns="urn:sums"
      xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
      xmlns:xsd="http://www.w3.org/2001/XMLSchema">
    <types><xsd:schema targetNamespace="urn:sums" elementFormDefault="qualified">
      <xsd:element name="Add"><xsd:complexType><xsd:sequence>
        <xsd:element name="a" type="xsd:int"/><xsd:element name="b" type="xsd:int"/>
      </xsd:sequence></xsd:complexType></xsd:element>
      <xsd:element name="AddResponse"><xsd:complexType><xsd:sequence>
        <xsd:element name="sum" type="xsd:int"/>
      </xsd:sequence></xsd:complexType></xsd:element>
    </xsd:schema></types>
    <message name="AddIn"><part name="parameters" element="tns:Add"/></message>
    <message name="AddOut"><part name="parameters" element="tns:AddResponse"/></message>
    <portType name="SumsPort"><operation name="Add">
      <input message="tns:AddIn"/><output message="tns:AddOut"/>
    </operation></portType>
    <binding name="SumsBinding" type="tns:SumsPort">
      <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
      <operation name="Add"><soap:operation soapAction="urn:sums#Add"/>
        <input><soap:body use="literal"/></input><output><soap:body use="literal"/></output>
      </operation>
    </binding>
    <service name="Sums"><port name="SumsPort" binding="tns:SumsBinding">
      <soap:address location="${origin}/soap"/>
    </port></service>
  </definitions>`;
}
