// Declares whether a node of a cluster may answer now. A server of its own has no such object and checks nothing.

import type { AppError } from "./errors.ts";

export interface Serving {
  /** Returns why requests to the API and the pages are refused now; undefined while they are answered. */
  refusal(): AppError | undefined;
  /** Returns why calls, and the questions of running ones, are refused now; undefined while they are answered. */
  callRefusal(): AppError | undefined;
  /** For how many milliseconds what is read now may be used without another look; 0 while calls are refused. */
  readonly usableMs: number;
}
