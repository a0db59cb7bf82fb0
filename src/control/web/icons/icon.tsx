// Implements icons: parts of one sprite, static/icons.svg, which browsers load once. Inlined, the icons of a page's
// frame alone would cost a kilobyte on each page; the sprite has five, compressed, once.

import { assetAddress } from "../assets/addresses.ts";
import type { IconName } from "./names.ts";

export type { IconName } from "./names.ts";

/** A picture of 16 px next to a text that says the same. Where it stands alone, `label` says it. */
export function Icon({ name, label }: { name: IconName; label?: string }) {
  const href = `${assetAddress("icons.svg")}#${name}`;
  if (label !== undefined) {
    return (
      <svg class="icon" role="img" aria-label={label}>
        <use href={href} />
      </svg>
    );
  }
  return (
    <svg class="icon" aria-hidden="true">
      <use href={href} />
    </svg>
  );
}
