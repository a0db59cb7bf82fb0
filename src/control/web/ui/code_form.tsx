// Implements the form that edits code: a text area that static/editor.js turns into an editor.

import type { Problem } from "../../../code/checks/type_check.ts";

export const CODE_MAX_BYTES = 512 * 1024;
export const EDIT_PATH = "/web/files/edit";
export const CHECK_PATH = "/web/files/check";
export const PATHS_PATH = "/web/files/paths";

/** Attributes of a text area for code. The types of JSX allow no text for `spellcheck`. */
const PLAIN: Record<string, string> = { spellcheck: "false", autocapitalize: "off", autocomplete: "off" };

export interface CodeFormProps {
  path: string;
  content: string;
  /** SHA-256 of the stored content, by which a save detects another user's change; "" if the file does not exist. */
  hash: string;
  eol: "lf" | "crlf";
  /** The function whose page this is; saving returns to it. */
  functionId?: number | undefined;
  /** Parameters of the route, for completion. */
  parameters?: readonly string[];
  /** Problems that a check found; undefined without a check. */
  problems?: readonly Problem[] | undefined;
  /** Why the code was not saved. */
  refused?: string | undefined;
}

export function CodeForm(props: CodeFormProps) {
  const { path, content, hash, eol, functionId, parameters = [], problems, refused } = props;
  return (
    <form
      method="post"
      action={EDIT_PATH}
      class="code-form"
      data-code-form
      data-check={CHECK_PATH}
      data-names={functionId === undefined ? undefined : `/web/functions/${functionId}/secret-names`}
      data-parameters={parameters.join(" ")}
      data-files={PATHS_PATH}
    >
      <input type="hidden" name="path" value={path} />
      <input type="hidden" name="hash" value={hash} />
      <input type="hidden" name="eol" value={eol} />
      {functionId !== undefined && <input type="hidden" name="functionId" value={String(functionId)} />}
      {refused && <p class="problems" role="alert" tabindex={-1} data-focus>{refused}</p>}
      {/* Filled by the editor: the files that were opened in this tab of the browser. */}
      <nav class="open-files" aria-label="Open files" data-open-files hidden></nav>
      <div class="code-bar">
        <label for="content">
          <span class="visually-hidden">Code of</span> <code>{path}</code>
        </label>
        <p class="code-state" role="status" data-code-state></p>
        <button type="submit" class="secondary" formaction={CHECK_PATH} data-check-button>Check</button>
        <button type="submit">Save</button>
      </div>
      {/* HTML parsers drop the first line break of a textarea (HTML, 13.2.6.4.7), so it gets an extra one. */}
      <textarea
        id="content"
        name="content"
        rows={24}
        {...PLAIN}
        wrap="off"
        class="code-text"
        aria-describedby="code-hint"
      >
        {"\n" + content}
      </textarea>
      <p id="code-hint" class="hint" data-editor-hint hidden>
        Ctrl+S saves{functionId !== undefined && ", Ctrl+Enter saves and sends"}, Ctrl+Space completes, Tab indents:
        press Escape, then Tab to leave the editor.
      </p>
      <div data-problems>{problems && <ProblemList problems={problems} path={path} />}</div>
    </form>
  );
}

function ProblemList({ problems, path }: { problems: readonly Problem[]; path: string }) {
  if (problems.length === 0) return <p class="notice" role="status">No problems found.</p>;
  return (
    <div class="problems" role="alert" tabindex={-1} data-focus>
      <p>{problems.length === 1 ? "1 problem:" : `${problems.length} problems:`}</p>
      <ul>
        {problems.map(({ path: where, line, column, message }) => (
          <li>
            {where === path ? "" : `${where}, `}line {line}, column {column}: <span class="message">{message}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Formats a size in bytes, such as "1.5 MiB". */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return bytes === 1 ? "1 byte" : `${bytes} bytes`;
  const units = ["KiB", "MiB", "GiB"];
  let size = bytes / 1024;
  let unit = 0;
  for (; size >= 1024 && unit < units.length - 1; unit++) size /= 1024;
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}

/** Returns the line breaks of a text, as text areas return line feeds only. */
export function eolOf(text: string): "lf" | "crlf" {
  return text.includes("\r\n") && !/[^\r]\n|^\n/.test(text) ? "crlf" : "lf";
}
