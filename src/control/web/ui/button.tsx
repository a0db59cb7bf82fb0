// Implements buttons: what sends a form or works by a script, and links that look like buttons.

import type { Child } from "hono/jsx";
import { Icon, type IconName } from "../icons/icon.tsx";

/** One primary button a form or page; `quiet` for what rows repeat; `danger` for what cannot be undone. */
export type ButtonKind = "primary" | "secondary" | "quiet" | "danger" | "danger-quiet" | "link";

const CLASSES: Readonly<Record<ButtonKind, string>> = {
  primary: "",
  secondary: "secondary",
  quiet: "quiet",
  danger: "danger",
  "danger-quiet": "danger quiet",
  link: "link",
};

interface LookProps {
  kind?: ButtonKind | undefined;
  /** 24 px high instead of 32; in tables, all buttons are. */
  isSmall?: boolean | undefined;
  icon?: IconName | undefined;
  /** The text; without it, the button is its icon, and `label` names it. */
  children?: Child;
  /** What screen readers read instead of the text, such as "Delete orders". Necessary without a text. */
  label?: string | undefined;
}

type ScriptAttributes = { readonly [attribute: `hx-${string}` | `data-${string}`]: string | boolean | undefined };

interface ButtonProps extends LookProps, ScriptAttributes {
  type?: "submit" | "button";
  name?: string;
  value?: string;
  /** Id of the form, where the button is not in it. */
  form?: string;
  formaction?: string;
  id?: string | undefined;
  hidden?: boolean;
  disabled?: boolean;
  autofocus?: boolean | undefined;
  "aria-describedby"?: string;
}

/** A button; it sends its form unless `type` is "button". */
export function Button({ kind, isSmall, icon, children, label, type = "submit", ...rest }: ButtonProps) {
  return (
    <button
      type={type}
      class={classOf({ kind, isSmall, icon, children })}
      aria-label={label}
      title={titleOf(children, label)}
      {...rest}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

interface ButtonLinkProps extends LookProps, ScriptAttributes {
  href: string;
  /** Whether the answer is saved as a file, or by what name. */
  isDownload?: boolean | string;
  rel?: string;
  id?: string;
}

/** A link that looks like a button: it leads to the page where something is done. */
export function ButtonLink(
  { kind, isSmall, icon, children, label, href, isDownload, rel, id, ...rest }: ButtonLinkProps,
) {
  const classes = ["button", classOf({ kind, isSmall, icon, children })].filter(Boolean).join(" ");
  return (
    <a
      href={href}
      class={classes}
      download={isDownload}
      rel={rel}
      id={id}
      aria-label={label}
      title={titleOf(children, label)}
      {...rest}
    >
      {icon && <Icon name={icon} />}
      {children}
    </a>
  );
}

/** Returns the CSS classes of a look. */
export function classOf({ kind = "primary", isSmall, children }: LookProps): string | undefined {
  const classes = [CLASSES[kind], isSmall && "small", children === undefined && "icon-only"];
  return classes.filter(Boolean).join(" ") || undefined;
}

/** An icon alone is explained when it is pointed at, too. */
function titleOf(children: Child, label: string | undefined): string | undefined {
  return children === undefined ? label : undefined;
}

/** A button that posts to `action`, with a form of its own. */
export function PostButton({ action, label, kind = "primary", fields = {}, describe, icon, isSmall }: {
  action: string;
  label: string;
  kind?: ButtonKind;
  icon?: IconName;
  isSmall?: boolean;
  fields?: Record<string, string>;
  /** The object of the action, for screen readers. */
  describe?: string | undefined;
}) {
  return (
    <form method="post" action={action} class="inline">
      {Object.entries(fields).map(([name, value]) => <input type="hidden" name={name} value={value} />)}
      <Button kind={kind} icon={icon} isSmall={isSmall} label={describe && `${label} ${describe}`}>{label}</Button>
    </form>
  );
}

/** The buttons below a form: the one that sends it, further ones as children, and a link that leaves it. */
export function FormActions({ submit, id, kind, autofocus, children, cancel, cancelLabel = "Cancel" }: {
  submit: string;
  /** Of the button that sends the form. */
  id?: string;
  kind?: "danger";
  autofocus?: boolean;
  children?: Child;
  /** Address of the page to leave to; without it, there is no link. */
  cancel?: string | undefined;
  cancelLabel?: string;
}) {
  return (
    <div class="actions">
      <Button id={id} kind={kind} autofocus={autofocus}>{submit}</Button>
      {children}
      {cancel !== undefined && <ButtonLink href={cancel} kind="secondary">{cancelLabel}</ButtonLink>}
    </div>
  );
}
