// Lists who receives announcements: webhooks, and sets of recipients of mail.

import type { Store } from "../../store/store.ts";
import type { Subscriber } from "./channel.ts";

/**
 * Returns all but altered ones. Each receives what happens after its last change: an event that was just added does not
 * bring what happened before.
 */
export function subscribersIn({ webhooks, mail }: Pick<Store, "webhooks" | "mail">): Subscriber[] {
  return [
    ...webhooks.list().map(({ id, events, updatedAt }) => (
      { channel: "webhook", receiverId: id, recipients: [""], events, since: updatedAt } as const
    )),
    ...mail.list().map(({ id, addresses, events, updatedAt }) => (
      { channel: "mail", receiverId: id, recipients: addresses, events, since: updatedAt } as const
    )),
  ];
}
