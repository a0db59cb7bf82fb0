// Makes an editor of the text area of a code form. Without it the form works as it is.

import { autocompletion } from "@codemirror/autocomplete";
import { indentWithTab } from "@codemirror/commands";
import { javascript } from "@codemirror/lang-javascript";
import { json } from "@codemirror/lang-json";
import { indentUnit } from "@codemirror/language";
import { type Diagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState, type Extension, Prec } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { basicSetup } from "codemirror";
import { handlerCompletion } from "./completion.ts";
import { check, filePaths, type Problem, save, secretNames } from "./requests.ts";
import { showOpenFiles } from "./open_files.ts";
import { theme } from "./theme.ts";

/** After the last key, the text is checked. */
const CHECK_DELAY_MS = 900;

for (const form of document.querySelectorAll<HTMLFormElement>("[data-code-form]")) begin(form);

function begin(form: HTMLFormElement): void {
  const area = form.querySelector<HTMLTextAreaElement>("textarea[name=content]")!;
  const hash = form.querySelector<HTMLInputElement>("input[name=hash]")!;
  const path = form.querySelector<HTMLInputElement>("input[name=path]")!.value;
  const told = form.querySelector<HTMLElement>("[data-code-state]")!;
  const list = form.querySelector<HTMLElement>("[data-problems]")!;
  let stored = area.value;
  const trial = document.querySelector<HTMLFormElement>("[data-trial]");
  let checking: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const view = mount(area, [
    language(path),
    EditorView.updateListener.of((update) => {
      if (!update.docChanged) return;
      told.textContent = isChanged() ? "Not saved" : "";
      if (trial) labelTrial(trial, isChanged());
      clearTimeout(timer);
      timer = setTimeout(() => void runCheck(false), CHECK_DELAY_MS);
    }),
    // Before the default keys, of which Mod-Enter inserts a line.
    Prec.high(keymap.of([
      { key: "Mod-s", preventDefault: true, run: () => (void runSave(), true) },
      { key: "Mod-Enter", preventDefault: true, run: () => send(trial) },
    ])),
    completion(form),
  ]);
  const text = () => view.state.doc.toString();
  const isChanged = () => text() !== stored;

  /** Returns whether what is typed is saved. */
  const runSave = async (): Promise<boolean> => {
    const content = text();
    told.textContent = "Saving …";
    const answer = await save(form, content);
    if (answer.state === "failed") {
      told.textContent = answer.error;
      return false;
    }
    hash.value = answer.hash;
    if (answer.state === "conflict") {
      told.textContent = answer.error;
      return false;
    }
    stored = content;
    if (trial) labelTrial(trial, isChanged());
    told.textContent = ["Saved.", isChanged() ? "What was typed since is not." : "", ...answer.problems].join(" ")
      .trim();
    document.body.dispatchEvent(new CustomEvent("code-saved", { bubbles: true }));
    void runCheck(false);
    return true;
  };

  const runCheck = async (asked: boolean): Promise<void> => {
    clearTimeout(timer);
    checking?.abort();
    const mine = checking = new AbortController();
    if (asked) told.textContent = "Checking …";
    const content = text();
    const found = await check(form, content, mine.signal);
    if (mine !== checking || content !== text()) return;
    if (asked) told.textContent = typeof found === "string" ? found : "";
    if (typeof found === "string") return;
    view.dispatch(setDiagnostics(view.state, toDiagnostics(found, path, view.state)));
    showProblems(list, found, path, view, asked);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if ((event.submitter as HTMLElement | null)?.matches("[data-check-button]")) void runCheck(true);
    else void runSave();
  });
  addEventListener("beforeunload", (event) => {
    if (isChanged()) event.preventDefault();
  });
  if (trial) {
    saveBefore(trial, isChanged, runSave);
    trial.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      send(trial);
    });
  }
  showOpenFiles(form.querySelector<HTMLElement>("[data-open-files]")!, path);
  form.querySelector<HTMLElement>("[data-editor-hint]")!.hidden = false;
  if (list.childElementCount === 0) void runCheck(false);
}

/** Sends the trial's request, after saving what was typed. Returns whether there is a trial. */
function send(trial: HTMLFormElement | null): boolean {
  trial?.requestSubmit();
  return trial !== null;
}

/** The button says that the code is saved first, as a call runs the saved code. */
function labelTrial(trial: HTMLFormElement, isChanged: boolean): void {
  trial.querySelector<HTMLButtonElement>("button[type=submit]")!.textContent = isChanged ? "Save and send" : "Send";
}

