// Implements /web/settings/encryption: shows the state of the encryption keys, rotates them, and explains the backup.

import { dirname } from "node:path";
import type { Context } from "hono";
import { AppError, messageOf } from "../../../../errors.ts";
import { describeUnreadable, type KeysStatus, type LastRotation } from "../../../../core/encryption/key_status.ts";
import { shellQuoted } from "../../ui/curl_example.ts";
import { Ago, Badge, Card, CopyLine, Fact, Facts, Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { redirect } from "../../shell/forms.ts";
import { FormToken } from "../../shell/submissions.tsx";
import { count, plural } from "../../ui/format.ts";

const PAGE = "/web/settings/encryption";
const PROGRESS = `${PAGE}/progress`;
/**
 * Often enough that the bar appears to move. Each answer triggers the next request, so that polling ends with the
 * session.
 */
const POLL = "load delay:400ms";

type Deps = Pick<WebDeps, "rotation" | "now" | "log">;

/** Adds the routes of rotation. They come before those of the settings, whose paths match them, too. */
export function addEncryption(web: Web, { rotation, now, log }: Deps): void {
  web.post(`${PAGE}/rotate`, (c) => {
    if (rotation.status().progress) return redirect(c, PAGE, "A key rotation is already running.");
    // The rotation continues after this request is answered, and keeps its own outcome.
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
              <p class="notice">{rotation.last ? brief(rotation.last) : "No key rotation is running."}</p>
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

/** The button that starts a rotation, or its progress, which htmx updates until it ends. */
export function Rotating({ deps: { rotation, now } }: { deps: Deps }) {
  const { progress, nextRotationAt, rotationIntervalDays } = rotation.status();
  if (!progress) {
    return (
      <section id="rotation" class="card" aria-label="Rotation">
        <header>
          <h2>Rotation</h2>
          <form method="post" action={`${PAGE}/rotate`}>
            <FormToken />
            <button type="submit" class="secondary" aria-describedby="rotate-hint">Rotate now</button>
          </form>
        </header>
        {rotation.last && <LastOutcome last={rotation.last} />}
        <p id="rotate-hint" class="quiet">
          Rotations are automatic: the next one is <Ago ms={nextRotationAt} now={now()} />, every{" "}
          {days(rotationIntervalDays)}. A rotation creates a new key and encrypts every value with it, while the server
          keeps serving requests. Rotate by hand if a key may have been exposed.
        </p>
      </section>
    );
  }
  const { done, total } = progress;
  const percent = total === 0 ? 0 : Math.floor(done / total * 100);
  return (
    <section id="rotation" class="card" aria-label="Rotation" hx-get={PROGRESS} hx-trigger={POLL} hx-swap="outerHTML">
      <header>
        <h2>Rotation</h2>
      </header>
      <label for="rotation-progress">Rotating the encryption keys</label>
      {/* Indeterminate until the values are counted. */}
      <progress id="rotation-progress" {...(total === 0 ? {} : { value: done, max: total })}></progress>
      <p class="quiet">
        {total === 0 ? "Creating the new key." : `${count(done)} of ${count(total)} values, ${percent} %.`}{" "}
        You can leave this page; the rotation continues.
        <noscript>
          {" "}
          <a href={PAGE}>Reload</a>
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
          Restore the missing key version from a backup, or set these values again. Unreadable{" "}
          <a href="/web/secrets">secrets</a> are marked.
        </p>
      )}
    </div>
  );
}

/** The end of a rotation in a few words; `LastOutcome` on the page has the rest. */
function brief(last: LastRotation): string {
  return "failure" in last
    ? "The key rotation failed."
    : `Key rotation finished: version ${last.outcome.currentVersion}.`;
}

function sentenceOf(last: LastRotation): string {
  if ("failure" in last) return `The last key rotation failed. ${last.failure}`;
  const { currentVersion, reencrypted, unreadable } = last.outcome;
  const done = `The encryption keys were rotated to version ${currentVersion}: ${
    plural(reencrypted, "value")
  } encrypted again.`;
  return unreadable.values === 0 ? done : `${done} ${describeUnreadable(unreadable)}`;
}

/** The state of the keys. */
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
      <Card title="Current key" id="current-key">
        <Facts>
          <Fact term="Version">{current.version}</Fact>
          <Fact term="Created">
            <Ago ms={current.createdAt} now={now()} />
          </Fact>
          <Fact term="Values encrypted with it">{count(current.values)}</Fact>
          <Fact term="Encryptions with it">at most {count(keys.seals)}</Fact>
        </Facts>
        <p class="hint">
          After {count(keys.sealsMax)} encryptions with one key, the next is created automatically.
        </p>
      </Card>
      <OldKeys keys={keys} current={current.version} now={now()} />
    </div>
  );
}

function OldKeys({ keys, current, now }: { keys: KeysStatus; current: number; now: number }) {
  const old = keys.versions.filter(({ version }) => version !== current);
  return (
    <Card title="Old keys" id="old-keys">
      {old.length === 0
        ? (
          <p class="quiet">
            None. After a rotation, the old key is kept for some time so that older backups can still be opened.
          </p>
        )
        : (
          <DataTable
            label="List of old keys"
            rows={old}
            columns={[
              { label: "Version", cell: ({ version }) => version },
              { label: "Created", cell: ({ createdAt }) => <Time ms={createdAt} /> },
              { label: "Values", cell: ({ values }) => count(values) },
              {
                label: "Kept until",
                cell: ({ values, keptUntil }) =>
                  values > 0
                    ? "no value needs it"
                    : keptUntil !== undefined && keptUntil > now
                    ? <Time ms={keptUntil} />
                    : "within the hour",
              },
            ]}
          />
        )}
    </Card>
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
        Stop the server, restore the entry of that version in <code>keys</code> of <code>{keyFile}</code>{" "}
        from a backup, and start the server again. Nothing else is affected. Without a backup of that key, the values
        are lost: set them again.
      </p>
    </div>
  );
}

/** How to back the keys up, and what protects them. */
export function KeyBackup({ deps: { rotation } }: { deps: Deps }) {
  const { keyFile, isWrapped } = rotation.keys();
  return (
    <Card title="Backup" id="backup">
      <p>
        All keys are in{" "}
        <code>{keyFile}</code>. Without this file, every secret and API key is permanently lost, so keep a copy of it.
        Back up the database and the key file together, while the server runs:
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
            A passphrase protects the key file. Store it in a different place than the backup: neither is useful without
            the other.
          </p>
        )
        : (
          <p>
            <Badge kind="warn">no passphrase</Badge>{" "}
            Anyone who has a copy of the key file and the database can read every value. Protect the key file with a
            passphrase by starting the server with{" "}
            <code>KEYRING_PASSPHRASE_FILE</code>, or keep the two copies in different places.
          </p>
        )}
      <p>
        Create a new backup after each rotation: an older one lacks the new key. The backup does not contain the
        handlers' code; copy the code folder, too.
      </p>
    </Card>
  );
}

function days(n: number): string {
  return n === 1 ? "day" : `${count(n)} days`;
}
