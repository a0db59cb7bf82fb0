// Defines what delivers announcements: webhooks and mail.

import type { Action, Subject } from "../../actor.ts";
import type { ChannelName, DeliveryRow, Receiver } from "../../store/deliveries.ts";

/** The outcome of one attempt. */
export interface Attempt {
  /** Status of the answer, by HTTP or SMTP; null if there was none. */
  readonly status: number | null;
  /** Null if the receiver took it. */
  readonly problem: string | null;
  /** Whether it is not tried again. */
  readonly isFinal?: boolean;
}

/** What an attempt delivers. */
export type Message = Pick<DeliveryRow, "receiverId" | "recipient" | "messageId" | "type" | "body" | "createdAt">;

export interface Channel {
  readonly name: ChannelName;
  /** Largest number of attempts under way at one time for one recipient. */
  readonly atOnceEach: number;
  /** Largest number of deliveries to one recipient that go in one attempt. */
  readonly together: number;
  /** Largest number of attempts for one recipient within an hour; only where several go together. */
  readonly perHour: () => number;
  /** Returns what a test says; nothing subscribes to its type. */
  test(receiverId: number): { readonly type: string; readonly data: Readonly<Record<string, unknown>> };
  /** Returns the recipients of a receiver; none if it does not exist. */
  recipients(receiverId: number): readonly string[];
  /** Makes one attempt to deliver messages, all to the same recipient. Never throws. */
  attempt(messages: readonly Message[], signal: AbortSignal): Promise<Attempt>;
  /** The action and the subject that the audit records when deliveries are given up. */
  readonly failed: Action;
  subject(receiverId: number): Subject;
}

/** A receiver and what it wants to know. */
export interface Subscriber extends Receiver {
  readonly recipients: readonly string[];
  readonly events: readonly string[];
  /** It receives what happens from then on, in milliseconds since 1970. */
  readonly since: number;
}
