// Implements what shows a state: badges, dots, and notices.

import type { Child } from "hono/jsx";
import { Icon, type IconName } from "../icons/icon.tsx";

export type StateKind = "ok" | "off" | "warn" | "bad" | "plain";

/** A word or two about a thing, next to its name. */
export function Badge({ kind, children }: { kind: StateKind; children: Child }) {
  return <span class={`badge ${kind}`}>{children}</span>;
}

/** A dot with the state in words: where most rows have the same one, calmer than a badge. */
export function StatusDot({ kind, children }: { kind: StateKind; children: Child }) {
  return <span class={`status ${kind}`}>{children}</span>;
}

const NOTICES = {
  info: { class: "callout", icon: "info" },
  ok: { class: "notice", icon: "circle-check" },
  warn: { class: "warning", icon: "triangle-alert" },
  bad: { class: "problems", icon: "circle-alert" },
} as const satisfies Record<string, { class: string; icon: IconName }>;

/** A boxed part of a page that has to be noticed. Screen readers do not announce it; see `ProblemSummary` for that. */
export function Notice({ kind, title, actions, children }: {
  kind: keyof typeof NOTICES;
  title?: Child;
  /** Buttons that solve it. */
  actions?: Child;
  children?: Child;
}) {
  const { class: name, icon } = NOTICES[kind];
  return (
    <div class={`${name} with-icon`}>
      <Icon name={icon} />
      <div>
        {title && (
          <p>
            <strong>{title}</strong>
          </p>
        )}
        {children}
        {actions && <div class="actions">{actions}</div>}
      </div>
    </div>
  );
}

/** A short explanation of a control, shown while it is pointed at or has the focus; `children` refer to `id` by `aria-describedby`. */
export function Tooltip({ id, text, children }: { id: string; text: string; children: Child }) {
  return (
    <span class="tip">
      {children}
      <span role="tooltip" id={id}>{text}</span>
    </span>
  );
}
