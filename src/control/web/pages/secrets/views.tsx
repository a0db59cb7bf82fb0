// Implements the frame of the views of secrets: tabs that lead from one to another with what each counts, and the
// buttons that add secrets.

import type { Context } from "hono";
import { DAY_MS } from "../../../../time.ts";
import { ButtonLink, Tabs } from "../../ui/components.tsx";
import type { WebDeps, WebEnv } from "../../shell/deps.ts";
import { page, type PageProps, type PageStatus } from "../../shell/layout.tsx";
import { SECRETS } from "../../ui/secret_labels.ts";

/** Values that are due within this time are listed and marked. */
export const DUE_SOON_DAYS = 30;
/** A value that no function read for this time is marked as unused. */
export const UNUSED_DAYS = 30;

export type View = "all" | "due" | "unused" | "deleted" | "exposure" | "resolve";

interface ViewProps extends Omit<PageProps, "c" | "actions"> {
  view: View;
}

/** Answers with the page of a view. */
export function viewPage(
  c: Context<WebEnv>,
  deps: WebDeps,
  { view, styles = ["secrets.css"], children, ...props }: ViewProps,
  status?: PageStatus,
) {
  return page(c, {
    ...props,
    styles,
    actions: (
      <>
        <ButtonLink href={`${SECRETS}/paste`} kind="secondary" icon="import">Import</ButtonLink>
        <ButtonLink href={`${SECRETS}/new`} icon="plus">Add Secret</ButtonLink>
      </>
    ),
    children: (
      <>
        <ViewTabs view={view} deps={deps} />
        {children}
      </>
    ),
  }, status);
}

function ViewTabs({ view, deps }: { view: View; deps: WebDeps }) {
  const due = deps.secrets.countDue(deps.now() + DUE_SOON_DAYS * DAY_MS);
  const tab = (of: View, path: string, label: string, count?: number) => ({
    href: `${SECRETS}${path}`,
    label,
    isCurrent: of === view,
    count: count || undefined,
  });
  return (
    <Tabs
      label="Views"
      tabs={[
        tab("all", "", "All"),
        tab("due", "/due", "Due", due),
        tab("unused", `?unused=${UNUSED_DAYS}`, "Unused", countUnused(deps)),
        tab("deleted", "/deleted", "Deleted"),
        tab("exposure", "/exposure", "Exposure"),
        tab("resolve", "/resolve", "Resolve as…"),
      ]}
    />
  );
}

/** Returns how many values no function has read for UNUSED_DAYS; undefined if reads were not counted for all of that time. */
function countUnused({ matrix, reads, now }: WebDeps): number | undefined {
  const since = now() - UNUSED_DAYS * DAY_MS;
  return reads.begin > since ? undefined : matrix.countUnused(since, () => reads.unusedSince(since));
}
