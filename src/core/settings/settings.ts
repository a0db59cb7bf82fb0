// Reads and changes settings. Values are kept in memory; a change is in effect when it is committed.

import { type Actor, difference, type Facts, type Recorder, requireEntitled } from "../../actor.ts";
import { AppError } from "../../errors.ts";
import { type ExpectedVersions, requireVersion, type Version, versionOf } from "../../versions.ts";
import type { AccessStore } from "../../store/access.ts";
import type { SettingsStore } from "../../store/settings.ts";
import type { Store } from "../../store/store.ts";
import { DEFINITIONS, SETTING_NAMES, type SettingName, type SettingValue, type SettingValues } from "./definitions.ts";

/** A function for each key of `N` that returns the current value of the setting it names. */
export type SettingsView<N extends Readonly<Record<string, SettingName>>> = {
  readonly [K in keyof N]: () => SettingValue<N[K]>;
};

export interface Settings {
  get<N extends SettingName>(name: N): SettingValue<N>;

  /** Returns functions that each read one setting, for a part that uses several: `{ level: "log.level" }`. */
  view<N extends Readonly<Record<string, SettingName>>>(names: N): SettingsView<N>;

  list(): { name: SettingName; value: unknown; default: unknown; meaning: string }[];

  /** Returns the version of all settings, or of those named. */
  version(names?: readonly SettingName[]): Version;

  /**
   * Stores all of `changes` or none; they are in effect once they are committed. `expected` is compared with the version of the settings `of`.
   * @throws AppError InvalidInput (400) naming each setting that does not exist or has a bad value,
   *   PreconditionFailed (412)
   */
  change(
    actor: Actor,
    changes: Record<string, unknown>,
    expected?: ExpectedVersions,
    of?: readonly SettingName[],
  ): void;

  /** Resets a setting to its default; if a later version has another default, that applies then. */
  reset(actor: Actor, name: SettingName): void;
}

export interface SettingsOptions {
  readonly store: Pick<Store, "settings" | "change" | "onApplied">;
  /** Returns what is wrong with a value in view of what else is stored, or undefined. */
  readonly check: (name: SettingName, value: unknown) => string | undefined;
  /** Is called for each change. */
  readonly record: Recorder;
}

export function createSettings({ store, check, record }: SettingsOptions): Settings {
  let values = load(store.settings);
  store.onApplied((rows) => {
    const names = rows.filter(({ table }) => table === "settings").map(({ values: [name] }) => name as string)
      .filter(isSettingName);
    if (names.length === 0) return;
    const stored = load(store.settings);
    // The others stay as they are, even if something else has altered their rows.
    values = { ...values, ...Object.fromEntries(names.map((name) => [name, stored[name]])) };
  });

  return {
    get<N extends SettingName>(name: N): SettingValue<N> {
      return values[name] as SettingValue<N>;
    },

    view<N extends Readonly<Record<string, SettingName>>>(names: N): SettingsView<N> {
      const getters = Object.entries(names).map(([key, name]) => [key, () => values[name]]);
      return Object.fromEntries(getters) as SettingsView<N>;
    },

    list(): { name: SettingName; value: unknown; default: unknown; meaning: string }[] {
      return SETTING_NAMES.map((name) => {
        const { default: fallback, meaning } = DEFINITIONS[name];
        return { name, value: values[name], default: fallback, meaning };
      });
    },

    version: (names: readonly SettingName[] = SETTING_NAMES): Version => versionOf(names.map((name) => values[name])),

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
      // From entries, as an assignment to details["__proto__"] would be lost.
      if (first) throw new AppError("InvalidInput", 400, `${first[0]} ${first[1]}.`, Object.fromEntries(problems));
      // What is in memory is what is stored, as nothing is awaited in a change.
      requireVersion(expected, versionOf(of.map((name) => values[name])), "at least one of the settings");
      const before: Facts = Object.fromEntries(accepted.map(([name]) => [name, values[name]]));
      const facts = difference(before, Object.fromEntries(accepted));
      requireEntitled(actor);
      for (const [name] of accepted) store.settings.discardAltered(name);
      store.change(actor, () => {
        for (const [name, value] of accepted) store.settings.put(name, JSON.stringify(value));
        const names = Object.keys(facts.after);
        if (names.length === 0) return;
        const subject = { kind: "settings", id: null, name: names.length === 1 ? names[0]! : "" };
        record(actor, { action: "settings.changed", subject, ...facts });
      });
    },

    reset(actor: Actor, name: SettingName): void {
      const { default: fallback } = DEFINITIONS[name];
      const facts = difference({ [name]: values[name] } as Facts, { [name]: fallback } as Facts);
      store.change(actor, () => {
        store.settings.delete(name);
        if (Object.keys(facts.after).length === 0) return;
        record(actor, { action: "settings.changed", subject: { kind: "settings", id: null, name }, ...facts });
      });
    },
  };
}

/** Returns a check that the groups whose keys may use the API exist. */
export function checkAccessGroups(access: Pick<AccessStore, "groupByName">): SettingsOptions["check"] {
  return (name, value) => {
    if (name !== "api.access-groups") return undefined;
    const missing = (value as SettingValue<typeof name>).find((group) => !access.groupByName(group));
    return missing && `names the group "${missing}", which does not exist`;
  };
}

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(DEFINITIONS, name);
}

/** Returns the stored values, and defaults for the rest and for values that are no longer valid after an upgrade. */
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
