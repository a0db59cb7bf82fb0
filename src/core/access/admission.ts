// Whether a call may reach a function, by the key that it brings.

import type { GroupId } from "../../ids.ts";
import type { KeyHolder } from "../../store/access.ts";

/** `holder` is whose values the call may read beside the function's own; undefined on a public function. */
export type Admission =
  | { readonly admitted: true; readonly holder: KeyHolder | undefined }
  | { readonly admitted: false; readonly status: 401 | 403; readonly reason: string };

/** `groups` are those whose keys may call; none: a public function, where keys do not count. */
export function admission(groups: readonly GroupId[], presented: KeyHolder | undefined): Admission {
  if (groups.length === 0) return { admitted: true, holder: undefined };
  if (!presented) return { admitted: false, status: 401, reason: "This function needs an API key." };
  if (!groups.includes(presented.groupId)) {
    return { admitted: false, status: 403, reason: "This API key's group may not call this function." };
  }
  return { admitted: true, holder: presented };
}
