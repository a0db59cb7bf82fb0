import type { PackageCase } from "../package_case.ts";

export const CLOUD: readonly PackageCase[] = [
  {
    package: "@aws-sdk/client-s3",
    does: "stores, lists and signs objects",
    services: ["s3"],
    short: true,
    answer: { text: "a report", keys: ["reports/2026.txt"], signed: "a report" },
  },
  {
    package: "@aws-sdk/lib-storage",
    does: "uploads an object in several parts",
    services: ["s3"],
    answer: { length: 6000000, last: 7 },
  },
  {
    package: "@aws-sdk/client-dynamodb",
    does: "creates a table, stores and queries documents",
    services: ["dynamodb"],
    answer: [{ user: "ada", at: 1, items: ["lamp", "desk"] }],
  },
  { package: "@aws-sdk/client-sqs", does: "sends a message", services: ["api"], answer: { id: "m7" } },
  {
    package: "aws4fetch",
    does: "stores and reads an object with signed requests",
    services: ["s3"],
    answer: { put: 200, text: "signed by aws4fetch" },
  },
  { package: "minio", does: "stores and reads an object", services: ["s3"], answer: "stored by minio" },
  { package: "@google-cloud/storage", does: "stores and reads an object", services: ["api"], answer: "a note" },
  { package: "@azure/storage-blob", does: "stores and reads a blob", services: ["api"], answer: "a note" },
  {
    package: "firebase-admin",
    does: "reads a user and signs a token",
    services: ["api"],
    answer: { email: "ada@example.com", parts: 3 },
  },
  { package: "googleapis", does: "reads a sheet", services: ["api"], answer: [["name", "age"], ["Ada", "36"]] },
  {
    package: "google-auth-library",
    does: "exchanges a code for a token",
    services: ["api"],
    answer: { scope: "email", token: "ya29.token" },
  },
];
