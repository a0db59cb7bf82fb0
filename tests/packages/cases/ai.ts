import type { PackageCase } from "../package_case.ts";

export const AI: readonly PackageCase[] = [
  {
    package: "openai",
    does: "completes a chat, whole and streamed",
    services: ["api"],
    short: true,
    answer: { answer: "Hello, Ada.", streamed: "Hello, Ada." },
  },
  { package: "@anthropic-ai/sdk", does: "creates a message", services: ["api"], short: true, answer: "Hello, Ada." },
  { package: "@google/genai", does: "generates text", services: ["api"], answer: "Hello, Ada." },
  { package: "@google/generative-ai", does: "generates text", services: ["api"], answer: "Hello, Ada." },
  { package: "cohere-ai", does: "completes a chat", services: ["api"], answer: "Hello, Ada." },
  {
    package: "ai",
    does: "generates and streams text with `@ai-sdk/openai`",
    services: ["api"],
    answer: { text: "Hello, Ada.", streamed: "Hello, Ada." },
  },
  {
    package: "@langchain/core",
    does: "runs a chain with `@langchain/openai`",
    services: ["api"],
    answer: "Hello, Ada.",
  },
  { package: "groq-sdk", does: "completes a chat", services: ["api"], answer: "Hello, Ada." },
  { package: "@mistralai/mistralai", does: "completes a chat", services: ["api"], answer: "Hello, Ada." },
  {
    package: "replicate",
    does: "runs a prediction and waits for it",
    services: ["api"],
    answer: { output: ["https://example.com/lamp.png"] },
  },
  {
    package: "@pinecone-database/pinecone",
    does: "lists indexes",
    services: ["api"],
    answer: [{ name: "books", dimension: 3 }],
  },
  {
    package: "js-tiktoken",
    does: "counts tokens",
    memoryMb: 512,
    answer: { tokens: 8 },
  },
  { package: "tiktoken", does: "counts tokens", answer: { tokens: 8, text: "How many tokens are in this sentence?" } },
  { package: "gpt-tokenizer", does: "counts tokens", memoryMb: 512, answer: { tokens: 8 } },
  {
    package: "@tensorflow/tfjs",
    does: "multiplies matrices",
    memoryMb: 256,
    answer: [[17], [39]],
  },
  {
    package: "@huggingface/transformers",
    does: "loads a model",
    problem: /native code/,
    reason: "it is native code",
    instead: "an API, such as that of openai or replicate",
  },
];
