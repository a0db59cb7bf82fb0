// Implements /web/account/second-factor: sets up an authenticator app, renews recovery codes, removes the factor.

import type { Context } from "hono";
import type { Enrolment } from "../../../../core/admins/second_factor.ts";
import { SecretValue } from "../../../../keyring/secret_value.ts";
import { Button, ButtonLink, Card, CopyLine, FormActions, Notice } from "../../ui/components.tsx";
import { ProblemSummary, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { fieldText, type Problems, redirect } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { holdsSecret } from "../../shell/security.ts";
import { Confirm, noLongerShown, ShownOnce } from "../../shell/shown_once.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { SECOND_FACTOR_PATH, visitorOf } from "../../shell/session.ts";

const PATH = SECOND_FACTOR_PATH;
const ACCOUNT = [["/web/account", "Your account"]] as const;
/** Shows recovery codes that were just created. */
const CODES_PATH = `${PATH}/recovery-codes`;
const LOST_CODES = "If you lost the codes, create new ones.";

interface Codes {
  readonly title: string;
  /** One code per line. */
  readonly text: SecretValue;
}

export function addSecondFactor(web: Web, deps: WebDeps): void {
  const { accounts, secondFactor, signIn } = deps.admins;
  const own = (c: Context<WebEnv>) => accounts.get(c.get("admin").id);
  const shown = new ShownOnce<Codes>({
    shared: deps.shared,
    kind: "codes",
    write: ({ title, text }) => JSON.stringify([title, text.reveal()]),
    read: (kept) => {
      const [title, text] = JSON.parse(kept);
      return { title, text: new SecretValue(text) };
    },
  });
  const codesPath = async (c: Context<WebEnv>, title: string, codes: readonly string[]) =>
    `${CODES_PATH}?${await shown.keep(c, { title, text: new SecretValue(codes.join("\n")) })}`;

  web.get(PATH, (c) => {
    const row = own(c);
    return row.totpNonce === null ? setUpPage(c, deps, secondFactor.propose(row)) : managePage(c, deps);
  });

  formRoute(web, {
    path: PATH,
    subject: own,
    read: (typed) => ({
      nonce: fieldText(typed, "nonce"),
      code: fieldText(typed, "code"),
      password: typed["password"]?.[0] ?? "",
    }),
    act: async ({ c, actor, subject, values: { nonce, code, password } }) => {
      await signIn.verifyPassword(visitorOf(c), subject, password, "password");
      return await deps.commit(() => secondFactor.enable(actor, subject, nonce, code));
    },
    page: (c, { subject, values, problems }) => {
      if (subject.totpNonce !== null) return redirect(c, PATH, "The second factor is already on.");
      return setUpPage(c, deps, secondFactor.proposed(subject, values.nonce), problems);
    },
    then: async (codes, { c }) => ({ to: await codesPath(c, "The second factor is on", codes) }),
  });

  formRoute(web, {
    path: `${PATH}/codes`,
    subject: own,
    read: (typed) => typed["password"]?.[0] ?? "",
    act: async ({ c, actor, subject, values: password }) => {
      await signIn.verifyPassword(visitorOf(c), subject, password, "password");
      return await deps.commit(() => secondFactor.renewCodes(actor, subject));
    },
    page: (c, { problems }) => managePage(c, deps, { codes: problems! }),
    then: async (codes, { c }) => ({ to: await codesPath(c, "New recovery codes", codes) }),
  });

  web.get(CODES_PATH, async (c) => {
    const codes = await shown.find(c);
    if (codes) return codesPage(c, codes);
    return noLongerShown(c, { title: "Recovery codes", advice: LOST_CODES, back: PATH });
  });

  web.get(`${CODES_PATH}/file`, async (c) => {
    const codes = await shown.find(c);
    if (!codes) return noLongerShown(c, { title: "Recovery codes", advice: LOST_CODES, back: PATH });
    const host = new URL(c.req.url).host;
    c.header("Content-Disposition", 'attachment; filename="crude-functions-recovery-codes.txt"');
    return c.text(`Recovery codes of ${c.get("admin").email} on ${host}\n\n${codes.text.reveal()}\n`);
  });

  web.post(CODES_PATH, async (c) => {
    await shown.confirm(c);
    return redirect(c, "/web/account");
  });

  formRoute(web, {
    path: `${PATH}/remove`,
    subject: own,
    read: (typed) => typed["password"]?.[0] ?? "",
    act: async ({ c, actor, subject, values: password }) => {
      await signIn.verifyPassword(visitorOf(c), subject, password, "password");
      await deps.commit(() => secondFactor.disable(actor, subject));
    },
    page: (c, { problems }) => managePage(c, deps, { remove: problems! }),
    then: () => ({
      to: "/web/account",
      notice: "The second factor is off. Signing in asks only for your password.",
    }),
  });
}

async function setUpPage(
  c: Context<WebEnv>,
  { settings }: WebDeps,
  { nonce, secret, uri }: Enrolment,
  problems?: Problems,
) {
  holdsSecret(c);
  const shown = secret.match(/.{1,4}/g)!.join(" ");
  const labels = { code: "Code", password: "Password" };
  const square = await QrCode({ text: uri });
  return page(c, {
    title: "Set up a second factor",
    trail: ACCOUNT,
    children: (
      <div class="narrow">
        <ProblemSummary problems={problems} labels={labels} />
        {settings.get("admin.require-second-factor") && (
          <Notice kind="info" title="All users of this server need a second factor">
            <p>The other pages open once you have set up yours.</p>
          </Notice>
        )}
        <ol>
          <li>
            <p>Scan this with an authenticator app on your phone, or type the key into it.</p>
            {square}
            <CopyLine id="key" text={shown} label="Copy the key" />
          </li>
          <li>
            <p>Type the code that the app shows, and your password.</p>
            <form method="post" action={PATH}>
              <FormToken />
              <input type="hidden" name="nonce" value={nonce} />
              <TextField
                name="code"
                label={labels.code}
                hint="Six digits, which change every 30 seconds."
                problems={problems}
                inputmode="numeric"
                autocomplete="one-time-code"
                required
              />
              <TextField
                name="password"
                label={labels.password}
                type="password"
                problems={problems}
                autocomplete="current-password"
                required
              />
              <FormActions submit="Switch on" cancel="/web/account" />
            </form>
          </li>
        </ol>
      </div>
    ),
  }, problems ? 400 : 200);
}

function managePage(
  c: Context<WebEnv>,
  { admins: { secondFactor }, settings }: WebDeps,
  wrong: { codes?: Problems; remove?: Problems } = {},
) {
  const left = secondFactor.codesLeft(c.get("admin").id);
  return page(c, {
    title: "Second factor",
    trail: ACCOUNT,
    children: (
      <div class="narrow">
        <p>Signing in asks for a code of your authenticator app.</p>
        <Card title="Recovery codes" id="codes">
          <p>
            {left === 0 ? "You have no recovery codes left." : `You have ${left} unused recovery codes.`}{" "}
            New ones replace all earlier ones.
          </p>
          <Proof action={`${PATH}/codes`} prefix="codes-" label="Create new codes" problems={wrong.codes} />
        </Card>
        <Card title="Remove it" id="remove" kind="danger">
          <p>
            {settings.get("admin.require-second-factor")
              ? "All users of this server need one: after that, you can only set up another. Do this to change to another app."
              : "After that, your password is enough to sign in. To change to another app, remove this one and set up the new one."}
          </p>
          <Proof
            action={`${PATH}/remove`}
            prefix="off-"
            label="Remove the second factor"
            danger
            problems={wrong.remove}
          />
        </Card>
      </div>
    ),
  }, Object.keys(wrong).length > 0 ? 400 : 200);
}

/** A form that asks for the password to confirm an action. */
function Proof({ action, prefix, label, danger = false, problems }: {
  action: string;
  prefix: string;
  label: string;
  danger?: boolean;
  problems: Problems | undefined;
}) {
  return (
    <form method="post" action={action}>
      <FormToken />
      <ProblemSummary problems={problems} labels={{ password: "Password" }} prefix={prefix} />
      <TextField
        name="password"
        label="Password"
        type="password"
        prefix={prefix}
        problems={problems}
        autocomplete="current-password"
        required
      />
      <button type="submit" class={danger ? "danger" : "secondary"}>{label}</button>
    </form>
  );
}

function codesPage(c: Context<WebEnv>, { title, text }: Codes) {
  return page(c, {
    title,
    trail: ACCOUNT,
    actions: (
      <>
        <Button type="button" kind="secondary" data-print hidden>Print</Button>
        <ButtonLink
          href={`${CODES_PATH}/file?shown=${encodeURIComponent(c.req.query("shown") ?? "")}`}
          kind="secondary"
          icon="download"
          isDownload
        >
          Download
        </ButtonLink>
      </>
    ),
    children: (
      <div class="narrow">
        <p class="warning">
          Keep these recovery codes where you keep your passwords, not on the phone. Each replaces the app's code once.
        </p>
        <CopyLine id="recovery-codes" text={text.reveal()} label="Copy the codes" isPrimary />
        <Confirm c={c} action={CODES_PATH} label="I have saved them" />
      </div>
    ),
  });
}

/** A QR code as one path, dark on light in both color schemes, with the margin of four modules (ISO/IEC 18004). */
async function QrCode({ text }: { text: string }) {
  const { default: qrcode } = await import("qrcode-generator");
  const code = qrcode(0, "M");
  code.addData(text);
  code.make();
  const size = code.getModuleCount();
  const side = Array.from({ length: size }, (_, n) => n);
  const path = side.flatMap((y) => side.filter((x) => code.isDark(y, x)).map((x) => `M${x} ${y}h1v1h-1z`)).join("");
  return (
    <svg class="qr" viewBox={`-4 -4 ${size + 8} ${size + 8}`} role="img" aria-label="QR code with the key below">
      <rect x="-4" y="-4" width={size + 8} height={size + 8} fill="#fff" />
      <path d={path} fill="#000" shape-rendering="crispEdges" />
    </svg>
  );
}
