// Implements the list of what a check before a deployment found.

import type { DeploymentProblem } from "../../../../code/deployments/problems.ts";

export function Findings({ findings }: { findings: readonly DeploymentProblem[] }) {
  return (
    <ul>
      {findings.map(({ function: name, file, line, message }) => (
        <li>
          {name !== undefined && <strong>{name}</strong>}{" "}
          {file !== undefined && <code>{line === undefined ? file : `${file}, line ${line}`}</code>}{" "}
          <span class="message">{message}</span>
        </li>
      ))}
    </ul>
  );
}
