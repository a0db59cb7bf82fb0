// What the editor asks of the server: saving, checking, and names of secrets.

export interface Problem {
  path: string;
  line: number;
  column: number;
  endColumn: number;
  message: string;
}

export type Saved =
  | { state: "saved"; hash: string; problems: string[] }
  | { state: "conflict"; hash: string; error: string }
  | { state: "failed"; error: string };

const SIGNED_OUT = "You are signed out. Sign in in another tab, then save here again: nothing typed is lost.";

/** The answer as JSON, or a sentence on why there is none. */
async function ask(
  address: string,
  init: RequestInit,
): Promise<{ status: number; json: Record<string, unknown> } | string> {
  let response: Response;
  try {
    response = await fetch(address, { ...init, headers: { ...init.headers, Accept: "application/json" } });
  } catch {
    return "The server cannot be reached. Nothing typed is lost: try again.";
  }
  if (response.redirected || response.status === 401) return SIGNED_OUT;
  if (!response.headers.get("content-type")?.startsWith("application/json")) {
    if (response.status === 413) return "The text is larger than the server takes.";
    return response.status === 503 ? "The server is busy. Try again." : `The server refused it (${response.status}).`;
  }
  return { status: response.status, json: await response.json() };
}

export async function save(form: HTMLFormElement, content: string): Promise<Saved> {
  const answer = await ask(form.action, { method: "POST", body: fields(form, content) });
  if (typeof answer === "string") return { state: "failed", error: answer };
  const { status, json } = answer;
  if (status === 409) return { state: "conflict", hash: String(json.hash), error: String(json.error) };
  if (status !== 200) return { state: "failed", error: String(json.error) };
  const problems = [...json.problems as string[], ...json.warnings as string[]];
  return { state: "saved", hash: String(json.hash), problems };
}

/** What is wrong with the text, or why that cannot be told. */
export async function check(form: HTMLFormElement, content: string, signal: AbortSignal): Promise<Problem[] | string> {
  const answer = await ask(form.dataset.check!, { method: "POST", body: fields(form, content), signal });
  if (typeof answer === "string") return answer;
  return answer.status === 200 ? answer.json.problems as Problem[] : String(answer.json.error);
}

export async function secretNames(address: string, search: string): Promise<string[]> {
  const answer = await ask(`${address}?${new URLSearchParams({ search })}`, {});
  return typeof answer === "string" ? [] : answer.json.names as string[];
}

/** The paths of all files of the code folder. */
export async function filePaths(address: string): Promise<string[]> {
  const answer = await ask(address, {});
  return typeof answer === "string" ? [] : answer.json.paths as string[];
}

function fields(form: HTMLFormElement, content: string): URLSearchParams {
  const sent = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (typeof value === "string" && name !== "content") sent.append(name, value);
  }
  sent.set("content", content);
  return sent;
}
