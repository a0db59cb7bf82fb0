// Decides whether a call may reach a function, by the API key that it presents.

import type { GroupId } from "../../ids.ts";
import type { KeyHolder } from "../../store/access.ts";

/** `holder` is the key whose secrets the call may read in addition to the function's own; undefined if public. */
export type Admission =
  | { readonly admitted: true; readonly holder: KeyHolder | undefined }
  | { readonly admitted: false; readonly status: 401 | 403; readonly reason: string };

/** Decides on a call; keys of `groups` may call the function. Without groups it is public, and keys are ignored. */
export function decideAdmission(groups: readonly GroupId[], presented: KeyHolder | undefined): Admission {
  if (groups.length === 0) return { admitted: true, holder: undefined };
  if (!presented) return { admitted: false, status: 401, reason: "This function needs an API key." };
  if (!groups.includes(presented.groupId)) {
    return { admitted: false, status: 403, reason: "This API key's group may not call this function." };
  }
  return { admitted: true, holder: presented };
}
