// OpenAI, Anthropic, Gemini, Cohere, Replicate and Pinecone.

import type { ApiRoute } from "./api.ts";

const TEXT = "Hello, Ada.";
const USAGE = { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 };
const COMPLETION = { id: "chatcmpl-7", created: 1_767_225_600, model: "gpt-4o-mini" };

export const AI_ROUTES: readonly ApiRoute[] = [
  {
    method: "POST",
    path: /^\/openai\/v1\/chat\/completions$/,
    authenticated: true,
    answer: ({ json }) =>
      json.stream ? events([...chunks(), "[DONE]"]) : {
        ...COMPLETION,
        object: "chat.completion",
        choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: TEXT } }],
        usage: USAGE,
      },
  },
  {
    method: "POST",
    path: /^\/anthropic\/v1\/messages$/,
    authenticated: true,
    answer: ({ json }) => ({
      id: "msg_7",
      type: "message",
      role: "assistant",
      model: json.model,
      content: [{ type: "text", text: TEXT }],
      stop_reason: "end_turn",
      usage: { input_tokens: 5, output_tokens: 3 },
    }),
  },
  {
    method: "POST",
    path: /^\/gemini\/v1(?:beta)?\/models\/gemini-2\.0-flash:generateContent$/,
    authenticated: true,
    answer: () => ({
      candidates: [{ index: 0, finishReason: "STOP", content: { role: "model", parts: [{ text: TEXT }] } }],
    }),
  },
  {
    method: "POST",
    path: /^\/cohere\/v2\/chat$/,
    authenticated: true,
    answer: () => ({
      id: "c7",
      finish_reason: "COMPLETE",
      message: { role: "assistant", content: [{ type: "text", text: TEXT }] },
    }),
  },
  {
    method: "POST",
    path: /^\/replicate\/predictions$/,
    authenticated: true,
    answer: () => Response.json({ id: "p7", status: "starting", urls: {} }, { status: 201 }),
  },
  {
    method: "GET",
    path: /^\/replicate\/predictions\/p7$/,
    authenticated: true,
    answer: () => ({ id: "p7", status: "succeeded", output: ["https://example.com/lamp.png"] }),
  },
  {
    method: "GET",
    path: /^\/pinecone\/indexes$/,
    authenticated: true,
    answer: () => ({
      indexes: [{
        name: "books",
        dimension: 3,
        metric: "cosine",
        host: "books.example.com",
        vector_type: "dense",
        deployment: { deployment_type: "managed", cloud: "aws", region: "eu-west-1" },
        schema: { fields: { values: { type: "dense_vector", dimension: 3, metric: "cosine" } } },
        spec: { serverless: { cloud: "aws", region: "eu-west-1" } },
        status: { ready: true, state: "Ready" },
      }],
    }),
  },
];

/** Of a streamed completion: one piece for each word, and the end. */
function chunks(): string[] {
  const deltas = [...TEXT.split(/(?= )/).map((content) => ({ role: "assistant", content })), {}];
  return deltas.map((delta, index) =>
    JSON.stringify({
      ...COMPLETION,
      object: "chat.completion.chunk",
      choices: [{ index: 0, delta, finish_reason: index === deltas.length - 1 ? "stop" : null }],
    })
  );
}

function events(data: readonly string[]): Response {
  return new Response(data.map((line) => `data: ${line}\n\n`).join(""), {
    headers: { "Content-Type": "text/event-stream" },
  });
}
