// Lists the scripts, styles and icons of the pages: files of static/ and pinned packages.

export interface Asset {
  readonly type: string;
  /** Returns its text; on the first call, it is read. */
  load(): Promise<string>;
}

type Text = () => Promise<{ readonly default: string }>;

const same = (text: string) => text;
const asset = (type: string, standard = same) => (text: Text, change = standard): Asset => ({
  type,
  load: async () => change((await text()).default),
});
const css = asset("text/css", withoutComments);
const js = asset("text/javascript", withoutComments);
const svg = asset("image/svg+xml");

/** Leaves out comments of a whole line, an eighth of what a first visit loads. The numbers of lines stay as they are. */
export function withoutComments(text: string): string {
  return text.replaceAll(/^[ \t]*(?:\/\/.*|\/\*(?:(?!\*\/).)*\*\/)$/gm, "");
}

/** By name, as in their addresses. Those of static/ have the names of their files. */
export const ASSETS: Readonly<Record<string, Asset>> = {
  "api.css": css(() => import("../../../../static/api.css", { with: { type: "text" } })),
  "app.css": css(() => import("../../../../static/app.css", { with: { type: "text" } })),
  "audit.css": css(() => import("../../../../static/audit.css", { with: { type: "text" } })),
  "bars.css": css(() => import("../../../../static/bars.css", { with: { type: "text" } })),
  "cluster.css": css(() => import("../../../../static/cluster.css", { with: { type: "text" } })),
  "components.css": css(() => import("../../../../static/components.css", { with: { type: "text" } })),
  "docs.css": css(() => import("../../../../static/docs.css", { with: { type: "text" } })),
  "files.css": css(() => import("../../../../static/files.css", { with: { type: "text" } })),
  "frame.css": css(() => import("../../../../static/frame.css", { with: { type: "text" } })),
  "functions.css": css(() => import("../../../../static/functions.css", { with: { type: "text" } })),
  "history.css": css(() => import("../../../../static/history.css", { with: { type: "text" } })),
  "home.css": css(() => import("../../../../static/home.css", { with: { type: "text" } })),
  "keys.css": css(() => import("../../../../static/keys.css", { with: { type: "text" } })),
  "logs.css": css(() => import("../../../../static/logs.css", { with: { type: "text" } })),
  "metrics.css": css(() => import("../../../../static/metrics.css", { with: { type: "text" } })),
  "packages.css": css(() => import("../../../../static/packages.css", { with: { type: "text" } })),
  "pages.css": css(() => import("../../../../static/pages.css", { with: { type: "text" } })),
  "search.css": css(() => import("../../../../static/search.css", { with: { type: "text" } })),
  "secrets.css": css(() => import("../../../../static/secrets.css", { with: { type: "text" } })),
  "settings.css": css(() => import("../../../../static/settings.css", { with: { type: "text" } })),
  "tokens.css": css(() => import("../../../../static/tokens.css", { with: { type: "text" } })),
  "app.js": js(() => import("../../../../static/app.js", { with: { type: "text" } })),
  "cluster.js": js(() => import("../../../../static/cluster.js", { with: { type: "text" } })),
  "docs.js": js(() => import("../../../../static/docs.js", { with: { type: "text" } })),
  "editor.js": js(() => import("../../../../static/editor.js", { with: { type: "text" } }), same),
  "follow.js": js(() => import("../../../../static/follow.js", { with: { type: "text" } })),
  "files.js": js(() => import("../../../../static/files.js", { with: { type: "text" } })),
  "frame.js": js(() => import("../../../../static/frame.js", { with: { type: "text" } })),
  "htmx.js": js(() => import("htmx.org/dist/htmx.min.js", { with: { type: "text" } }), same),
  "logs.js": js(() => import("../../../../static/logs.js", { with: { type: "text" } })),
  "metrics.js": js(() => import("../../../../static/metrics.js", { with: { type: "text" } })),
  "new_function.js": js(() => import("../../../../static/new_function.js", { with: { type: "text" } })),
  "palette.js": js(() => import("../../../../static/palette.js", { with: { type: "text" } })),
  "password.js": js(() => import("../../../../static/password.js", { with: { type: "text" } })),
  "secret_form.js": js(() => import("../../../../static/secret_form.js", { with: { type: "text" } })),
  "secrets.js": js(() => import("../../../../static/secrets.js", { with: { type: "text" } })),
  "settings.js": js(() => import("../../../../static/settings.js", { with: { type: "text" } })),
  "shortcuts.js": js(() => import("../../../../static/shortcuts.js", { with: { type: "text" } })),
  "try_it.js": js(() => import("../../../../static/try_it.js", { with: { type: "text" } })),
  // Its module is three times as large as this, which only declares a variable.
  "uplot.js": js(
    () => import("uplot/dist/uPlot.iife.min.js", { with: { type: "text" } }),
    (text) => `${text}\nexport default uPlot;\n`,
  ),
  "icon.svg": svg(() => import("../../../../static/icon.svg", { with: { type: "text" } })),
  "icons.svg": svg(() => import("../../../../static/icons.svg", { with: { type: "text" } })),
};
