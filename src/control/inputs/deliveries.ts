// Says how far a delivery is.

import type { DeliveryRow } from "../../store/deliveries.ts";

export function deliveryState({ nextAt, problem }: DeliveryRow): "waiting" | "delivered" | "failed" {
  if (nextAt !== null) return "waiting";
  return problem === null ? "delivered" : "failed";
}
