// Brings the server of `crude dev` to the state that the project's files describe, through its API.

import type { Project, ProjectSecret } from "./project.ts";

export interface LocalKey {
  /** `GROUP/KEY`. */
  readonly name: string;
  readonly value: string;
}

/** What was found wrong, as sentences. */
export interface Applied {
  readonly problems: readonly string[];
  readonly keys: readonly LocalKey[];
  readonly functions: readonly {
    readonly name: string;
    readonly route: string;
    readonly keyNames: readonly string[];
  }[];
}

/** Name of the key that each group of the project gets. */
const DEV_KEY = "dev";

// deno-lint-ignore no-explicit-any
type Json = any;

export class LocalServer {
  readonly #url: string;
  readonly #key: string;

  /** `key` may manage the server. */
  constructor(url: string, key: string) {
    this.#url = url;
    this.#key = key;
  }

  /** Makes groups, keys, functions and secrets as the project has them, and removes what it has no longer. */
  async apply(project: Project): Promise<Applied> {
    const problems = [...project.problems];
    const attempt = async (work: () => Promise<unknown>) => {
      await work().catch((error) => problems.push(error instanceof Error ? error.message : String(error)));
    };
    for (const group of project.groups) {
      await attempt(() => this.#call("PUT", `/api/key-groups/by-name/${encodeURIComponent(group)}`, {}));
    }
    for (const key of [...project.groups.map((group) => `${group}/${DEV_KEY}`), ...project.keys]) {
      await attempt(() => this.#ensureKey(key));
    }
    await attempt(async () => void problems.push(...await this.#applyFunctions(project)));
    await attempt(() => this.#applySecrets(project.secrets, problems));
    const { functions } = await this.#call("GET", "/api/functions");
    return { problems, keys: await this.#keys(), functions };
  }

  /** Returns what is wrong with the code as it is now. */
  async check({ functions }: Project): Promise<string[]> {
    const body = { files: {}, ...(functions && { functions }), force: true, dryRun: true };
    const { problems, warnings } = await this.#call("POST", "/api/deployments", body);
    return [...problems, ...warnings].map(sentence);
  }

  /** Calls `print` with each line that a handler writes, until `signal` is aborted. */
  async followLogs(print: (line: string, level: string) => void, signal: AbortSignal): Promise<void> {
    const answer = await fetch(`${this.#url}/api/logs/stream`, { headers: { "X-API-Key": this.#key }, signal });
    let text = "";
    for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += part;
      const events = text.split("\n\n");
      text = events.pop()!;
      for (const event of events) {
        const data = /^event: log\ndata: (.*)$/m.exec(event)?.[1];
        if (data === undefined) continue;
        const { functionName, level, message } = JSON.parse(data);
        print(`${functionName ?? ""}: ${message}`, level);
      }
    }
  }

  async #applyFunctions({ functions }: Project): Promise<string[]> {
    if (!functions) return [];
    const { functions: stored } = await this.#call("GET", "/api/functions");
    for (const { name, id } of stored) {
      if (!Object.hasOwn(functions, name)) await this.#call("DELETE", `/api/functions/${id}`);
    }
    const wanted = { files: {}, functions, force: true };
    const { plan, problems, warnings } = await this.#call("POST", "/api/deployments", { ...wanted, dryRun: true });
    const isNew = [plan.functions.created, plan.functions.changed].some(({ length }) => length > 0);
    if (isNew) await this.#call("POST", "/api/deployments", { ...wanted, message: "crude.json of the folder" });
    // Secrets are applied after the functions that own them.
    return [...problems, ...warnings].filter(({ kind }) => kind !== "secret").map(sentence);
  }

  async #ensureKey(name: string): Promise<void> {
    const [groupId, key] = name.split("/");
    const { keys } = await this.#call("GET", `/api/keys?groupId=${encodeURIComponent(groupId!)}`);
    if (keys.some((one: Json) => one.name === key)) return;
    await this.#call("POST", "/api/keys", { groupId, name: key });
  }

  async #keys(): Promise<LocalKey[]> {
    const { keys } = await this.#call("GET", "/api/keys?includeValues=true");
    return keys.filter(({ groupName }: Json) => groupName !== "management")
      .map(({ groupName, name, value }: Json) => ({ name: `${groupName}/${name}`, value }));
  }

  async #applySecrets(wanted: readonly ProjectSecret[], problems: string[]): Promise<void> {
    const keyOf = (name: string, scope: string, owner: string | null | undefined) =>
      JSON.stringify([name, scope, owner ?? null]);
    const stored = new Map<string, Json>();
    for (let cursor: string | null = ""; cursor !== null;) {
      const page: Json = await this.#call("GET", `/api/secrets?includeValues=true${cursor && `&cursor=${cursor}`}`);
      for (const secret of page.secrets) {
        stored.set(keyOf(secret.name, secret.scope, await this.#ownerOf(secret)), secret);
      }
      cursor = page.next;
    }
    for (const { name, value, scope, owner } of wanted) {
      const key = keyOf(name, scope, owner);
      const known = stored.get(key);
      stored.delete(key);
      if (known?.value === value) continue;
      const field = { function: "functionId", group: "groupId", key: "keyId", global: undefined }[scope];
      const body = { value, scope, ...(field && { [field]: owner }) };
      await this.#call("PUT", `/api/secrets/by-name/${encodeURIComponent(name)}`, body)
        .catch((error) => problems.push(`${name} of the ${scope} ${owner ?? ""}: ${error.message}`));
    }
    for (const { id } of stored.values()) await this.#call("DELETE", `/api/secrets/${id}`);
  }

  async #ownerOf({ scope, scopeId, scopeName }: Json): Promise<string | null> {
    if (scope !== "key") return scopeName;
    const { key } = await this.#call("GET", `/api/keys/${scopeId}`);
    return `${key.groupName}/${key.name}`;
  }

  async #call(method: string, path: string, body?: unknown): Promise<Json> {
    const answer = await fetch(this.#url + path, {
      method,
      headers: { "X-API-Key": this.#key, ...(body !== undefined && { "Content-Type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const json = await answer.json();
    if (answer.ok) return json;
    const { problems = [] } = json.details ?? {};
    throw new Error([json.error, ...problems.slice(1).map(sentence)].join("\n"));
  }
}

function sentence({ function: name, file, line, message }: Json): string {
  const place = file === undefined || message.includes(file) ? name : line === undefined ? file : `${file}:${line}`;
  return place === undefined ? message : `${place}: ${message}`;
}
