// Implements menus: a button that opens a list of actions, without scripts. static/app.js closes it by Escape and by a
// click elsewhere.

import type { Child } from "hono/jsx";
import { Button, type ButtonKind, classOf } from "./button.tsx";
import { Icon, type IconName } from "../icons/icon.tsx";

interface MenuProps {
  /** Names the button, such as "Actions for orders". */
  label: string;
  /** What the button shows; by default three dots. */
  children: Child;
  icon?: IconName;
  /** The button's text, next to its icon. */
  text?: Child;
  kind?: ButtonKind;
  isSmall?: boolean;
  /** Whether the list begins at the button's left edge, instead of ending at its right one. */
  isAtStart?: boolean;
}

/** A button that opens a list of `MenuLink`s and `MenuPost`s. */
export function Menu({ label, children, icon = "ellipsis", text, kind = "quiet", isSmall, isAtStart }: MenuProps) {
  return (
    <details class="menu" data-menu>
      <summary class={`button ${classOf({ kind, isSmall, children: text }) ?? ""}`} aria-label={label}>
        {text}
        <Icon name={icon} />
      </summary>
      <div class={isAtStart ? "menu-items start" : "menu-items"}>{children}</div>
    </details>
  );
}

interface ItemProps {
  icon?: IconName;
  isDanger?: boolean;
  children: Child;
  /** What screen readers read instead of the text. */
  label?: string;
}

/** An entry that leads to a page. */
export function MenuLink(
  { href, icon, isDanger, label, children, isDownload }: ItemProps & { href: string; isDownload?: boolean },
) {
  return (
    <a href={href} class={isDanger ? "danger" : undefined} aria-label={label} download={isDownload}>
      {icon && <Icon name={icon} />}
      {children}
    </a>
  );
}

/** An entry that posts to `action`. */
export function MenuPost({ action, fields = {}, icon, isDanger, label, children }: ItemProps & {
  action: string;
  fields?: Readonly<Record<string, string>>;
}) {
  return (
    <form method="post" action={action}>
      {Object.entries(fields).map(([name, value]) => <input type="hidden" name={name} value={value} />)}
      <Button kind={isDanger ? "danger-quiet" : "quiet"} icon={icon} label={label}>{children}</Button>
    </form>
  );
}

/** A button that opens a short form below the heading or bar that it is in. */
export function Popover({ text, icon, kind = "secondary", isOpen, id, children }: {
  text: string;
  icon?: IconName;
  kind?: ButtonKind;
  /** Whether it is shown again with a problem. */
  isOpen?: boolean;
  id?: string;
  children: Child;
}) {
  return (
    <details class="menu" data-menu open={isOpen} id={id}>
      <summary class={`button ${classOf({ kind, children: text }) ?? ""}`}>
        {icon && <Icon name={icon} />}
        {text}
      </summary>
      <div class="popover">{children}</div>
    </details>
  );
}
