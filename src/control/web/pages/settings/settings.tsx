// Implements /web/settings: every setting by category, generated from the table of settings.

import type { Context } from "hono";
import { DEFINITIONS, SETTING_NAMES, type SettingName } from "../../../../core/settings/definitions.ts";
import { CATEGORIES, categoryOf, readValue, writeValue } from "../../../../core/settings/kinds.ts";
import type { Version } from "../../../../versions.ts";
import { isSettingName } from "../../../../core/settings/settings.ts";
import { Badge } from "../../ui/components.tsx";
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
import { addEncryption, EncryptionState, Rotating } from "./encryption.tsx";
import { isChanged, SettingField, shortText } from "./fields.tsx";
import { SettingsTabs } from "./tabs.tsx";

type Texts = ReadonlyMap<SettingName, string>;

export function addSettings(web: Web, deps: WebDeps): void {
  const { settings } = deps;

  web.get("/web/settings", (c) => page(c, { title: "Settings", children: <Overview value={settings.get} /> }));
  addEncryption(web, deps);

  for (const category of CATEGORIES) {
    const path = `/web/settings/${category.id}`;
    const names = SETTING_NAMES.filter((name) => categoryOf(name) === category.id);
    const show = (
      c: Context<WebEnv>,
      texts: Texts,
      { problems, status = 400, notice }: { problems?: Problems; status?: FormStatus; notice?: string } = {},
    ) => {
      if (notice !== undefined) c.set("notice", notice);
      const version = settings.version(names);
      const conflict = status === 412 ? differencesOf(names, stored(), texts) : undefined;
      const form = <Form path={path} texts={texts} value={settings.get} {...{ names, problems, version, conflict }} />;
      return page(c, {
        title: category.title,
        children: (
          <>
            <SettingsTabs current={category.id} />
            {category.id === "encryption" ? <EncryptionPage deps={deps} form={form} /> : form}
          </>
        ),
      }, problems ? status : 200);
    };
    const stored = (): Texts => new Map(names.map((name) => [name, writeValue(name, settings.get(name))]));

    web.get(path, (c) => show(c, stored()));

    web.post(path, async (c) => {
      const typed = await readForm(c);
      const texts = typedTexts(typed, stored());
      const reset = fieldText(typed, "reset");
      if (isSettingName(reset) && names.includes(reset)) {
        await deps.commit(() => settings.reset(c.get("actor"), reset));
        const notice = `${reset} was reset to its default.`;
        const others = changesOf(settings, new Map([...texts].filter(([name]) => name !== reset)));
        if (Object.keys(others).length === 0) return redirect(c, path, notice);
        const back = new Map([...texts, [reset, writeValue(reset, settings.get(reset))]]);
        return show(c, back, { notice: `${notice} Your other changes are not saved yet.` });
      }
      const changes = changesOf(settings, texts);
      const changed = Object.keys(changes);
      if (changed.length === 0) return redirect(c, path, "There were no changes to save.");
      const result = await attempt(() =>
        deps.commit(() => settings.change(c.get("actor"), changes, expectedIn(typed), names))
      );
      if ("problems" in result) return show(c, texts, result);
      return redirect(c, path, `Saved ${changed.join(", ")}. The change has taken effect.`);
    });
  }
}

/** Returns the typed text of each setting; the stored one for settings that the form did not send. */
function typedTexts(typed: Typed, stored: Texts): Texts {
  return new Map([...stored].map(([name, text]) => [name, typed[name] ? fieldText(typed, name) : text]));
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

function Form({ path, names, texts, value, problems, version, conflict }: {
  path: string;
  names: readonly SettingName[];
  texts: Texts;
  value: (name: SettingName) => unknown;
  problems: Problems | undefined;
  version: Version;
  /** The differences, if another user has changed a setting. */
  conflict: readonly Difference[] | undefined;
}) {
  return (
    <form method="post" action={path} novalidate>
      <FormToken />
      {/* Enter presses the first button, which must not be one that resets a setting. */}
      <button type="submit" class="visually-hidden" tabindex={-1} aria-hidden="true">Save</button>
      <VersionField version={version} />
      {conflict
        ? <Conflict differences={conflict} reload={path} />
        : <ProblemSummary problems={problems} labels={Object.fromEntries(names.map((name) => [name, name]))} />}
      {names.map((name) => (
        <SettingField
          name={name}
          value={value(name)}
          text={texts.get(name)!}
          problems={problems}
        />
      ))}
      <button type="submit">Save</button>
    </form>
  );
}

function EncryptionPage({ deps, form }: { deps: WebDeps; form: unknown }) {
  return (
    <>
      <Rotating deps={deps} />
      <EncryptionState deps={deps} />
      <h2>Settings</h2>
      {form}
    </>
  );
}

/** An overview of all settings with their values. */
function Overview({ value }: { value: (name: SettingName) => unknown }) {
  return (
    <>
      <SettingsTabs current={undefined} />
      <p>
        Settings can be changed while the server runs; changes take effect at once. The port, the folders and other
        properties of the machine are set by environment variables instead.
      </p>
      {CATEGORIES.map(({ id, title }) => (
        <section>
          <h2>{title}</h2>
          <dl class="settings">
            {SETTING_NAMES.filter((name) => categoryOf(name) === id).map((name) => (
              <div>
                <dt>
                  <a href={`/web/settings/${id}#${name}`}>{name}</a>
                  {isChanged(name, value(name)) && (
                    <>
                      {" "}
                      <Badge kind="warn">changed</Badge>
                    </>
                  )}
                </dt>
                <dd>
                  <strong>{shortText(name, value(name))}</strong>
                  <small class="hint">{DEFINITIONS[name].meaning}</small>
                </dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </>
  );
}
