// Implements the words for what made a version, which lead to its deployment if it was one.

import type { Cause } from "../../../../code/versions/history.ts";
import { CAUSE_LABELS, deploymentPath } from "./parts.tsx";

export function CauseOf({ cause, deployment }: { cause: Cause; deployment: number | undefined }) {
  return deployment === undefined || (cause !== "deployment" && cause !== "git")
    ? <>{CAUSE_LABELS[cause]}</>
    : <a href={deploymentPath(deployment)}>deployment {deployment}</a>;
}
