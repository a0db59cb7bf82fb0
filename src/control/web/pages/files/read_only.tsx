// Implements the notice of pages whose files come from a git repository and cannot be changed here.

import { describeSource, type GitSource } from "../../../../code/git/source.ts";
import { Notice } from "../../ui/components.tsx";

export function ReadOnly({ source }: { source: GitSource | undefined }) {
  if (!source) return null;
  return (
    <Notice kind="info">
      <p>
        Files come from <code>{describeSource(source)}</code>, and can only be changed there.{" "}
        <a href="/web/deployments/git">Git source</a>
      </p>
    </Notice>
  );
}
