// Implements the form that connects a git repository, in steps: the repository, access to it, and when to sync.

import { REF_KINDS } from "../../../../code/git/source.ts";
import { FormActions } from "../../ui/components.tsx";
import { VersionField } from "../../ui/conflict.tsx";
import { CodeField, ProblemSummary, SelectField, TextField } from "../../ui/fields.tsx";
import type { Problems } from "../../shell/forms.ts";
import { FormToken } from "../../shell/submissions.tsx";
import { DEPLOYMENTS_PATH } from "../history/parts.tsx";

/** The fields of the form, as texts. */
export const LABELS = {
  url: "URL",
  kind: "Deploy",
  name: "Name of the branch or tag, or id of the commit",
  folder: "Folder",
  username: "User name",
  tokenSecret: "Secret with the token",
  webhookSecret: "Secret of the webhook",
  intervalSeconds: "Look for commits every",
} as const;
export type GitField = keyof typeof LABELS;
export type GitValues = Readonly<Record<GitField, string>>;

export function SourceForm({ action, values, problems, version, isSet }: {
  action: string;
  values: GitValues;
  problems: Problems | undefined;
  version: string;
  isSet: boolean;
}) {
  const field = (name: GitField) => ({ name, label: LABELS[name], value: values[name], problems });
  return (
    <form method="post" action={action}>
      <FormToken />
      <VersionField version={version} />
      <ProblemSummary problems={problems} labels={LABELS} />
      <h3>1. Repository</h3>
      <CodeField {...field("url")} hint="As for git clone, with https:." placeholder="https://" required />
      <SelectField
        {...field("kind")}
        options={REF_KINDS.map((kind) => ({ value: kind, label: `a ${kind}` }))}
      />
      <CodeField {...field("name")} required />
      <CodeField {...field("folder")} hint="Of the repository, which becomes the code folder. Empty: all of it." />
      <h3>2. Access</h3>
      <CodeField
        {...field("tokenSecret")}
        hint={
          <>
            The name of a global secret with a token that may read the repository and nothing else. Empty for a public
            repository. <a href="/web/secrets/new?name=GIT_TOKEN">Add Secret</a>
          </>
        }
      />
      <CodeField {...field("username")} hint="Sent with the token. Most git servers accept any." required />
      <h3>3. When to sync</h3>
      <TextField
        {...field("intervalSeconds")}
        hint="Such as 30 s, 5 min or 1 h. Empty: only by the webhook, or on demand."
        autocomplete="off"
        class="number"
      />
      <CodeField
        {...field("webhookSecret")}
        hint={
          <>
            The name of a global secret that the git server signs its webhook with, so that each push is deployed at
            once. Empty for none. <a href="/web/secrets/new?name=GIT_WEBHOOK">Add Secret</a>
          </>
        }
      />
      <FormActions submit={isSet ? "Save" : "Connect"} cancel={DEPLOYMENTS_PATH} />
    </form>
  );
}
