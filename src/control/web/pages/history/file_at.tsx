// Implements the page of a file as it was in a version: what the version changed in it, its content, and restoring it.

import type { Context } from "hono";
import type { FileChange, Version } from "../../../../code/versions/history.ts";
import { notFound } from "../../../../errors.ts";
import { sha256Of } from "../../../../sha256.ts";
import { asText } from "../../../inputs/body.ts";
import { Ago, ButtonLink, Fact, Facts, FormActions } from "../../ui/components.tsx";
import { CODE_MAX_BYTES, sizeText } from "../../ui/code_form.tsx";
import { ProblemSummary, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { attempt, fieldText } from "../../shell/forms.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { editPath } from "../files/folders.tsx";
import { CodeText, Diff } from "./diff.tsx";
import {
  authorText,
  ChangeBadge,
  fileAtPath,
  fileHistoryPath,
  HISTORY_PATH,
  idOf,
  LiveBadge,
  messageOf,
  orSentence,
  versionPath,
  withStale,
} from "./parts.tsx";

const LINES_SHOWN = 5_000;

export function addFileAt(web: Web, deps: WebDeps): void {
  const { versions, files, preflight } = deps;

  web.get(`${HISTORY_PATH}/:id/file`, (c) => {
    const path = c.req.query("path") ?? "";
    return orSentence(c, path, () => showFile(c, deps, idOf(c), path));
  });

  web.get(`${HISTORY_PATH}/:id/download`, async (c) => {
    const path = c.req.query("path") ?? "";
    const content = await versions.file(idOf(c), path);
    const name = encodeURIComponent(path.split("/").at(-1)!).replaceAll("'", "%27");
    return c.body(content, 200, {
      "Content-Type": "application/octet-stream",
      // Browsers must never open it as a page of this origin.
      "Content-Disposition": `attachment; filename*=UTF-8''${name}`,
    });
  });

  formRoute(web, {
    path: `${HISTORY_PATH}/:id/restore-file`,
    subject: idOf,
    initial: (id, c): RestoreValues => {
      const path = c.req.query("path") ?? "";
      return { path, message: `Restored ${path} from version ${id}`.slice(0, 500), hash: "" };
    },
    read: (typed): RestoreValues => ({
      path: fieldText(typed, "path"),
      message: fieldText(typed, "message"),
      hash: fieldText(typed, "hash"),
    }),
    schema: ({ message, ...rest }) => ({ ...rest, message: messageOf(message) }),
    act: async ({ actor, subject: id, input: { path, hash, message } }) => {
      const content = await versions.file(id, path);
      await files.write(actor, path, content, hash === "", hash === "" ? undefined : [hash], message);
      return await preflight.file(path);
    },
    page: (c, form) => showRestore(c, deps, form),
    then: ({ problems, warnings }, { subject: id, values: { path } }) => ({
      to: editPath(path),
      notice: [`Restored ${path} from version ${id}.`, ...problems, ...warnings].join(" "),
    }),
  });
}

/** Returns the SHA-256 of the current content; "" if there is no such file. */
async function currentHash(path: string, { files }: WebDeps): Promise<string> {
  const read = await attempt(() => files.read(path));
  return "done" in read ? sha256Of(read.done.content) : "";
}

async function showFile(c: Context<WebEnv>, deps: WebDeps, id: number, path: string): Promise<Response> {
  const { versions } = deps;
  const version = versions.get(id);
  const change = versions.changes(id).find((one) => one.path === path);
  const read = await attempt(() => versions.file(id, path));
  const content = "done" in read ? read.done : undefined;
  if (!change && !content) throw notFound(`file in version ${id}:`, path);
  const now = await currentHash(path, deps);
  const isCurrent = content !== undefined && now === sha256Of(content);
  return page(c, {
    title: `${path.split("/").at(-1)} in version ${id}`,
    trail: [[versionPath(id), `Version ${id}`]],
    styles: ["history.css"],
    actions: <FileActions id={id} path={path} hasContent={content !== undefined} isCurrent={isCurrent} />,
    children: (
      <>
        <FileFacts
          version={version}
          path={path}
          exists={now !== ""}
          content={content}
          isLive={isCurrent}
          now={deps.now()}
        />
        <h2>What version {id} changed in it</h2>
        <Changed change={change} diff={change && await versions.diffOf(change)} />
        <Content content={content} isDeleted={change?.change === "deleted"} path={path} id={id} />
        {content && !isCurrent && <PurgeLink id={id} path={path} />}
      </>
    ),
  });
}

function FileActions({ id, path, hasContent, isCurrent }: {
  id: number;
  path: string;
  hasContent: boolean;
  isCurrent: boolean;
}) {
  const query = new URLSearchParams({ path });
  return (
    <>
      <ButtonLink href={fileHistoryPath(path)} kind="secondary" icon="rotate-ccw-clock">File history</ButtonLink>
      {hasContent && (
        <ButtonLink href={`${versionPath(id)}/download?${query}`} kind="secondary" icon="download" isDownload>
          Download
        </ButtonLink>
      )}
      {hasContent && !isCurrent && (
        <ButtonLink href={`${versionPath(id)}/restore-file?${query}`} icon="undo-2">Restore this file …</ButtonLink>
      )}
    </>
  );
}

function FileFacts({ version: { id, at, author, message }, path, exists, content, isLive, now }: {
  version: Version;
  path: string;
  exists: boolean;
  content: Uint8Array | undefined;
  /** Whether the file has this content now. */
  isLive: boolean;
  now: number;
}) {
  return (
    <Facts>
      <Fact term="State">{isLive ? <LiveBadge /> : "not live"}</Fact>
      <Fact term="File">{exists ? <a href={editPath(path)}>{path}</a> : path}</Fact>
      <Fact term="Version">
        <a href={versionPath(id)}>Version {id}</a>
      </Fact>
      <Fact term="When">
        <Ago ms={at} now={now} />
      </Fact>
      <Fact term="Who">{authorText(author)}</Fact>
      <Fact term="Message">{message === "" ? "–" : message}</Fact>
      {content && <Fact term="Size">{sizeText(content.length)}</Fact>}
    </Facts>
  );
}

function Changed({ change, diff }: { change: FileChange | undefined; diff: string | undefined }) {
  if (!change) return <p class="quiet">Nothing: an earlier version made it what it is here.</p>;
  return (
    <>
      <p>
        <ChangeBadge change={change.change} />
      </p>
      <Diff path={change.path} diff={diff} linesMax={LINES_SHOWN} />
    </>
  );
}

function Content({ content, isDeleted, path, id }: {
  content: Uint8Array<ArrayBuffer> | undefined;
  isDeleted: boolean;
  path: string;
  id: number;
}) {
  if (isDeleted) return null;
  const text = content && content.length <= CODE_MAX_BYTES ? asText(content) : undefined;
  return (
    <>
      <h2>Content</h2>
      {content === undefined
        ? <p class="quiet">The content was purged from the history.</p>
        : text === undefined
        ? <p class="quiet">It is not text, or too large to show. Download it instead.</p>
        : text === ""
        ? <p class="quiet">The file is empty.</p>
        : <CodeText label={`Content of ${path} in version ${id}`} text={text} />}
    </>
  );
}

function PurgeLink({ id, path }: { id: number; path: string }) {
  return (
    <section class="danger-zone" aria-labelledby="purge">
      <h2 id="purge">Purge</h2>
      <p>Removes a content that should never have been stored, such as a key, from the history.</p>
      <a href={`${versionPath(id)}/purge?${new URLSearchParams({ path })}`} class="button secondary">
        Purge this content …
      </a>
    </section>
  );
}

interface RestoreValues {
  readonly path: string;
  readonly message: string;
  /** SHA-256 of the file's content when the page was shown; "" if there was none. */
  readonly hash: string;
}

function showRestore(
  c: Context<WebEnv>,
  deps: WebDeps,
  { subject: id, values: { path, message }, problems, status }: FormState<number, RestoreValues>,
) {
  const { versions } = deps;
  const title = `Restore ${path.split("/").at(-1)} from version ${id}?`;
  return orSentence(c, title, async () => {
    await versions.file(id, path);
    const current = await versions.current();
    const change = versions.changes(id, current).find((one) => one.path === path);
    const hash = await currentHash(path, deps);
    const isStale = status === 409 || status === 412;
    return page(c, {
      title,
      trail: [[versionPath(id), `Version ${id}`]],
      styles: ["history.css"],
      children: (
        <>
          <ProblemSummary problems={withStale(problems, isStale ? 412 : status)} labels={{ message: "Message" }} />
          {!change ? <p>The file already has this content.</p> : (
            <>
              <p>
                <code>{path}</code>{" "}
                {change.change === "created" ? "is created again" : "is replaced"}: this is what changes.
              </p>
              <Diff path={path} diff={await versions.diffOf(change)} linesMax={LINES_SHOWN} />
              <form method="post" action={`${versionPath(id)}/restore-file`} class="narrow">
                <FormToken />
                <input type="hidden" name="path" value={path} />
                <input type="hidden" name="hash" value={hash} autocomplete="off" />
                <TextField
                  name="message"
                  label="Message"
                  value={message}
                  problems={problems}
                  hint="One line for the history."
                />
                <FormActions submit="Restore this file" cancel={fileAtPath(id, path)} />
              </form>
            </>
          )}
        </>
      ),
    }, status);
  });
}
