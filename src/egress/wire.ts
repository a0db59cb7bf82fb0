// Defines the frames between the server and the egress process. They have the layout of the frames of sandboxes; the
// id is that of an exchange, a request with its response.

import type { SealedEntry, SealedUse } from "../sealed.ts";
import { BodyMode, CHUNK_MAX_BYTES, type FlatHeaders, type FrameLimits } from "../sandbox/wire/protocol.ts";
import { HEADERS_MAX, HEADERS_MAX_LENGTH, WHOLE_BODY_MAX_BYTES } from "../sandbox/wire/protocol.ts";

/** From the server. */
export const ToEgress = {
  /** Payload RequestPayload; the body is the request's if it is sent whole. */
  Request: 1,
  /** A piece of a request's body. */
  Body: 2,
  BodyEnd: 3,
  /** Payload: how many more bytes of the response's body may be sent. */
  Credit: 4,
  /** The exchange is no longer of interest. */
  Abort: 5,
  /**
   * About a lane, which is the id. Payload: a JSON array of the addresses and ranges, with or without a port, and the
   * names that its requests from now on must not connect to.
   */
  OpenLane: 6,
  /** About a lane, which is the id: its connections are closed. */
  CloseLane: 7,
} as const;

/** From the egress process. */
export const FromEgress = {
  /** Payload HeadPayload; the body is the response's if it is sent whole, which ends the exchange. */
  Head: 65,
  /** A piece of a response's body. */
  Piece: 66,
  End: 67,
  /** Payload: how many more bytes of the request's body may be sent. */
  Credit: 68,
  /** Payload FailedPayload: there is no response, or no more of it. Ends the exchange. */
  Failed: 69,
  /** Payload UsedPayload: the placeholder of a value that is watched has left. Not after the end of the exchange. */
  Used: 70,
} as const;

export interface RequestPayload {
  readonly method: string;
  readonly url: string;
  readonly headers: FlatHeaders;
  readonly mode: BodyMode;
  /** The length of a streamed body, if it is known. */
  readonly length: number | null;
  /** One that was opened. Only requests of one lane share connections. */
  readonly lane: number;
  readonly sealed: readonly SealedEntry[];
}

/** `mode` is None, Whole or Stream. */
export type HeadPayload = readonly [status: number, statusText: string, headers: FlatHeaders, mode: BodyMode];

/** `message` is for the author of the handler; `code` is one of Node's, or empty. */
export type FailedPayload = readonly [message: string, code: string];

export type UsedPayload = readonly [placeholder: string, use: SealedUse];

export const STATUS_TEXT_MAX_LENGTH = 256;
/** The longest sentence about a failure. */
export const FAILURE_MAX_LENGTH = 1_024;

const SHORT: FrameLimits = { payload: 64, body: 0 };
const JSON_UNIT_BYTES = 6;
/** For a placeholder, which has the secret's name in it. */
const USED_MAX_BYTES = 512;

export const FROM_EGRESS_LIMITS: Readonly<Record<number, FrameLimits>> = {
  [FromEgress.Head]: {
    payload: (HEADERS_MAX_LENGTH + STATUS_TEXT_MAX_LENGTH) * JSON_UNIT_BYTES +
      6 * HEADERS_MAX + 128,
    body: WHOLE_BODY_MAX_BYTES,
  },
  [FromEgress.Piece]: { payload: 0, body: CHUNK_MAX_BYTES },
  [FromEgress.End]: SHORT,
  [FromEgress.Credit]: SHORT,
  [FromEgress.Used]: { payload: USED_MAX_BYTES, body: 0 },
  [FromEgress.Failed]: { payload: FAILURE_MAX_LENGTH * JSON_UNIT_BYTES, body: 0 },
};
