// The files that were opened in this tab of the browser, as links above the code.

interface OpenFile {
  readonly path: string;
  /** The page that it was opened on: its own, or a function's. */
  readonly href: string;
}

const STORE = "crude-open-files";
/** The one that was opened first is dropped. */
const OPEN_MAX = 12;

/** Adds the file of this page to the open ones, and shows them in `place` if there are others. */
export function showOpenFiles(place: HTMLElement, path: string): void {
  const before = read();
  const here = { path, href: location.pathname + location.search };
  const files = before.some((file) => file.path === path)
    ? before.map((file) => file.path === path ? here : file)
    : [...before, here].slice(-OPEN_MAX);
  write(files);
  render(place, files, path);
}

function render(place: HTMLElement, files: readonly OpenFile[], current: string): void {
  place.hidden = files.length < 2;
  place.replaceChildren(...files.map((file) =>
    tabOf(file, current, () => {
      const left = read().filter(({ path }) => path !== file.path);
      write(left);
      const next = left.at(-1);
      if (file.path === current && next) location.href = next.href;
      else render(place, left, current);
    })
  ));
}

function tabOf({ path, href }: OpenFile, current: string, close: () => void): HTMLElement {
  const tab = document.createElement("span");
  const link = document.createElement("a");
  link.href = href;
  link.title = path;
  link.textContent = path.split("/").at(-1)!;
  if (path === current) link.setAttribute("aria-current", "page");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "link";
  button.textContent = "×";
  button.setAttribute("aria-label", `Close ${path}`);
  button.addEventListener("click", close);
  tab.append(link, button);
  return tab;
}

function read(): OpenFile[] {
  try {
    return JSON.parse(sessionStorage.getItem(STORE) ?? "[]");
  } catch {
    return [];
  }
}

function write(files: readonly OpenFile[]): void {
  sessionStorage.setItem(STORE, JSON.stringify(files));
}
