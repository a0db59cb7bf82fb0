// Implements surfaces: cards, tiles with a number, and what stands in for an empty list.

import type { Child } from "hono/jsx";
import { Icon, type IconName } from "../icons/icon.tsx";

/** A framed part of a page with a heading of its own. */
export function Card({ title, id, actions, kind, children }: {
  title: Child;
  /** Of the heading; the card is named by it. */
  id: string;
  /** Buttons at the right end of the heading. */
  actions?: Child;
  /** `danger` for what cannot be undone. */
  kind?: "danger";
  children: Child;
}) {
  return (
    <section class={kind === undefined ? "card" : `card ${kind}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {actions && <div class="actions">{actions}</div>}
      </header>
      {children}
    </section>
  );
}

/** A row of `Stat`s. */
export function Stats({ children }: { children: Child }) {
  return <ul class="tiles">{children}</ul>;
}

/** A number with what it counts, and a line below it, such as how it changed. */
export function Stat({ label, figure, href, note, kind }: {
  label: string;
  figure: Child;
  /** The page that shows what is counted. */
  href?: string;
  note?: Child;
  kind?: "ok" | "warn" | "bad" | undefined;
}) {
  return (
    <li class={kind && `stat-${kind}`}>
      <p class="stat-label">{label}</p>
      <p class="stat-figure">
        {href === undefined ? figure : <a href={href} aria-label={`${label}: ${figure}`}>{figure}</a>}
      </p>
      {note !== undefined && <p class="hint">{note}</p>}
    </li>
  );
}

/** The content of an empty list: why it is empty, and what to do. With a title, it teaches what the list is for. */
export function Empty({ icon, title, actions, children }: {
  icon?: IconName;
  title?: string;
  /** Buttons; one of them begins. */
  actions?: Child;
  children?: Child;
}) {
  return (
    <div class="empty">
      {icon && <Icon name={icon} />}
      {title && <h2>{title}</h2>}
      {children}
      {actions && <div class="actions">{actions}</div>}
    </div>
  );
}

/** A line of grey that stands in for content on its way; `label` is read out. */
export function Skeleton({ lines = 3, label = "Loading" }: { lines?: number; label?: string }) {
  return (
    <div class="skeletons" role="status" aria-label={label}>
      {Array.from({ length: lines }, () => <span class="skeleton"></span>)}
    </div>
  );
}
