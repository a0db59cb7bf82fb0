// Says how far a delivery to a webhook is.

import type { DeliveryRow } from "../../store/webhooks.ts";

export function deliveryState({ nextAt, problem }: DeliveryRow): "waiting" | "delivered" | "failed" {
  if (nextAt !== null) return "waiting";
  return problem === null ? "delivered" : "failed";
}
