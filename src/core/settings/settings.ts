// Reading and changing settings. Values are kept in memory; a change is in force when `change` returns.

import { type Actor, difference, type Facts, type Recorder, requireEntitled } from "../../actor.ts";
import { AppError } from "../../errors.ts";
import { type ExpectedVersions, requireVersion, type Version, versionOf } from "../../versions.ts";
import type { SettingsStore } from "../../store/settings.ts";
import type { Store } from "../../store/store.ts";
import { DEFINITIONS, SETTING_NAMES, type SettingName, type SettingValue, type SettingValues } from "./definitions.ts";

export type Settings = ReturnType<typeof settingsService>;

/**
 * `check` may refuse a value for what else is stored: it returns what is wrong with it, or undefined.
 * `record` hears of each change.
 */
export function settingsService(
  store: Pick<Store, "settings" | "change">,
  check: (name: SettingName, value: unknown) => string | undefined,
  record: Recorder,
) {
  let values = load(store.settings);

  return {
    get<N extends SettingName>(name: N): SettingValue<N> {
      return values[name] as SettingValue<N>;
    },

    list(): { name: SettingName; value: unknown; default: unknown; meaning: string }[] {
      return SETTING_NAMES.map((name) => {
        const { default: fallback, meaning } = DEFINITIONS[name];
        return { name, value: values[name], default: fallback, meaning };
      });
    },

    /** Returns the version of all settings, or of those named. */
    version: (names: readonly SettingName[] = SETTING_NAMES): Version => versionOf(names.map((name) => values[name])),

    /**
     * Stores all of `changes` or none. `expected` is compared with the version of the settings `of`.
     * @throws AppError InvalidInput (400) naming each setting that does not exist or has a bad value,
     *   PreconditionFailed (412)
     */
    change(
      actor: Actor,
      changes: Record<string, unknown>,
      expected?: ExpectedVersions,
      of: readonly SettingName[] = SETTING_NAMES,
    ): void {
      const problems: [string, string][] = [];
      const accepted: [SettingName, unknown][] = [];
      for (const [name, wanted] of Object.entries(changes)) {
        if (!isSettingName(name)) {
          problems.push([name, "is not a setting"]);
          continue;
        }
        const parsed = DEFINITIONS[name].schema.safeParse(wanted);
        const problem = parsed.success ? check(name, parsed.data) : parsed.error.issues[0]!.message;
        if (problem) problems.push([name, problem]);
        else accepted.push([name, parsed.data]);
      }
      const [first] = problems;
      // From entries, as assigning to details["__proto__"] would lose that one.
      if (first) throw new AppError("InvalidInput", 400, `${first[0]} ${first[1]}.`, Object.fromEntries(problems));
      // Nothing is awaited from here on, so what is in memory is what is stored.
      requireVersion(expected, versionOf(of.map((name) => values[name])));
      const facts = difference(values as Facts, Object.fromEntries(accepted));
      requireEntitled(actor);
      for (const [name] of accepted) store.settings.discardAltered(name);
      store.change(actor, () => {
        for (const [name, value] of accepted) store.settings.put(name, JSON.stringify(value));
        const names = Object.keys(facts.after);
        if (names.length === 0) return;
        const subject = { kind: "settings", id: null, name: names.length === 1 ? names[0]! : "" };
        record(actor, { action: "settings.changed", subject, ...facts });
      });
      values = { ...values, ...Object.fromEntries(accepted) };
    },

    /** Back to the default, and to that of a later version if it is another. */
    reset(actor: Actor, name: SettingName): void {
      const { default: fallback } = DEFINITIONS[name];
      const facts = difference({ [name]: values[name] } as Facts, { [name]: fallback } as Facts);
      store.change(actor, () => {
        store.settings.delete(name);
        if (Object.keys(facts.after).length === 0) return;
        record(actor, { action: "settings.changed", subject: { kind: "settings", id: null, name }, ...facts });
      });
      values = { ...values, [name]: fallback };
    },
  };
}

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(DEFINITIONS, name);
}

/** Stored values over defaults. One that is no longer valid, after an upgrade say, gives way to its default. */
function load(store: SettingsStore): SettingValues {
  const values: Record<string, unknown> = {};
  for (const name of SETTING_NAMES) values[name] = DEFINITIONS[name].default;
  for (const { name, value } of store.list()) {
    if (!isSettingName(name)) continue;
    const parsed = DEFINITIONS[name].schema.safeParse(parseJson(value));
    if (parsed.success) values[name] = parsed.data;
  }
  return values as SettingValues;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
