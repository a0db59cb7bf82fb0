// Implements /web/settings: every setting by category, generated from the table of settings.

import type { Context } from "hono";
import type { Child } from "hono/jsx";
import { DEFINITIONS, SETTING_NAMES, type SettingName } from "../../../../core/settings/definitions.ts";
import { categoryOf, readValue, writeValue } from "../../../../core/settings/kinds.ts";
import type { Version } from "../../../../versions.ts";
import { isSettingName } from "../../../../core/settings/settings.ts";
import { ProblemSummary } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { Conflict, type Difference, differences, VersionField } from "../../ui/conflict.tsx";
import {
  attempt,
  expectedIn,
  fieldText,
  type FormStatus,
  type Problems,
  readForm,
  redirect,
  type Typed,
} from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { addEncryption, EncryptionState, KeyBackup, Rotating } from "./encryption.tsx";
import { isChanged, SettingField, type SettingFieldProps, withUnits } from "./fields.tsx";
import { COMMON, ENCRYPTION, SettingsNav } from "./nav.tsx";

const PATH = "/web/settings";

type Texts = ReadonlyMap<SettingName, string>;

export function addSettings(web: Web, deps: WebDeps): void {
  addEncryption(web, deps);

  addForm(web, deps, {
    path: `${PATH}/${ENCRYPTION}`,
    title: "Encryption",
    names: SETTING_NAMES.filter((name) => categoryOf(name) === ENCRYPTION),
    body: (fields, form) => (
      <div class="with-nav">
        <SettingsNav current={ENCRYPTION} />
        <div>
          <EncryptionState deps={deps} />
          <Rotating deps={deps} />
          {form(
            <section class="settings-group" aria-labelledby="settings-title">
              <h2 id="settings-title">Settings</h2>
              <Fields of={fields} />
            </section>,
          )}
          <KeyBackup deps={deps} />
        </div>
      </div>
    ),
  });

  addForm(web, deps, {
    path: PATH,
    title: "Settings",
    names: SETTING_NAMES.filter((name) => categoryOf(name) !== ENCRYPTION),
    body: (fields, form) => (
      <div class="with-nav">
        <SettingsNav current={undefined} />
        <div>
          <p class="quiet">
            Changes take effect at once. Times take any unit, such as 500 ms, 1.5 min, 2 h or 7 days. The port, the
            folders and other properties of the machine are set by{" "}
            <a href="/web/docs/configuration/environment-variables">environment variables</a> instead.
          </p>
          <p class="quiet" data-nothing hidden>No setting fits.</p>
          {form(COMMON.map(({ id, title }) => (
            <section id={id} class="settings-group" aria-labelledby={`${id}-title`}>
              <h2 id={`${id}-title`}>{title}</h2>
              <Fields of={fields.filter(({ name }) => categoryOf(name) === id)} />
            </section>
          )))}
        </div>
      </div>
    ),
  });

  // Addresses of the categories from before they shared a page.
  for (const { id } of COMMON) web.get(`${PATH}/${id}`, (c) => c.redirect(`${PATH}#${id}`, 301));
}

interface SettingsForm {
  path: string;
  title: string;
  /** The settings that the form changes. */
  names: readonly SettingName[];
  /** Renders the page; `form` puts a form around the fields. */
  body: (fields: readonly SettingFieldProps[], form: (fields: Child) => Child) => Child;
}

