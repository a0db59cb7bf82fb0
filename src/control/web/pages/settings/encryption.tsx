// /web/settings/encryption: the state of the encryption keys, rotating them, and what must be backed up.

import { dirname } from "node:path";
import type { Context } from "hono";
import { AppError, messageOf } from "../../../../errors.ts";
import { describeUnreadable, type KeysStatus, type LastRotation } from "../../../../core/encryption/rotation.ts";
import { shellQuoted } from "../../ui/curl_example.ts";
import { Ago, Badge, CopyLine, Fact, Facts, Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { redirect } from "../../shell/forms.ts";
import { FormToken } from "../../shell/submissions.tsx";
import { count, plural } from "../../ui/format.ts";

const PAGE = "/web/settings/encryption";
const PROGRESS = `${PAGE}/progress`;
/**
 * Often enough that the bar seems to move by itself; and asked anew by each answer rather than by a clock, so that
 * it ends when a session does.
 */
const POLL = "load delay:400ms";

type Deps = Pick<WebDeps, "rotation" | "now" | "log">;

/** Before the pages of settings, whose addresses are more general. */
export function addEncryption(web: Web, { rotation, now, log }: Deps): void {
  web.post(`${PAGE}/rotate`, (c) => {
    if (rotation.status().progress) return redirect(c, PAGE, "A key rotation is already running.");
    // It goes on when this request is long answered; how it ends is kept by the rotation itself.
    rotation.rotate(c.get("actor")).catch((error) => {
      log("error", error instanceof AppError ? error.message : messageOf(error), { requestId: c.get("requestId") });
    });
    return redirect(c, PAGE);
  });

  web.get(PROGRESS, (c) => {
    if (!isFromScript(c)) return redirect(c, PAGE);
    const deps = { rotation, now, log };
    const running = rotation.status().progress !== null;
    return c.html(
      <>
        <Rotating deps={deps} />
        {!running && (
          <>
            <div id="notices" hx-swap-oob="innerHTML">
              <p class="notice">{rotation.last ? sentenceOf(rotation.last) : "No key rotation is running."}</p>
            </div>
            <EncryptionState deps={deps} outOfBand />
          </>
        )}
      </>,
    );
  });
}

function isFromScript(c: Context<WebEnv>): boolean {
  return c.req.header("hx-request") !== undefined;
}

/** The button that begins a rotation, or how far it is; by htmx in its own place until it is over. */
export function Rotating({ deps: { rotation } }: { deps: Deps }) {
  const { progress } = rotation.status();
  if (!progress) {
    return (
      <section id="rotation" aria-label="Rotation">
        {rotation.last && <LastOutcome last={rotation.last} />}
        <form method="post" action={`${PAGE}/rotate`}>
          <FormToken />
          <button type="submit" aria-describedby="rotate-hint">Rotate now</button>
          <p id="rotate-hint" class="hint">
            <small>Makes a new key and encrypts every value with it. The server goes on serving.</small>
          </p>
        </form>
      </section>
    );
  }
  const { done, total } = progress;
  const percent = total === 0 ? 0 : Math.floor(done / total * 100);
  return (
    <section id="rotation" aria-label="Rotation" hx-get={PROGRESS} hx-trigger={POLL} hx-swap="outerHTML">
      <label for="rotation-progress">Rotating the encryption keys</label>
      {/* Without numbers it moves by itself: the values are not yet counted. */}
      <progress id="rotation-progress" {...(total === 0 ? {} : { value: done, max: total })}></progress>
      <p class="quiet">
        {total === 0 ? "Making the new key." : `${count(done)} of ${count(total)} values, ${percent} %.`}{" "}
        You may leave this page: it goes on by itself.
        <noscript>
          {" "}
          <a href={PAGE}>Look again</a>
        </noscript>
      </p>
    </section>
  );
}

function LastOutcome({ last }: { last: LastRotation }) {
  const failed = "failure" in last;
  const unreadable = failed ? 0 : last.outcome.unreadable.values;
  return (
    <div class={failed || unreadable > 0 ? "warning" : "notice"}>
      <p>
        {sentenceOf(last)} <Time ms={last.at} />
      </p>
      {failed && (
        <p>
          Every value can still be read. Fix the cause (for example, free disk space or folder permissions), then press
          {" "}
          <strong>Rotate now</strong> to resume.
        </p>
      )}
      {unreadable > 0 && (
        <p>
          Put a lost key version back from a backup, or set these values again; the <a href="/web/secrets">secrets</a>
          {" "}
          that cannot be read are marked.
        </p>
      )}
    </div>
  );
}

function sentenceOf(last: LastRotation): string {
  if ("failure" in last) return `The last key rotation failed. ${last.failure}`;
  const { currentVersion, reencrypted, unreadable } = last.outcome;
  const done = `The encryption keys were rotated to version ${currentVersion}: ${
    plural(reencrypted, "value")
  } encrypted again.`;
  return unreadable.values === 0 ? done : `${done} ${describeUnreadable(unreadable)}`;
}

/** What is known of the keys, and how to keep them safe. */
export function EncryptionState({ deps: { rotation, now }, outOfBand = false }: { deps: Deps; outOfBand?: boolean }) {
  const status = rotation.status();
  const keys = rotation.keys();
  const current = keys.versions.find(({ version }) => version === status.currentVersion)!;
  return (
    <div id="encryption-state" hx-swap-oob={outOfBand ? "outerHTML" : undefined}>
      {status.missingVersions.length > 0 && <Missing missing={status.missingVersions} keyFile={keys.keyFile} />}
      {keys.damaged > 0 && (
        <p class="warning">
          {plural(keys.damaged, "value")} in the database {keys.damaged === 1 ? "is" : "are"}{" "}
          damaged and cannot be read. Set them again or restore a backup.
        </p>
      )}
      <h2>Current key</h2>
      <Facts>
        <Fact term="Version">{current.version}</Fact>
        <Fact term="Made">
          <Ago ms={current.createdAt} now={now()} />
        </Fact>
        <Fact term="Values encrypted with it">{count(current.values)}</Fact>
        <Fact term="Next rotation">
          <Ago ms={status.nextRotationAt} now={now()} />, every {days(status.rotationIntervalDays)}
        </Fact>
        <Fact term="Encryptions with this key">
          {count(keys.seals)} at most; a new key is made by itself after {count(keys.sealsMax)}
        </Fact>
      </Facts>
      <OldKeys keys={keys} current={current.version} now={now()} />
      <Backup keys={keys} />
    </div>
  );
}

function OldKeys({ keys, current, now }: { keys: KeysStatus; current: number; now: number }) {
  const old = keys.versions.filter(({ version }) => version !== current);
  return (
    <>
      <h2>Old keys</h2>
      {old.length === 0
        ? <p class="quiet">None. After a rotation the old key is kept for a while, so that older backups still open.</p>
        : (
          <DataTable
            label="Old keys"
            rows={old}
            columns={[
              { label: "Version", cell: ({ version }) => version },
              { label: "Made", cell: ({ createdAt }) => <Time ms={createdAt} /> },
              { label: "Values", cell: ({ values }) => count(values) },
              {
                label: "Kept until",
                cell: ({ values, keptUntil }) =>
                  values > 0
                    ? "no value needs it any more"
                    : keptUntil !== undefined && keptUntil > now
                    ? <Time ms={keptUntil} />
                    : "within the hour",
              },
            ]}
          />
        )}
    </>
  );
}

function Missing({ missing, keyFile }: { missing: { version: number; values: number }[]; keyFile: string }) {
  return (
    <div class="warning" role="alert">
      {missing.map((lost) => (
        <p>
          <Badge kind="bad">missing</Badge> Encryption key version {lost.version} is not in the key file, but{" "}
          {plural(lost.values, "value")} {lost.values === 1 ? "needs" : "need"} it and cannot be read.
        </p>
      ))}
      <p>
        Stop the server, put the entry of that version back into <code>keys</code> of <code>{keyFile}</code>{" "}
        from a backup, and start again. Nothing else is affected meanwhile. Without a backup of that key the values are
        lost: set them anew.
      </p>
    </div>
  );
}

function Backup({ keys: { keyFile, isWrapped } }: { keys: KeysStatus }) {
  return (
    <>
      <h2>Backup</h2>
      <p>
        All keys are in{" "}
        <code>{keyFile}</code>. Without this file every secret and API key is lost for good, so keep a copy of it. Back
        up the database and the key file together, while the server runs:
      </p>
      <CopyLine
        id="backup-line"
        text={`DATA_DIR=${shellQuoted(dirname(keyFile))} deno task cli backup ../backup`}
        label="Copy the backup command"
      />
      {isWrapped
        ? (
          <p>
            <Badge kind="ok">passphrase</Badge>{" "}
            The key file is protected by a passphrase. Keep that in another place than the backup: one is worth nothing
            without the other.
          </p>
        )
        : (
          <p>
            <Badge kind="warn">no passphrase</Badge>{" "}
            Whoever has a copy of the key file and the database can read every value. Give the key file a passphrase by
            starting the server with <code>KEYRING_PASSPHRASE_FILE</code>, or keep the two copies in different places.
          </p>
        )}
      <p>
        After a rotation make a new backup: an older one lacks the new key. Handlers' code is not part of it; copy the
        code folder, too.
      </p>
    </>
  );
}

function days(n: number): string {
  return n === 1 ? "day" : `${count(n)} days`;
}