/** Has a call of the function wait until the code is saved. */
function saveBefore(trial: HTMLFormElement, isChanged: () => boolean, runSave: () => Promise<boolean>): void {
  let saving = false;
  // In the capturing phase: before htmx sends the form.
  trial.addEventListener("submit", async (event) => {
    if (!isChanged()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (saving) return;
    saving = true;
    const saved = await runSave();
    saving = false;
    if (saved) return trial.requestSubmit();
    document.getElementById("outcome")!.textContent = "Nothing was sent, as the code could not be saved: see above.";
  }, { capture: true });
}

/** In a shadow root, where its styles are adopted: the page's policy allows no others. */
function mount(area: HTMLTextAreaElement, extensions: Extension): EditorView {
  const place = document.createElement("div");
  place.className = "code-editor";
  const root = place.attachShadow({ mode: "open" });
  area.before(place);
  area.hidden = true;
  const label = document.querySelector<HTMLLabelElement>(`label[for="${area.id}"]`)!;
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: area.value,
      extensions: [
        basicSetup,
        keymap.of([indentWithTab]),
        indentUnit.of("  "),
        EditorState.tabSize.of(2),
        lintGutter(),
        theme,
        EditorView.domEventHandlers({ beforeinput: replaceSelection }),
        EditorView.contentAttributes.of({
          tabindex: "0",
          "aria-label": `${label.textContent}. Press Escape, then Tab to leave the editor.`,
        }),
        extensions,
      ],
    }),
  });
  label.addEventListener("click", () => view.focus());
  return view;
}

/**
 * Types over a selection. Left to Chromium, the new text gets the style of the old one, which the page's policy refuses
 * with an error on the console.
 */
function replaceSelection({ inputType, data }: InputEvent, view: EditorView): boolean {
  const { ranges, main: { from, to, empty } } = view.state.selection;
  if (inputType !== "insertText" || data === null || empty || ranges.length > 1) return false;
  const insert = () =>
    view.state.update(view.state.replaceSelection(data), { userEvent: "input.type", scrollIntoView: true });
  const isHandled = view.state.facet(EditorView.inputHandler).some((handle) => handle(view, from, to, data, insert));
  if (!isHandled) view.dispatch(insert());
  return true;
}

function language(path: string): Extension {
  if (/\.json$/.test(path)) return json();
  if (!/\.[cm]?[jt]sx?$/.test(path)) return [];
  return javascript({ typescript: /\.[cm]?tsx?$/.test(path), jsx: /x$/.test(path) });
}

function completion(form: HTMLFormElement): Extension {
  const { names, files, parameters = "" } = form.dataset;
  let found: Promise<readonly string[]> | undefined;
  // Asked for once, when the first import is typed.
  const paths = () => found ??= files === undefined ? Promise.resolve([]) : filePaths(files);
  const source = handlerCompletion({
    names: names === undefined ? undefined : (search) => secretNames(names, search),
    modules: { importer: form.querySelector<HTMLInputElement>("input[name=path]")!.value, paths },
    parameters: parameters.split(" ").filter((name) => name !== ""),
  });
  return [autocompletion(), EditorState.languageData.of(() => [{ autocomplete: source }])];
}

function toDiagnostics(problems: readonly Problem[], path: string, state: EditorState): Diagnostic[] {
  const diagnostics = problems.filter((problem) => problem.path === path).map((problem): Diagnostic => {
    const from = position(problem, problem.column, state);
    return {
      from,
      to: Math.max(from, position(problem, problem.endColumn, state)),
      severity: "error",
      message: problem.message,
    };
  });
  return diagnostics.sort((a, b) => a.from - b.from);
}

function position({ line }: Problem, column: number, { doc }: EditorState): number {
  const place = doc.line(Math.min(Math.max(line, 1), doc.lines));
  return Math.min(place.from + column - 1, place.to);
}

/** Below the editor, as buttons that lead to the places. */
function showProblems(
  list: HTMLElement,
  problems: readonly Problem[],
  path: string,
  view: EditorView,
  asked: boolean,
): void {
  list.replaceChildren();
  if (problems.length === 0) {
    if (asked) list.append(element("p", "notice", "No problems found."));
    return;
  }
  const box = element("div", "problems", "");
  box.append(element("p", "", problems.length === 1 ? "1 problem:" : `${problems.length} problems:`));
  const items = element("ul", "", "");
  for (const problem of problems) {
    const item = element("li", "", "");
    const where = `line ${problem.line}, column ${problem.column}`;
    if (problem.path === path) {
      const button = element("button", "link", where[0]!.toUpperCase() + where.slice(1)) as HTMLButtonElement;
      button.type = "button";
      button.addEventListener("click", () => {
        view.dispatch({ selection: { anchor: position(problem, problem.column, view.state) }, scrollIntoView: true });
        view.focus();
      });
      item.append(button, ": ");
    } else item.append(`${problem.path}, ${where}: `);
    item.append(element("span", "message", problem.message));
    items.append(item);
  }
  box.append(items);
  list.append(box);
}

function element(name: string, className: string, text: string): HTMLElement {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}