function addForm(web: Web, deps: WebDeps, { path, title, names, body }: SettingsForm): void {
  const { settings } = deps;
  const stored = (): Texts => new Map(names.map((name) => [name, writeValue(name, settings.get(name))]));
  const show = (
    c: Context<WebEnv>,
    texts: Texts,
    { problems, status = 400, notice }: { problems?: Problems; status?: FormStatus; notice?: string } = {},
  ) => {
    if (notice !== undefined) c.set("notice", notice);
    const version = settings.version(names);
    const conflict = status === 412 ? differencesOf(names, stored(), texts) : undefined;
    const groups = deps.access.groups().map((group) => group.name);
    const fields = names.map((name) => ({
      name,
      value: settings.get(name),
      text: texts.get(name)!,
      problems,
      groups,
    }));
    const isUnsaved = names.some((name) => texts.get(name) !== writeValue(name, settings.get(name)));
    const form = (children: Child) => (
      <Form {...{ path, names, problems, version, conflict, isUnsaved }}>{children}</Form>
    );
    const children = body(fields, form);
    const assets = { styles: ["settings.css"], scripts: ["follow.js", "settings.js"] };
    return page(c, { title, ...assets, children }, problems ? status : 200);
  };

  web.get(path, (c) => show(c, stored()));

  web.post(path, async (c) => {
    const typed = await readForm(c);
    const texts = typedTexts(typed, stored());
    const reset = fieldText(typed, "reset");
    if (isSettingName(reset) && names.includes(reset)) {
      await deps.commit(() => settings.reset(c.get("actor"), reset));
      const notice = `${reset} was reset to its default.`;
      const others = changesOf(settings, new Map([...texts].filter(([name]) => name !== reset)));
      if (Object.keys(others).length === 0) return redirect(c, `${path}#${reset}`, notice);
      const back = new Map([...texts, [reset, writeValue(reset, settings.get(reset))]]);
      return show(c, back, { notice: `${notice} Your other changes are not saved yet.` });
    }
    const changes = changesOf(settings, texts);
    const changed = Object.keys(changes);
    if (changed.length === 0) return redirect(c, path, "There were no changes to save.");
    const result = await attempt(() =>
      deps.commit(() => settings.change(c.get("actor"), changes, expectedIn(typed), names))
    );
    if ("problems" in result) return show(c, texts, { ...result, problems: withUnits(result.problems) });
    return redirect(c, path, `Saved ${changed.join(", ")}. The change has taken effect.`);
  });
}

/** Returns the typed text of each setting; the stored one for settings that the form did not send. */
function typedTexts(typed: Typed, stored: Texts): Texts {
  const textOf = (name: SettingName) => typed[name]!.map((text) => text.replaceAll("\r\n", "\n")).join("\n");
  return new Map([...stored].map(([name, text]) => [name, typed[name] ? textOf(name) : text]));
}

/** Returns the settings whose text differs from the current value. */
function changesOf({ get }: Pick<WebDeps["settings"], "get">, texts: Texts): Record<string, unknown> {
  const changes = [...texts].map(([name, text]) => [name, readValue(name, text)] as const)
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(get(name)));
  return Object.fromEntries(changes);
}

function differencesOf(names: readonly SettingName[], stored: Texts, typed: Texts) {
  const labels = Object.fromEntries(names.map((name) => [name, name]));
  return differences(labels, Object.fromEntries(stored), Object.fromEntries(typed));
}

function Form({ path, names, problems, version, conflict, isUnsaved, children }: {
  path: string;
  names: readonly SettingName[];
  problems: Problems | undefined;
  version: Version;
  /** The differences, if another user has changed a setting. */
  conflict: readonly Difference[] | undefined;
  /** Whether fields show what is not stored. */
  isUnsaved: boolean;
  children: Child;
}) {
  return (
    <form method="post" action={path} novalidate data-unsaved={isUnsaved ? "" : undefined} data-settings>
      <FormToken />
      {/* Enter presses the first button, which must not be one that resets a setting. */}
      <button type="submit" class="visually-hidden" tabindex={-1} aria-hidden="true">Save</button>
      <VersionField version={version} />
      {conflict
        ? <Conflict differences={conflict} reload={path} />
        : <ProblemSummary problems={problems} labels={Object.fromEntries(names.map((name) => [name, name]))} />}
      {children}
      <div class="save-bar">
        <button type="submit">Save</button>
        {isUnsaved
          ? <a role="button" class="secondary" href={path}>Discard</a>
          : <button type="reset" class="secondary">Discard</button>}
        <span class="quiet" data-unsaved-count></span>
      </div>
    </form>
  );
}

/** The fields of settings; those that few people change are folded, unless one is changed or has a problem. */
function Fields({ of: fields }: { of: readonly SettingFieldProps[] }) {
  const advanced = fields.filter(({ name }) => DEFINITIONS[name].isAdvanced);
  const isOpen = advanced.some(({ name, value, problems }) => problems?.[name] || isChanged(name, value));
  return (
    <>
      {fields.filter(({ name }) => !DEFINITIONS[name].isAdvanced).map((field) => <SettingField {...field} />)}
      {advanced.length > 0 && (
        <details class="advanced" open={isOpen}>
          <summary>Advanced ({advanced.length})</summary>
          {advanced.map((field) => <SettingField {...field} />)}
        </details>
      )}
    </>
  );
}
