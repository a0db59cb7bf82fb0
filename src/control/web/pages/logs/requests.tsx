// Finds requests by the beginning of their ids, as pages show it.

import type { FoundRequest } from "../../../../telemetry/logs.ts";
import type { WebDeps } from "../../shell/deps.ts";
import { Time } from "../../ui/components.tsx";
import { plural } from "../../ui/format.ts";
import { functionNames, requestPath } from "./entries.tsx";

/** `X-Request-Id` of calls. */
const REQUEST_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Shorter texts are words. */
const BEGINNING_MIN_LENGTH = 6;
const EXAMPLE = "00000000-0000-0000-0000-000000000000";
/** How many requests are listed. */
const LISTED_MAX = 20;

export function isRequestId(text: string): boolean {
  return REQUEST_ID.test(text);
}

/** Reports whether a text can be the beginning of a request's id, such as the eight characters that entries show. */
export function isRequestBeginning(text: string): boolean {
  return text.length >= BEGINNING_MIN_LENGTH && REQUEST_ID.test(text + EXAMPLE.slice(text.length));
}

/** Returns the requests whose ids begin with a text, the newest first; none for a text that is no such beginning. */
export async function requestsLike(
  text: string,
  { allLogs }: Pick<WebDeps, "allLogs">,
): Promise<readonly FoundRequest[]> {
  const beginning = text.toLowerCase();
  return isRequestBeginning(beginning) && !isRequestId(beginning) ? await allLogs.requests(beginning, LISTED_MAX) : [];
}

/** The requests that a search for the beginning of an id found, above the entries with that text. */
export function FoundRequests({ requests, beginning, matrix }: {
  requests: readonly FoundRequest[];
  beginning: string;
  matrix: WebDeps["matrix"];
}) {
  if (requests.length === 0) return null;
  const names = functionNames(requests.map(({ functionId }) => functionId), matrix);
  return (
    <section class="found-requests" aria-label="Requests">
      <p>
        {requests.length === LISTED_MAX ? `${LISTED_MAX} requests or more` : plural(requests.length, "request")}{" "}
        {requests.length === 1 ? "begins" : "begin"} with <code>{beginning}</code>:
      </p>
      <ul>
        {requests.map(({ requestId, functionId, at }) => (
          <li>
            <a href={requestPath(requestId)}>
              <code>{requestId}</code>
            </a>{" "}
            {names.get(functionId) ?? "a deleted function"}, <Time ms={at} />
          </li>
        ))}
      </ul>
    </section>
  );
}
