// Implements the part of /web/account where a user chooses how the pages look, on all devices.

import type { Context } from "hono";
import { LOCAL_ZONE, preferencesSchema } from "../../../../core/admins/preferences.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { formRoute } from "../../shell/form_route.ts";
import { fieldText, type Problems } from "../../shell/forms.ts";
import { keepInBrowser, lookOf } from "../../shell/look.ts";
import { FormToken } from "../../shell/submissions.tsx";
import { Button, Card } from "../../ui/components.tsx";
import { type Option, ProblemSummary, SelectField } from "../../ui/fields.tsx";

const PATH = "/web/account/preferences";
const NAMES = ["theme", "density", "keys", "zone"] as const;
const LABELS = { theme: "Theme", density: "Density", keys: "Single-key shortcuts", zone: "Time zone" };

const OPTIONS: Readonly<Record<"theme" | "density" | "keys", readonly Option[]>> = {
  theme: [
    { value: "system", label: "As the system" },
    { value: "light", label: "Light" },
    { value: "dark", label: "Dark" },
  ],
  density: [{ value: "compact", label: "Compact" }, { value: "comfortable", label: "Comfortable" }],
  keys: [{ value: "on", label: "On" }, { value: "off", label: "Off" }],
};
const ZONES: readonly Option[] = Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")
  .map((zone) => ({ value: zone, label: zone.replaceAll("_", " ") }));

/** Adds the route of the form; `show` answers with the page of the account and these problems. */
export function addPreferences(
  web: Web,
  { admins: { accounts }, commit }: WebDeps,
  show: (c: Context<WebEnv>, problems: Problems) => Response | Promise<Response>,
): void {
  formRoute(web, {
    path: PATH,
    read: (typed) => Object.fromEntries(NAMES.map((name) => [name, fieldText(typed, name)])),
    schema: (values) => preferencesSchema.parse(values),
    act: async ({ c, actor, input }) => {
      await commit(() => accounts.prefer(actor, c.get("admin").id, input));
      keepInBrowser(c, input);
    },
    page: (c, { problems }) => show(c, problems!),
    then: () => ({ to: "/web/account", notice: "Your preferences were saved." }),
  });
}

export function PreferencesCard({ c, problems }: { c: Context<WebEnv>; problems: Problems | undefined }) {
  const look = lookOf(c);
  const { zone } = look;
  const known: readonly Option[] = [
    { value: LOCAL_ZONE, label: "As the browser" },
    { value: "UTC", label: "UTC" },
    ...ZONES,
  ];
  const zones = known.some(({ value }) => value === zone) ? known : [...known, { value: zone, label: zone }];
  return (
    <Card title="Preferences" id="preferences">
      <ProblemSummary problems={problems} labels={LABELS} />
      <form method="post" action={PATH}>
        <FormToken />
        <p>They are in effect wherever you sign in.</p>
        <SelectField name="theme" label={LABELS.theme} value={look.theme} options={OPTIONS.theme} />
        <SelectField name="density" label={LABELS.density} value={look.density} options={OPTIONS.density} />
        <SelectField
          name="zone"
          label={LABELS.zone}
          problems={problems}
          value={zone}
          options={zones}
        />
        <SelectField
          name="keys"
          label={LABELS.keys}
          hint="For searching, going to a section and creating."
          value={look.keys}
          options={OPTIONS.keys}
        />
        <Button kind="secondary">Save preferences</Button>
      </form>
    </Card>
  );
}
