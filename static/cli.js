#!/usr/bin/env node
// crude 0.1.0, made by "deno task bundle:cli" from src/crude: 5a685120e188694e25029e6ab22cd5bb9b262487c6f17e74f1e52e60335273f4
(async () => {
// ../src/crude/start.ts
const { spawn: spawn2 } = await import("node:child_process");
const { default: process } = await import("node:process");
const { homedir } = await import("node:os");
const { join: join7 } = await import("node:path");

// ../src/crude/base/errors.ts
var EXIT = {
  ok: 0,
  /** It could not be done. */
  failed: 1,
  /** Wrong words, options, files or variables; or a question that has no terminal to be asked on. */
  usage: 2,
  /** The server could not be reached. */
  unreachable: 3,
  /** The server does not accept the credential, or it may not do this. */
  denied: 4
};
var CrudeError = class extends Error {
  exitCode;
  code;
  /** What the server's answer said in addition, such as problems by field. */
  details;
  /** Further lines for people. */
  lines;
  constructor(message, { exitCode = EXIT.failed, code = "Failed", details, lines = [] } = {}) {
    super(message);
    this.exitCode = exitCode;
    this.code = code;
    this.details = details;
    this.lines = lines;
  }
};
function wrongUsage(message) {
  return new CrudeError(message, {
    exitCode: EXIT.usage,
    code: "Usage"
  });
}
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

// ../src/crude/base/profiles.ts
const { chmodSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } = await import("node:fs");
const { randomBytes } = await import("node:crypto");
const { basename, dirname, join } = await import("node:path");
var PROFILE_NAME = /^[\w.:@-]{1,100}$/;
function writePrivateFile(path, content) {
  const present = statSync(path, {
    throwIfNoEntry: false
  });
  if (present && !present.isFile()) return writeFileSync(path, content);
  const target = present ? realpathSync(path) : path;
  const temporary = join(dirname(target), `.${basename(target)}-${randomBytes(6).toString("hex")}`);
  try {
    writeFileSync(temporary, content, {
      mode: 384,
      flag: "wx"
    });
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, {
      force: true
    });
    throw error;
  }
}
function createProfiles(folder) {
  const path = join(folder, "profiles.json");
  const read = () => {
    let text2;
    try {
      text2 = readFileSync(path, "utf8");
      if ((statSync(path).mode & 63) !== 0) chmodSync(path, 384);
    } catch (error) {
      if (error.code === "ENOENT") return {
        current: void 0,
        profiles: /* @__PURE__ */ new Map()
      };
      throw new CrudeError(`${path} cannot be read: ${messageOf(error)}`);
    }
    return parse(text2, path);
  };
  const write3 = ({ current, profiles }) => {
    mkdirSync(folder, {
      recursive: true,
      mode: 448
    });
    const text2 = JSON.stringify({
      format: 1,
      current,
      profiles: Object.fromEntries(profiles)
    }, null, 2);
    writePrivateFile(path, `${text2}
`);
  };
  const required2 = (list5, name) => {
    const profile = list5.profiles.get(name);
    if (!profile) throw wrongUsage(`There is no profile "${name}". "crude profiles list" shows those that exist.`);
    return profile;
  };
  return {
    path,
    read,
    put(name, profile) {
      const { profiles } = read();
      write3({
        current: name,
        profiles: new Map([
          ...profiles,
          [
            name,
            profile
          ]
        ])
      });
    },
    use(name) {
      const list5 = read();
      required2(list5, name);
      write3({
        ...list5,
        current: name
      });
    },
    remove(name) {
      const list5 = read();
      const profile = required2(list5, name);
      const profiles = new Map([
        ...list5.profiles
      ].filter(([other]) => other !== name));
      const current = list5.current === name ? [
        ...profiles.keys()
      ][0] : list5.current;
      write3({
        current,
        profiles
      });
      return profile;
    }
  };
}
function parse(text2, path) {
  try {
    const { format, current, profiles } = JSON.parse(text2);
    if (format !== 1 || typeof profiles !== "object") throw new Error("it has another format");
    const entries = Object.entries(profiles);
    for (const [name, { url, credential }] of entries) {
      if (typeof url !== "string" || typeof credential?.value !== "string") throw new Error(`"${name}" is incomplete`);
    }
    return {
      current: typeof current === "string" ? current : void 0,
      profiles: new Map(entries)
    };
  } catch (error) {
    throw new CrudeError(`${path} is not a file of crude: ${messageOf(error)}. Remove it and sign in again.`);
  }
}

// ../src/crude/base/terminal.ts
var ERASE_LINE = "\r\x1B[K";
var UPDATE_INTERVAL_MS = 100;
var INPUT_MAX_BYTES = 64 * 1024 * 1024;
var INTERRUPTED = 130;
function createTerminal({ stdin, stderr, exit }, json2) {
  const isInputTerminal = stdin.isTTY === true;
  const isInteractive = isInputTerminal && stderr.isTTY === true;
  const isDrawn = !json2 && stderr.isTTY === true;
  let drawnAt;
  const draw = (line) => {
    if (isDrawn) stderr.write(ERASE_LINE + line.slice(0, (stderr.columns ?? 80) - 1));
  };
  const ask = (question, hidden) => new Promise((resolve6) => {
    let typed = "";
    stdin.setRawMode(true);
    stdin.setEncoding("utf8");
    stderr.write(question);
    const end = () => {
      stdin.off("data", onData);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write("\n");
    };
    const onData = (text2) => {
      for (const character of text2) {
        if (character === "\r" || character === "\n" || character === "") {
          end();
          return resolve6(typed);
        }
        if (character === "") {
          end();
          return exit(INTERRUPTED);
        }
        if (character === "\x7F" || character === "\b") {
          if (!hidden && typed !== "") stderr.write("\b \b");
          typed = [
            ...typed
          ].slice(0, -1).join("");
        } else if (character >= " " || character === "	") {
          typed += character;
          if (!hidden) stderr.write(character);
        }
      }
    };
    stdin.on("data", onData);
    stdin.resume();
  });
  return {
    isInteractive,
    isInputTerminal,
    async readInput() {
      const chunks = [];
      let size = 0;
      for await (const chunk of stdin) {
        size += chunk.length;
        if (size > INPUT_MAX_BYTES) throw wrongUsage("Standard input is too long.");
        chunks.push(chunk);
      }
      return concat(chunks);
    },
    async askHidden(question) {
      if (!isInteractive) throw wrongUsage(`There is no terminal to ask on: ${question}`);
      return await ask(`${question}: `, true);
    },
    async confirm(question) {
      if (!isInteractive) throw wrongUsage("There is no terminal to ask on; add --yes to confirm.");
      return /^y(?:es)?$/i.test((await ask(`${question} [y/N] `, false)).trim());
    },
    show: (line) => void stderr.write(`${line}
`),
    progress(label, done, total, unit) {
      const now = performance.now();
      if (done >= total) {
        draw("");
        drawnAt = void 0;
      } else if (drawnAt === void 0 || now - drawnAt >= UPDATE_INTERVAL_MS) {
        const shown = unit === "bytes" ? `${megabytes(done)} of ${megabytes(total)} MB` : `${done} of ${total}`;
        draw(`${label} ${Math.floor(done / total * 100)}% (${shown})`);
        drawnAt = now;
      }
    },
    async waiting(label, work) {
      draw(`${label}\u2026`);
      try {
        return await work();
      } finally {
        draw("");
      }
    }
  };
}
function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}
function concat(chunks) {
  const whole = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

// ../src/crude/run.ts
const { parseArgs } = await import("node:util");

// ../src/crude/base/address.ts
var LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
function isLoopback(url) {
  return LOOPBACK.test(url.hostname);
}
function serverUrl(text2, what) {
  let url = parse2(text2.trim());
  if (!url || !/^https?:$/.test(url.protocol)) {
    const secure = parse2(`https://${text2.trim()}`);
    if (/^[a-z]+:\/\//i.test(text2.trim()) || !secure) {
      throw wrongUsage(`${what} must be the address of a server, such as https://functions.example.com.`);
    }
    url = isLoopback(secure) ? new URL(`http://${text2.trim()}`) : secure;
  }
  if (url.username !== "" || url.password !== "") throw wrongUsage(`${what} must not contain a user or password.`);
  return url.origin;
}
function parse2(text2) {
  return URL.canParse(text2) ? new URL(text2) : void 0;
}
function requireSecure(origin) {
  const url = new URL(origin);
  if (url.protocol === "https:" || isLoopback(url)) return;
  throw wrongUsage(`${origin} is not encrypted: keys and sessions are only sent by https:, or by http: to this machine. Use the server's https: address, or a tunnel to a port of this machine.`);
}

// ../src/crude/base/client.ts
var TIMEOUT_MS = 6e4;
var Client = class {
  url;
  credential;
  #version;
  /** @throws CrudeError (usage) if the credential would not be encrypted on its way */
  constructor({ url, credential, version }) {
    if (credential) requireSecure(url);
    this.url = url;
    this.credential = credential;
    this.#version = version;
  }
  // The caller knows the shape of each answer.
  // deno-lint-ignore no-explicit-any
  async get(path, query) {
    return await this.#json("GET", path, query ? {
      query
    } : {});
  }
  // deno-lint-ignore no-explicit-any
  async post(path, json2, wanted = {}) {
    return await this.#json("POST", path, {
      ...wanted,
      json: json2
    });
  }
  // deno-lint-ignore no-explicit-any
  async put(path, json2) {
    return await this.#json("PUT", path, {
      json: json2
    });
  }
  async delete(path) {
    await this.#json("DELETE", path, {});
  }
  /** Sends one request to the API. @throws CrudeError for an answer that is not 2xx, and for none */
  async request(method, path, wanted = {}) {
    const { credential } = this;
    const headers = credential?.kind === "session" ? {
      Authorization: `Bearer ${credential.value}`
    } : credential ? {
      "X-API-Key": credential.value
    } : {};
    const response = await this.send(method, path, {
      ...wanted,
      headers: {
        ...headers,
        ...wanted.headers
      }
    });
    if (response.ok) return response;
    const error = await refusal(response, this.url);
    if (error.exitCode !== EXIT.denied || credential?.kind !== "session") throw error;
    throw new CrudeError(`${error.message} Run "crude login ${this.url}".`, error);
  }
  /** Sends one request without a credential, and returns any answer. @throws CrudeError (unreachable) */
  async send(method, path, wanted = {}) {
    const { query = {}, json: json2, bytes, headers, timeoutMs = TIMEOUT_MS } = wanted;
    const url = new URL(path, this.url);
    for (const [name, value] of Object.entries(query)) if (value !== void 0) url.searchParams.set(name, `${value}`);
    const body = json2 === void 0 ? bytes : JSON.stringify(json2);
    try {
      return await fetch(url, {
        method,
        headers: {
          "User-Agent": `crude/${this.#version}`,
          ...json2 !== void 0 && {
            "Content-Type": "application/json"
          },
          ...headers
        },
        // Or the credential would be sent to wherever the answer points.
        redirect: "manual",
        ...body !== void 0 && {
          body
        },
        ...timeoutMs !== null && {
          signal: AbortSignal.timeout(timeoutMs)
        }
      });
    } catch (error) {
      throw unreachable(this.url, error);
    }
  }
  async #json(method, path, wanted) {
    const response = await this.request(method, path, wanted);
    try {
      const text2 = await response.text();
      return text2 === "" ? {} : JSON.parse(text2);
    } catch (error) {
      throw unreachable(this.url, error);
    }
  }
};
function unreachable(url, error) {
  return new CrudeError(`${url} could not be reached: ${reasonOf(error)}.`, {
    exitCode: EXIT.unreachable,
    code: "Unreachable"
  });
}
function reasonOf(error) {
  if (error instanceof Error && error.name === "TimeoutError") return "it did not answer in time";
  const reasons = [];
  for (let cause = error; cause !== void 0 && cause !== null; cause = cause.cause) {
    const [first] = cause.errors ?? [];
    const message = messageOf(cause) || messageOf(first);
    if (message) reasons.push(message);
  }
  return (reasons.at(-1) ?? "unknown error").replace(/[.\s]+$/, "");
}
async function refusal(response, url) {
  const body = await errorBody(response);
  const { status } = response;
  if (!body) {
    const location = response.headers.get("location");
    const message = location && status >= 300 && status < 400 ? `${url} redirects to ${location}. Use the address that the server is reached by.` : `${url} answered ${status}, but not as this server does.`;
    const exitCode = [
      502,
      503,
      504
    ].includes(status) ? EXIT.unreachable : EXIT.failed;
    return new CrudeError(message, {
      exitCode,
      code: "UnexpectedAnswer"
    });
  }
  return new CrudeError(body.error, {
    exitCode: exitCodeOf(status, body.code),
    code: body.code,
    details: body.details,
    lines: fieldLines(body)
  });
}
function isUnknownEndpoint(error) {
  if (!(error instanceof CrudeError)) return false;
  if (error.code === "MethodNotAllowed") return true;
  return error.code === "NotFound" && / in the API\b/.test(error.message);
}
async function sinceVersion(what, request) {
  try {
    return await request();
  } catch (error) {
    if (!isUnknownEndpoint(error)) throw error;
    throw new CrudeError(`This server's version does not support ${what}.`, {
      code: "Unsupported"
    });
  }
}
async function errorBody(response) {
  try {
    const body = await response.json();
    return typeof body?.error === "string" && typeof body.code === "string" ? body : void 0;
  } catch {
    return void 0;
  }
}
function exitCodeOf(status, code) {
  if ((status === 401 || status === 403) && code !== "Protected") return EXIT.denied;
  return EXIT.failed;
}
function fieldLines({ details }) {
  if (typeof details !== "object" || details === null) return [];
  const problems = Object.entries(details).filter(([, problem]) => typeof problem === "string");
  return problems.length < 2 ? [] : problems.map(([field, problem]) => `  ${field} ${problem}`);
}

// ../src/crude/base/command.ts
var Given = class {
  positionals;
  options;
  constructor(positionals, options) {
    this.positionals = positionals;
    this.options = options;
  }
  /** Returns a positional that the command requires. */
  at(index) {
    return this.positionals[index];
  }
  text(name) {
    const value = this.options[name];
    return typeof value === "string" ? value : void 0;
  }
  texts(name) {
    const value = this.options[name];
    return Array.isArray(value) ? value : [];
  }
  flag(name) {
    return this.options[name] === true;
  }
  /** Returns a whole number of at least `min`. @throws CrudeError (usage) */
  number(name, min = 1) {
    const text2 = this.text(name);
    if (text2 === void 0) return void 0;
    if (!/^[0-9]{1,15}$/.test(text2) || Number(text2) < min) {
      throw wrongUsage(`--${name} must be a whole number of at least ${min}.`);
    }
    return Number(text2);
  }
};

// ../src/crude/base/connect.ts
var SESSION_PREFIX = "crude_session_";
function credentialOf(value) {
  return {
    kind: value.startsWith(SESSION_PREFIX) ? "session" : "key",
    value
  };
}
function choose({ profile, url, env, profiles }) {
  const list5 = profiles.read();
  if (profile !== void 0) {
    const found2 = list5.profiles.get(profile);
    if (!found2) throw wrongUsage(`There is no profile "${profile}". "crude profiles list" shows those that exist.`);
    if (url !== void 0 && serverUrl(url, "--url") !== found2.url) {
      throw wrongUsage(`--url is not the address of the profile "${profile}", which is ${found2.url}.`);
    }
    return {
      url: found2.url,
      credential: found2.credential,
      profile
    };
  }
  const [variable, key] = [
    env("CRUDE_URL") || void 0,
    env("CRUDE_KEY") || void 0
  ];
  const wanted = url !== void 0 ? serverUrl(url, "--url") : variable !== void 0 ? serverUrl(variable, "CRUDE_URL") : void 0;
  if (key !== void 0) {
    if (wanted === void 0) throw wrongUsage("CRUDE_KEY is set, but CRUDE_URL, its server, is not.");
    return {
      url: wanted,
      credential: credentialOf(key.trim())
    };
  }
  const names = [
    list5.current,
    ...list5.profiles.keys()
  ].filter((name2) => name2 !== void 0);
  const name = names.find((name2) => {
    const candidate = list5.profiles.get(name2);
    return candidate !== void 0 && (wanted === void 0 || candidate.url === wanted);
  });
  if (name === void 0) {
    throw wrongUsage(wanted === void 0 ? 'You are not signed in. Run "crude login URL", or set CRUDE_URL and CRUDE_KEY.' : `You are not signed in to ${wanted}. Run "crude login ${wanted}", or set CRUDE_KEY.`);
  }
  const found = list5.profiles.get(name);
  return {
    url: found.url,
    credential: found.credential,
    profile: name
  };
}

// ../src/crude/base/text.ts
var CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
function visible(text2) {
  return text2.replace(CONTROL, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
function visibleLine(text2) {
  return visible(text2).replaceAll("\n", "\\n").replaceAll("	", " ");
}
function table(head, rows) {
  const cells = [
    head,
    ...rows
  ].map((row) => row.map(visibleLine));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd());
}
function count(n, one, many = `${one}s`) {
  return `${n.toLocaleString("en-US")} ${n === 1 ? one : many}`;
}

// ../src/crude/base/owners.ts
var SCOPES = [
  "global",
  "function",
  "group",
  "key"
];
var OWNER_OPTIONS = {
  scope: {
    type: "string",
    value: "SCOPE",
    choices: SCOPES,
    help: `${SCOPES.join(", ")}; global by default`
  },
  owner: {
    type: "string",
    value: "NAME",
    help: "the function, the group, or the key as GROUP/KEY"
  }
};
function missing(what, name) {
  return new CrudeError(`There is no ${what} "${name}".`, {
    code: "NotFound"
  });
}
async function functionByName(client, name) {
  const { functions } = await client.get("/api/functions");
  const found = functions.find((one) => one.name === name);
  if (!found) throw missing("function", name);
  return found;
}
async function groups(client) {
  return (await client.get("/api/key-groups")).groups;
}
async function groupByName(client, name) {
  const found = (await groups(client)).find((group) => group.name === name);
  if (!found) throw missing("key group", name);
  return found;
}
function splitKey(text2, what) {
  const at = text2.indexOf("/");
  if (at < 1 || at === text2.length - 1) throw wrongUsage(`${what} must be GROUP/KEY, such as staging/acme.`);
  return {
    group: text2.slice(0, at),
    key: text2.slice(at + 1)
  };
}
async function keyByName(client, text2, what) {
  const { group, key } = splitKey(text2, what);
  const { id } = await groupByName(client, group);
  const { keys } = await client.get("/api/keys", {
    groupId: id
  });
  const found = keys.find((one) => one.name === key);
  if (!found) throw missing("API key", text2);
  return found;
}
async function ownerOf(client, given) {
  const [scope, name] = [
    given.text("scope") ?? "global",
    given.text("owner")
  ];
  if (!SCOPES.some((known) => known === scope)) throw wrongUsage(`--scope must be one of ${SCOPES.join(", ")}.`);
  if (scope === "global") {
    if (name !== void 0) throw wrongUsage("--owner needs --scope function, group or key.");
    return {
      scope,
      id: null,
      label: "global",
      fields: {
        scope
      }
    };
  }
  if (name === void 0) throw wrongUsage(`--scope ${scope} needs --owner.`);
  const { id } = scope === "function" ? await functionByName(client, name) : scope === "group" ? await groupByName(client, name) : await keyByName(client, name, "--owner");
  return {
    scope,
    id,
    label: `${scope} ${name}`,
    fields: {
      scope,
      [`${scope}Id`]: id
    }
  };
}

// ../src/crude/commands/secrets.ts
const { readFileSync: readFileSync2 } = await import("node:fs");
const { resolve } = await import("node:path");

// ../src/crude/base/listing.ts
var PAGE_SIZE = 1e3;
async function allSecrets(client, query = {}) {
  const secrets = [];
  let cursor;
  while (true) {
    const page = await client.get("/api/secrets", {
      ...query,
      limit: PAGE_SIZE,
      cursor
    });
    secrets.push(...page.secrets);
    if (page.next === null) return secrets;
    cursor = page.next;
  }
}

// ../src/crude/commands/secrets.ts
var PLACES = [
  "header",
  "query",
  "path",
  "body"
];
var FORMATS = [
  "env",
  "json",
  "yaml"
];
var ownerText = ({ scope, scopeName }) => scopeName === null ? scope : `${scope} ${scopeName}`;
var list = {
  name: "secrets list",
  options: OWNER_OPTIONS,
  help: [
    "List secrets, without their values: all of them, or those of a scope or an owner."
  ],
  async run(context, given) {
    const client = await context.connect();
    const query = given.text("owner") === void 0 ? {
      scope: given.text("scope")
    } : (await ownerOf(client, given)).fields;
    const secrets = await allSecrets(client, query);
    const rows = secrets.map((one) => [
      one.name,
      ownerText(one),
      one.updatedAt,
      one.comment
    ]);
    return {
      json: {
        secrets
      },
      lines: rows.length > 0 ? table([
        "NAME",
        "SCOPE",
        "UPDATED",
        "COMMENT"
      ], rows) : [
        "There are no secrets."
      ]
    };
  }
};
var VALUE_OPTIONS = {
  file: {
    type: "string",
    value: "PATH",
    help: "read the value from a file"
  },
  raw: {
    type: "boolean",
    help: "keep a final newline"
  }
};
var set = {
  name: "secrets set",
  positionals: [
    {
      name: "NAME"
    }
  ],
  options: {
    ...OWNER_OPTIONS,
    ...VALUE_OPTIONS,
    comment: {
      type: "string",
      value: "TEXT",
      help: "what the secret is for"
    },
    "keep-previous": {
      type: "string",
      value: "TIME",
      help: "how long the old value counts, too: 24h or 7d"
    },
    sealed: {
      type: "boolean",
      help: "functions can send the value to its hosts, and no one can read it"
    },
    host: {
      type: "string",
      multiple: true,
      value: "HOST",
      help: "a host of a sealed value; may be repeated"
    },
    in: {
      type: "string",
      multiple: true,
      value: "PLACE",
      choices: PLACES,
      help: "where in a request a sealed value may be; may be repeated"
    }
  },
  help: [
    "Create a secret, or change its value.",
    "The value is read from standard input, from --file, or from a hidden prompt. One final newline is dropped."
  ],
  async run(context, given) {
    const name = given.at(0);
    const value = await readValue(context, given, name);
    const client = await context.connect();
    const owner = await ownerOf(client, given);
    const comment = given.text("comment");
    const stored = await find(client, name, owner);
    const [hosts, places] = [
      given.texts("host"),
      given.texts("in")
    ];
    const changes = {
      value,
      ...comment !== void 0 && {
        comment
      },
      ...given.flag("sealed") && {
        sealed: true
      },
      ...hosts.length > 0 && {
        hosts
      },
      ...places.length > 0 && {
        in: places
      }
    };
    const keepPrevious = given.text("keep-previous");
    if (stored) await client.put(`/api/secrets/${stored.id}`, {
      ...changes,
      ...keepPrevious && {
        keepPrevious
      }
    });
    else await client.post("/api/secrets", {
      name,
      ...changes,
      ...owner.fields
    });
    const done = stored ? "changed" : "created";
    return {
      json: {
        name,
        scope: owner.scope,
        done
      },
      lines: [
        `${name} (${owner.label}) was ${done}.`
      ]
    };
  }
};
var get = {
  name: "secrets get",
  positionals: [
    {
      name: "NAME"
    }
  ],
  options: {
    ...OWNER_OPTIONS,
    raw: {
      type: "boolean",
      help: "print no newline after the value"
    }
  },
  help: [
    "Print the value of a secret. The audit records it."
  ],
  async run(context, given) {
    const name = given.at(0);
    const client = await context.connect();
    const owner = await ownerOf(client, given);
    const found = await required(client, name, owner);
    const secret = await client.get(`/api/secrets/${found.id}`, {
      includeValues: true
    });
    if (secret.value === null || secret.value === void 0) {
      throw new CrudeError(`The value of ${name} cannot be read: ${secret.decryptionError ?? "it is sealed"}.`, {
        code: "Unreadable"
      });
    }
    const bytes = new TextEncoder().encode(secret.value + (given.flag("raw") ? "" : "\n"));
    return {
      json: {
        ...secret
      },
      bytes
    };
  }
};
var remove = {
  name: "secrets rm",
  positionals: [
    {
      name: "NAME"
    }
  ],
  options: {
    ...OWNER_OPTIONS,
    yes: {
      type: "boolean",
      short: "y",
      help: "do not ask"
    }
  },
  help: [
    "Delete a secret."
  ],
  async run(context, given) {
    const name = given.at(0);
    const client = await context.connect();
    const owner = await ownerOf(client, given);
    const { id } = await required(client, name, owner);
    await confirmed(context, given, `Delete ${name} (${owner.label})?`);
    await client.delete(`/api/secrets/${id}`);
    return {
      json: {
        name,
        scope: owner.scope,
        done: "deleted"
      },
      lines: [
        `${name} (${owner.label}) was deleted.`
      ]
    };
  }
};
var history = {
  name: "secrets history",
  positionals: [
    {
      name: "NAME"
    }
  ],
  options: {
    ...OWNER_OPTIONS,
    restore: {
      type: "string",
      value: "VERSION",
      help: "make the value of this version the current one again"
    }
  },
  help: [
    "List the values of a secret that are kept: when each was set and by whom, without the values."
  ],
  async run(context, given) {
    const name = given.at(0);
    const restored = given.text("restore");
    if (restored !== void 0 && !/^[1-9]\d{0,14}$/.test(restored)) {
      throw wrongUsage("--restore must be the number of a version.");
    }
    const client = await context.connect();
    const owner = await ownerOf(client, given);
    const { id } = await required(client, name, owner);
    const path = `/api/secrets/${id}/versions`;
    return await sinceVersion("the history of secrets", async () => {
      if (restored !== void 0) {
        const { version } = await client.post(`${path}/${restored}/restore`, void 0);
        const line = `The value of version ${restored} of ${name} (${owner.label}) is version ${version}.`;
        return {
          json: {
            name,
            scope: owner.scope,
            version,
            from: Number(restored)
          },
          lines: [
            line
          ]
        };
      }
      const { versions } = await client.get(path);
      const rows = versions.map((one) => [
        String(one.version),
        one.setAt,
        one.setBy ? one.setBy.name ?? one.setBy.kind : "",
        one.current ? "current" : one.previousUntil === null ? "" : `counts until ${one.previousUntil}`
      ]);
      return {
        json: {
          name,
          scope: owner.scope,
          versions
        },
        lines: table([
          "VERSION",
          "SET",
          "BY",
          ""
        ], rows)
      };
    });
  }
};
var importSecrets = {
  name: "secrets import",
  positionals: [
    {
      name: "FILE",
      optional: true
    }
  ],
  options: {
    ...OWNER_OPTIONS,
    format: {
      type: "string",
      value: "FORMAT",
      choices: FORMATS,
      help: "env, json or yaml; by the file's ending"
    },
    prefix: {
      type: "string",
      multiple: true,
      value: "PREFIX=SCOPE:OWNER",
      help: "the owner of names that begin with PREFIX, which is removed; may be repeated"
    },
    create: {
      type: "boolean",
      help: "fail if a secret exists"
    },
    "dry-run": {
      type: "boolean",
      help: "show what would change, without values"
    }
  },
  help: [
    "Create and change secrets from a file, or from standard input (-): all of them, or none.",
    "With --prefix STAGING_=group:staging, STAGING_TOKEN is the secret TOKEN of the group staging."
  ],
  async run(context, given) {
    const path = given.positionals[0] === "-" ? void 0 : given.positionals[0];
    const prefixes = prefixesOf(given.texts("prefix"));
    const content = decode(path === void 0 ? await piped(context, "FILE") : readFile(context, path));
    const client = await context.connect();
    const { fields } = await ownerOf(client, given);
    const preview = await sinceVersion("importing secrets", () => client.post("/api/secrets/import", {
      format: formatOf(given.text("format"), path),
      content,
      ...fields,
      ...prefixes && {
        prefixes
      },
      mode: given.flag("create") ? "create" : "upsert",
      ...given.flag("dry-run") && {
        dryRun: true
      }
    }));
    const lines = [
      "new",
      "changed",
      "same",
      "invalid"
    ].flatMap((what) => importLine(what, preview[what] ?? []));
    const isDry = given.flag("dry-run");
    return {
      json: preview,
      lines: isDry ? [
        "Nothing was changed.",
        ...lines
      ] : lines,
      ...preview.invalid?.length > 0 && {
        exitCode: EXIT.failed
      }
    };
  }
};
function prefixesOf(texts) {
  if (texts.length === 0) return void 0;
  return Object.fromEntries(texts.map((text2) => {
    const [, prefix, scope, owner] = /^([^=]+)=(global|function|group|key)(?::(.+))?$/.exec(text2) ?? [];
    if (prefix === void 0 || scope === "global" !== (owner === void 0)) {
      throw wrongUsage("--prefix must be PREFIX=SCOPE:OWNER, such as STAGING_=group:staging, or PREFIX=global.");
    }
    return [
      prefix,
      {
        scope,
        ...owner !== void 0 && {
          [`${scope}Id`]: owner
        }
      }
    ];
  }));
}
function importLine(what, found) {
  if (what === "invalid") return found.map(({ line, problem }) => `invalid: line ${line} ${problem}`);
  const names = found.map((one) => one.scope === "global" ? one.name : `${one.name} (${one.scope} ${one.scopeName})`);
  return [
    `${what}: ${names.join(", ") || "none"}`
  ];
}
var exportSecrets = {
  name: "secrets export",
  options: {
    ...OWNER_OPTIONS,
    format: {
      type: "string",
      value: "FORMAT",
      choices: FORMATS,
      help: "env, json or yaml; env by default"
    },
    output: {
      type: "string",
      short: "o",
      value: "PATH",
      help: "write a file that only you can read"
    }
  },
  help: [
    "Print the secrets of an owner with their values. The audit records it."
  ],
  async run(context, given) {
    const client = await context.connect();
    const { fields } = await ownerOf(client, given);
    const output = given.text("output");
    const format = formatOf(given.text("format"), output);
    const content = await sinceVersion("exporting secrets", () => exported(context, client, {
      ...fields,
      format
    }));
    if (output === void 0) return {
      json: {
        format,
        content
      },
      bytes: new TextEncoder().encode(content)
    };
    const path = resolve(context.cwd, output);
    try {
      writePrivateFile(path, content);
    } catch (error) {
      throw wrongUsage(`--output cannot be written: ${messageOf(error)}`);
    }
    return {
      json: {
        format,
        output: path
      },
      lines: [
        `The secrets are in ${path}.`
      ]
    };
  }
};
async function exported({ note }, client, query) {
  try {
    const response = await client.request("GET", "/api/secrets/export", {
      query
    });
    const unreadable = response.headers.get("x-unreadable-secrets");
    if (unreadable !== null) note(`Not exported, because the values cannot be read: ${unreadable}.`);
    return await response.text();
  } catch (error) {
    const { id, format } = error instanceof CrudeError ? error.details ?? {} : {};
    const isTakenForId = id !== void 0 || format === "is not a known parameter";
    throw isTakenForId ? new CrudeError("There is no export in the API.", {
      code: "NotFound"
    }) : error;
  }
}
async function confirmed({ terminal }, given, question) {
  if (given.flag("yes") || await terminal.confirm(question)) return;
  throw new CrudeError("Nothing was changed.", {
    code: "Declined"
  });
}
function readFile({ cwd }, path) {
  try {
    return readFileSync2(resolve(cwd, path));
  } catch (error) {
    throw wrongUsage(`${path} cannot be read: ${messageOf(error)}`);
  }
}
async function piped({ terminal }, what) {
  if (terminal.isInputTerminal) throw wrongUsage(`${what} is missing; without it, standard input is read.`);
  return await terminal.readInput();
}
async function readValue(context, given, name) {
  const file = given.text("file");
  const { terminal } = context;
  if (file === void 0 && terminal.isInputTerminal) return await terminal.askHidden(`Value of ${name}`);
  const text2 = decode(file === void 0 ? await terminal.readInput() : readFile(context, file));
  const value = given.flag("raw") ? text2 : text2.replace(/\r?\n$/, "");
  if (value === "") throw wrongUsage(`The value of ${name} is empty; it is read from standard input or --file.`);
  return value;
}
function decode(bytes) {
  try {
    return new TextDecoder("utf-8", {
      fatal: true,
      ignoreBOM: true
    }).decode(bytes);
  } catch {
    throw wrongUsage("The input is not text in UTF-8.");
  }
}
function formatOf(given, path) {
  if (given !== void 0) {
    if (FORMATS.some((format) => format === given)) return given;
    throw wrongUsage(`--format must be one of ${FORMATS.join(", ")}.`);
  }
  const [, ending] = /\.(json|ya?ml)$/.exec(path ?? "") ?? [];
  return ending === void 0 ? "env" : ending === "json" ? "json" : "yaml";
}
async function named(client, name) {
  try {
    return (await client.get(`/api/secrets/by-name/${encodeURIComponent(name)}`)).secrets;
  } catch (error) {
    if (error instanceof CrudeError && error.code === "NotFound") return [];
    throw error;
  }
}
var isOf = (owner) => (one) => one.scope === owner.scope && one.scopeId === owner.id;
async function find(client, name, owner) {
  return (await named(client, name)).find(isOf(owner));
}
async function required(client, name, owner) {
  const all = await named(client, name);
  const found = all.find(isOf(owner));
  if (found) return found;
  const others = all.map(ownerText).join(", ");
  const hint = others === "" ? "" : ` It is in ${count(all.length, "other scope")}: ${others}.`;
  throw new CrudeError(`There is no secret ${name} (${owner.label}).${hint}`, {
    code: "NotFound"
  });
}
var secretCommands = [
  list,
  set,
  get,
  remove,
  history,
  importSecrets,
  exportSecrets
];

// ../src/crude/commands/call.ts
var call = {
  name: "call",
  positionals: [
    {
      name: "NAME"
    },
    {
      name: "PATH",
      optional: true
    }
  ],
  options: {
    key: {
      type: "string",
      value: "GROUP/KEY",
      help: "the API key to call it with; the audit records that it was read"
    },
    data: {
      type: "string",
      short: "d",
      value: "DATA",
      help: "the body: text, @FILE, or @- for standard input"
    },
    method: {
      type: "string",
      short: "X",
      value: "METHOD",
      help: "by default the function's first, or one with a body"
    },
    header: {
      type: "string",
      short: "H",
      multiple: true,
      value: "NAME:VALUE",
      help: "a header; can be repeated"
    },
    param: {
      type: "string",
      short: "p",
      multiple: true,
      value: "NAME=VALUE",
      help: "a parameter of the route"
    },
    query: {
      type: "string",
      short: "q",
      multiple: true,
      value: "NAME=VALUE",
      help: "a parameter of the query"
    },
    include: {
      type: "boolean",
      short: "i",
      help: "print the status and the headers as well"
    }
  },
  help: [
    "Call a function and print the body of its response.",
    "PATH is what comes after /run, if --param cannot say it. Without --key, a function that is not public is called",
    "with the API key that you are signed in with. A status of 400 or more makes the exit code 1, or 4 for 401 and 403."
  ],
  async run(context, given) {
    const client = await context.connect();
    const found = await functionByName(client, given.at(0));
    const path = given.positionals[1] ?? fill(found.route, pairs(given, "param"));
    if (!path.startsWith("/")) throw wrongUsage('PATH must begin with "/".');
    const body = await dataOf(context, given.text("data"));
    const url = new URL(`/run${path}`, client.url);
    for (const [name, value] of pairs(given, "query")) url.searchParams.append(name, value);
    const response = await client.send(methodOf(given, found.methods, body), url.pathname + url.search, {
      headers: {
        ...headersOf(given, body),
        ...await keyHeader(client, given, found.keys.length === 0)
      },
      timeoutMs: null,
      ...body !== void 0 && {
        bytes: body
      }
    });
    if (response.status >= 400) context.note(`The function answered ${response.status}.`);
    return context.json ? await asJson(response) : await streamed(context, response, given.flag("include"));
  }
};
function pairs(given, option) {
  return given.texts(option).map((text2) => {
    const at = text2.indexOf("=");
    if (at < 1) throw wrongUsage(`--${option} must be NAME=VALUE.`);
    return [
      text2.slice(0, at),
      text2.slice(at + 1)
    ];
  });
}
function fill(route, params) {
  const values = new Map(params);
  const path = route.replace(/\/:(\w+)(?:\{[^}]*\})?(\?)?/g, (_, name, optional) => {
    const value = values.get(name);
    values.delete(name);
    if (value !== void 0) return `/${encodeURIComponent(value)}`;
    if (optional) return "";
    throw wrongUsage(`The route ${route} needs --param ${name}=VALUE.`);
  });
  const [unknown] = values.keys();
  if (unknown !== void 0) throw wrongUsage(`The route ${route} has no parameter "${unknown}".`);
  return path.replace(/\/\*$/, "/") || "/";
}
async function dataOf(context, data) {
  if (data === void 0) return void 0;
  if (data === "@-") return await context.terminal.readInput();
  return data.startsWith("@") ? readFile(context, data.slice(1)) : new TextEncoder().encode(data);
}
function methodOf(given, methods, body) {
  const wanted = given.text("method");
  if (wanted !== void 0) return wanted.toUpperCase();
  if (body === void 0) return methods[0] ?? "GET";
  return methods.find((method) => ![
    "GET",
    "HEAD"
  ].includes(method)) ?? "POST";
}
function headersOf(given, body) {
  const headers = {};
  if (body !== void 0 && isJson(body)) headers["Content-Type"] = "application/json";
  for (const text2 of given.texts("header")) {
    const at = text2.indexOf(":");
    if (at < 1) throw wrongUsage("--header must be NAME:VALUE.");
    const name = text2.slice(0, at).trim();
    if (/^(?:x-api-key|authorization|cookie)$/i.test(name)) {
      throw wrongUsage(`--header cannot be ${name}: credentials are not taken from arguments; use --key GROUP/KEY.`);
    }
    const same = Object.keys(headers).find((other) => other.toLowerCase() === name.toLowerCase());
    if (same) delete headers[same];
    headers[name] = text2.slice(at + 1).trim();
  }
  return headers;
}
function isJson(body) {
  try {
    JSON.parse(new TextDecoder("utf-8", {
      fatal: true
    }).decode(body));
    return true;
  } catch {
    return false;
  }
}
async function keyHeader(client, given, isPublic) {
  const name = given.text("key");
  if (name !== void 0) {
    requireSecure(client.url);
    const { id } = await keyByName(client, name, "--key");
    const { key } = await client.get(`/api/keys/${id}`, {
      includeValues: true
    });
    if (typeof key.value !== "string") throw new CrudeError(`The value of ${name} cannot be read.`);
    return {
      "X-API-Key": key.value
    };
  }
  if (isPublic) return {};
  if (client.credential?.kind === "key") return {
    "X-API-Key": client.credential.value
  };
  throw wrongUsage("This function needs an API key: add --key GROUP/KEY.");
}
function exitCodeOf2({ status }) {
  if (status < 400) return EXIT.ok;
  return status === 401 || status === 403 ? EXIT.denied : EXIT.failed;
}
async function asJson(response) {
  const { status, headers } = response;
  const bytes = new Uint8Array(await response.arrayBuffer().catch(brokeOff));
  return {
    json: {
      status,
      headers: Object.fromEntries(headers),
      ...bodyFields(bytes)
    },
    exitCode: exitCodeOf2(response)
  };
}
async function streamed({ write: write3 }, response, isHeadShown) {
  const { status, statusText, headers, body } = response;
  if (isHeadShown) {
    const lines = [
      ...headers
    ].map(([name, value]) => `${name}: ${visibleLine(value)}`);
    await write3(`${[
      `${status} ${statusText}`,
      ...lines
    ].join("\n")}

`);
  }
  const reader = body?.getReader();
  while (reader) {
    const { value, done } = await reader.read().catch(brokeOff);
    if (done) break;
    await write3(value);
  }
  return {
    json: {},
    exitCode: exitCodeOf2(response)
  };
}
function brokeOff(error) {
  throw new CrudeError(`The response broke off: ${messageOf(error)}`, {
    exitCode: EXIT.unreachable,
    code: "BrokeOff"
  });
}
function bodyFields(bytes) {
  try {
    return {
      body: new TextDecoder("utf-8", {
        fatal: true
      }).decode(bytes)
    };
  } catch {
    return {
      bodyBase64: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))
    };
  }
}
var callCommands = [
  call
];

// ../src/crude/commands/deploy.ts
const { existsSync, readFileSync: readFileSync4 } = await import("node:fs");
const { join: join3, resolve: resolve2 } = await import("node:path");

// ../src/crude/project/plan.ts
function isEmpty({ files, functions }) {
  return [
    files,
    functions
  ].every((one) => one.created.length + one.changed.length + one.deleted.length === 0);
}
function deletes({ files, functions }) {
  return files.deleted.length + functions.deleted.length;
}
function planLines({ files, functions }) {
  const lines = (what, { created, changed, deleted }) => [
    ...created.map((name) => `+ ${what}${visibleLine(name)}`),
    ...changed.map((name) => `~ ${what}${visibleLine(name)}`),
    ...deleted.map((name) => `- ${what}${visibleLine(name)}`)
  ];
  return [
    ...lines("", files),
    ...lines("function ", functions),
    `${count(files.unchanged, "file")} and ${count(functions.unchanged, "function")} unchanged.`
  ];
}
function problemLines(problems) {
  return problems.map(({ kind, function: name, file, line, message }) => {
    const place = file === void 0 ? "" : `${file}${line === void 0 ? "" : `:${line}`}: `;
    return `  ${visibleLine(place)}${name === void 0 ? "" : `${visibleLine(name)}: `}${message} (${kind})`;
  });
}

// ../src/crude/project/deployment.ts
var DEPLOY_TIMEOUT_MS = 15 * 6e4;
function dryRunResult({ plan, problems, warnings }) {
  return {
    json: {
      plan,
      problems,
      ...warnings && {
        warnings
      }
    },
    lines: [
      ...planLines(plan),
      ...problems.length > 0 ? [
        `${count(problems.length, "problem")}:`,
        ...problemLines(problems)
      ] : [],
      ...warningLines(warnings),
      "Nothing was changed."
    ],
    exitCode: problems.length > 0 ? EXIT.failed : EXIT.ok
  };
}
function warningLines(warnings) {
  if (!warnings || warnings.length === 0) return [];
  return [
    `${count(warnings.length, "warning")}:`,
    ...problemLines(warnings)
  ];
}
function withProblems(error) {
  if (!(error instanceof CrudeError && error.code === "DeploymentProblems")) return error;
  const { problems = [] } = error.details ?? {};
  const { exitCode, code, details } = error;
  return new CrudeError(error.message, {
    exitCode,
    code,
    details,
    lines: problemLines(problems)
  });
}

// ../src/crude/project/diff.ts
var CONTEXT_LINES = 3;
var DIFFERENCES_MAX = 2e3;
function unifiedDiff(path, before2, after) {
  const edits = editsOf(linesOf(before2), linesOf(after));
  if (!edits) return void 0;
  const lines = [
    `--- ${path} (server)`,
    `+++ ${path} (here)`
  ];
  for (const hunk of hunksOf(edits)) {
    const [first] = hunk;
    const size = (without) => hunk.filter(({ sign }) => sign !== without).length;
    lines.push(`@@ -${range(first.old, size("+"))} +${range(first.current, size("-"))} @@`);
    lines.push(...hunk.map(({ sign, line }) => sign + line));
  }
  return lines;
}
function range(start2, size) {
  return size === 1 ? String(start2) : `${size === 0 ? start2 - 1 : start2},${size}`;
}
function linesOf(text2) {
  if (text2 === "") return [];
  const lines = text2.split("\n");
  if (lines.at(-1) === "") lines.pop();
  else lines.push(`${lines.pop()}
\\ No newline at end of file`);
  return lines;
}
function hunksOf(edits) {
  const hunks = [];
  let end = -1;
  edits.forEach(({ sign }, at) => {
    if (sign === " ") return;
    const start2 = Math.max(at - CONTEXT_LINES, 0);
    if (start2 > end || hunks.length === 0) hunks.push([]);
    const from = hunks.at(-1).length === 0 ? start2 : end;
    end = Math.min(at + CONTEXT_LINES + 1, edits.length);
    hunks.at(-1).push(...edits.slice(from, end));
  });
  return hunks;
}
function editsOf(before2, after) {
  const reached = [];
  let furthest = /* @__PURE__ */ new Map([
    [
      1,
      0
    ]
  ]);
  for (let differences = 0; differences <= Math.min(before2.length + after.length, DIFFERENCES_MAX); differences++) {
    const next = /* @__PURE__ */ new Map();
    for (let diagonal = -differences; diagonal <= differences; diagonal += 2) {
      const [left, right] = [
        furthest.get(diagonal - 1) ?? -1,
        furthest.get(diagonal + 1) ?? -1
      ];
      let old = diagonal === -differences || diagonal !== differences && left < right ? right : left + 1;
      while (old < before2.length && old - diagonal < after.length && before2[old] === after[old - diagonal]) old++;
      next.set(diagonal, old);
      if (old >= before2.length && old - diagonal >= after.length) {
        return backwards(before2, after, [
          ...reached,
          furthest
        ]);
      }
    }
    reached.push(furthest);
    furthest = next;
  }
  return void 0;
}
function backwards(before2, after, reached) {
  const edits = [];
  let [old, current] = [
    before2.length,
    after.length
  ];
  const push = (sign, line) => edits.push({
    sign,
    line,
    old: old + 1,
    current: current + 1
  });
  for (let differences = reached.length - 1; differences >= 0; differences--) {
    const furthest = reached[differences];
    const diagonal = old - current;
    const [left, right] = [
      furthest.get(diagonal - 1) ?? -1,
      furthest.get(diagonal + 1) ?? -1
    ];
    const isInsertion = diagonal === -differences || diagonal !== differences && left < right;
    const from = isInsertion ? right : left;
    const [fromOld, fromCurrent] = [
      from,
      from - (isInsertion ? diagonal + 1 : diagonal - 1)
    ];
    while (old > Math.max(fromOld, 0) && current > Math.max(fromCurrent, 0)) {
      old--;
      current--;
      push(" ", before2[old]);
    }
    if (differences === 0) break;
    if (isInsertion) push("+", after[--current]);
    else push("-", before2[--old]);
  }
  return edits.reverse();
}

// ../src/crude/project/local_files.ts
const { createHash } = await import("node:crypto");
const { readdirSync, readFileSync: readFileSync3 } = await import("node:fs");
const { readFile: readFile2 } = await import("node:fs/promises");
const { join: join2 } = await import("node:path");

// ../src/crude/project/ignore.ts
var NEVER = /^(?:\.env.*|\.git|\.crude|\.crude-draft-.*|node_modules)$/i;
var IGNORE_FILE = ".crudeignore";
function isNeverUploaded(name) {
  return NEVER.test(name);
}
function parseIgnore(text2) {
  return text2.replace(/^\ufeff/, "").split(/\r?\n/).flatMap((line) => {
    let pattern = line.replace(/(?<!\\)[ \t]+$/, "");
    if (pattern === "" || pattern.startsWith("#")) return [];
    const isNegated = pattern.startsWith("!");
    if (isNegated) pattern = pattern.slice(1);
    const isForFolders = pattern.endsWith("/");
    if (isForFolders) pattern = pattern.slice(0, -1);
    const isAnchored = pattern.includes("/");
    if (pattern.startsWith("/")) pattern = pattern.slice(1);
    if (pattern === "") return [];
    return [
      {
        pattern: toRegExp(pattern, isAnchored),
        isNegated,
        isForFolders
      }
    ];
  });
}
function isIgnored(files, path, isFolder) {
  let ignored = false;
  for (const { folder, rules } of files) {
    const inside = path.slice(folder.length);
    for (const { pattern, isNegated, isForFolders } of rules) {
      if ((isFolder || !isForFolders) && pattern.test(inside)) ignored = !isNegated;
    }
  }
  return ignored;
}
function toRegExp(pattern, isAnchored) {
  let source = isAnchored ? "^" : "^(?:.*/)?";
  for (let at = 0; at < pattern.length; ) {
    const rest = pattern.slice(at);
    const [token, translated] = translate(rest, at === 0);
    source += translated;
    at += token.length;
  }
  return new RegExp(`${source}$`, "s");
}
function translate(rest, isFirst) {
  if (isFirst && rest.startsWith("**/")) return [
    "**/",
    "(?:.*/)?"
  ];
  if (rest.startsWith("/**/")) return [
    "/**/",
    "/(?:.*/)?"
  ];
  if (rest === "/**") return [
    "/**",
    "/.+"
  ];
  const [stars] = /^\*+/.exec(rest) ?? [];
  if (stars) return [
    stars,
    "[^/]*"
  ];
  if (rest.startsWith("?")) return [
    "?",
    "[^/]"
  ];
  const [set2, not, members] = /^\[([!^]?)(\]?[^\]]*)\]/.exec(rest) ?? [];
  if (set2 && members) return [
    set2,
    `(?![/])[${not ? "^" : ""}${members.replace(/[\\\[\]^]/g, "\\$&")}]`
  ];
  const quoted = /^\\(.)/su.exec(rest);
  const character = quoted?.[1] ?? String.fromCodePoint(rest.codePointAt(0));
  return [
    quoted?.[0] ?? character,
    character.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")
  ];
}

// ../src/crude/project/local_files.ts
var HASHED_AT_ONCE = 8;
async function readLocalFiles(dir) {
  const skipped = [];
  const paths = [];
  const walk = (folder, outer) => {
    const rules = [
      ...outer,
      {
        folder,
        rules: ignoreRules(join2(dir, folder))
      }
    ];
    for (const entry of entriesOf(join2(dir, folder))) {
      const path = folder + entry.name;
      if (isNeverUploaded(entry.name) || isIgnored(rules, path, entry.isDirectory())) continue;
      if (entry.isDirectory()) walk(`${path}/`, rules);
      else if (entry.isFile()) paths.push(path);
      else skipped.push(path);
    }
  };
  walk("", []);
  return {
    files: await mapSome(paths.sort(), HASHED_AT_ONCE, (path) => hashed(dir, path)),
    skipped
  };
}
async function contentOf({ path, absolute, sha256: sha2562 }) {
  const content = await readBytes(absolute);
  if (sha256Of(content) === sha2562) return content;
  throw new CrudeError(`${path} was changed while it was read. Run the command again.`, {
    code: "Changed"
  });
}
function sha256Of(content) {
  return createHash("sha256").update(content).digest("hex");
}
async function mapSome(items, atOnce, work) {
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]);
    }
  };
  await Promise.all(Array.from({
    length: Math.min(atOnce, items.length)
  }, worker));
  return results;
}
async function hashed(dir, path) {
  const absolute = join2(dir, path);
  const content = await readBytes(absolute);
  return {
    path,
    absolute,
    sha256: sha256Of(content),
    sizeBytes: content.length
  };
}
async function readBytes(absolute) {
  try {
    return await readFile2(absolute);
  } catch (error) {
    throw wrongUsage(`${absolute} cannot be read: ${messageOf(error)}`);
  }
}
function entriesOf(folder) {
  try {
    return readdirSync(folder, {
      withFileTypes: true
    });
  } catch (error) {
    throw wrongUsage(`${folder} cannot be read: ${messageOf(error)}`);
  }
}
function ignoreRules(folder) {
  try {
    return parseIgnore(readFileSync3(join2(folder, IGNORE_FILE), "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw wrongUsage(`${join2(folder, IGNORE_FILE)} cannot be read: ${messageOf(error)}`);
  }
}

// ../src/crude/commands/deploy.ts
var PROJECT_FILE = "crude.json";
var UPLOADED_AT_ONCE = 4;
var ATTEMPTS_MAX = 3;
var SHOWN_TEXT_MAX_BYTES = 256 * 1024;
var COMMON = {
  prune: {
    type: "boolean",
    help: "also delete files and functions that are not in the project"
  }
};
var deploy = {
  name: "deploy",
  positionals: [
    {
      name: "DIR",
      optional: true
    }
  ],
  options: {
    ...COMMON,
    "dry-run": {
      type: "boolean",
      help: "check everything and change nothing"
    },
    message: {
      type: "string",
      short: "m",
      value: "TEXT",
      help: "what was changed and why, for the history"
    },
    types: {
      type: "boolean",
      help: "check types as well, which takes some seconds for each function that changes"
    },
    force: {
      type: "boolean",
      help: "deploy in spite of problems that the server finds"
    },
    "if-version": {
      type: "string",
      value: "N",
      help: "only if the server's code is still this version"
    },
    yes: {
      type: "boolean",
      short: "y",
      help: "do not ask before deleting"
    }
  },
  help: [
    "Deploy the files of a folder, and the functions of its crude.json.",
    "All of it is in force at once, or nothing is. Only files that the server does not have are uploaded; .env*, .git,",
    "node_modules, .crude and what .crudeignore lists never are. Files that are not in the folder stay, unless --prune."
  ],
  async run(context, given) {
    const project = await readProject(context, given);
    const client = await context.connect();
    const message = given.text("message");
    const wanted = {
      ...project.request,
      ...given.flag("types") && {
        types: true
      },
      ...given.flag("force") && {
        force: true
      },
      ...message !== void 0 && {
        message
      },
      ...given.text("if-version") !== void 0 && {
        ifVersion: given.number("if-version", 0)
      }
    };
    if (given.flag("dry-run")) return dryRunResult(await dryRun(context, client, project, wanted));
    if (given.flag("prune") && !given.flag("yes")) {
      const { plan: plan2 } = await dryRun(context, client, project, wanted);
      if (deletes(plan2) > 0) await confirmPlan(context, plan2);
    }
    const { deployment, warnings } = await send(context, client, project, wanted);
    const { id, version, plan } = deployment;
    return {
      json: {
        deployment,
        ...warnings && {
          warnings
        }
      },
      lines: [
        ...planLines(plan),
        ...warningLines(warnings),
        isEmpty(plan) ? "Nothing had to be changed." : `Deployed as ${id}, version ${version} of the code.`
      ]
    };
  }
};
var diff = {
  name: "diff",
  positionals: [
    {
      name: "DIR",
      optional: true
    }
  ],
  options: COMMON,
  help: [
    "Show what deploy would change: which files and functions, and the lines of files that are text.",
    "Files that the server does not have are uploaded for it, but not deployed."
  ],
  async run(context, given) {
    const project = await readProject(context, given);
    const client = await context.connect();
    const { plan, problems, warnings } = await dryRun(context, client, project, project.request);
    const texts = await mapSome(plan.files.changed, UPLOADED_AT_ONCE, (path) => fileDiff(client, project, path));
    return {
      json: {
        plan,
        problems,
        ...warnings && {
          warnings
        },
        diffs: texts.map(({ json: json2 }) => json2)
      },
      lines: [
        ...planLines(plan),
        ...texts.flatMap(({ lines }) => [
          "",
          ...lines
        ])
      ]
    };
  }
};
async function readProject(context, given) {
  const dir = resolve2(context.cwd, given.positionals[0] ?? ".");
  if (!existsSync(dir)) throw wrongUsage(`There is no folder ${dir}.`);
  const functions = functionsOf(join3(dir, PROJECT_FILE));
  const { files, skipped } = await readLocalFiles(dir);
  for (const path of skipped) context.note(`${visible(path)} is a link or no file, and is left out.`);
  if (!functions) context.note(`There is no ${PROJECT_FILE}: functions stay as they are.`);
  return {
    dir,
    files,
    request: {
      // A path such as "__proto__" is one like any other.
      files: Object.fromEntries(files.map(({ path, sha256: sha2562 }) => [
        path,
        sha2562
      ])),
      ...functions && {
        functions
      },
      ...given.flag("prune") && {
        prune: true
      }
    }
  };
}
function functionsOf(path) {
  if (!existsSync(path)) return void 0;
  try {
    const { functions } = JSON.parse(readFileSync4(path, "utf8").replace(/^\ufeff/, ""));
    if (typeof functions === "object" && functions !== null) return functions;
  } catch (error) {
    throw wrongUsage(`${path} cannot be read: ${messageOf(error)}`);
  }
  throw wrongUsage(`${path} has no "functions".`);
}
async function dryRun(context, client, project, wanted) {
  return await send(context, client, project, {
    ...wanted,
    dryRun: true
  });
}
async function send(context, client, project, wanted) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await sinceVersion("deployments", () => context.terminal.waiting("Deploying", () => client.post("/api/deployments", wanted, {
        timeoutMs: DEPLOY_TIMEOUT_MS
      })));
    } catch (error) {
      if (!(error instanceof CrudeError)) throw error;
      if (error.code !== "MissingBlobs" || attempt === ATTEMPTS_MAX) throw withProblems(error);
      const { missing: missing2 } = error.details;
      await upload(context, client, project, new Set(missing2));
    }
  }
}
async function upload(context, client, { files }, missing2) {
  const wanted = files.filter(({ sha256: sha2562 }) => missing2.delete(sha2562));
  const totalBytes = wanted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  context.terminal.progress("Uploading", 0, totalBytes, "bytes");
  await mapSome(wanted, UPLOADED_AT_ONCE, async (file) => {
    const response = await client.request("PUT", `/api/blobs/${file.sha256}`, {
      bytes: await contentOf(file),
      headers: {
        "Content-Type": "application/octet-stream"
      },
      timeoutMs: DEPLOY_TIMEOUT_MS
    });
    await response.body?.cancel();
    doneBytes += file.sizeBytes;
    context.terminal.progress("Uploading", doneBytes, totalBytes, "bytes");
  });
  context.terminal.progress("Uploading", 1, 1);
}
async function confirmPlan(context, plan) {
  for (const line of planLines(plan)) context.note(line);
  const files = count(plan.files.deleted.length, "file");
  const functions = count(plan.functions.deleted.length, "function");
  if (await context.terminal.confirm(`Delete ${files} and ${functions}?`)) return;
  throw new CrudeError("Nothing was changed.", {
    code: "Declined"
  });
}
async function fileDiff(client, { files }, path) {
  const file = files.find((one) => one.path === path);
  const [old, current] = [
    await serverFile(client, path),
    await contentOf(file)
  ];
  const [before2, after] = [
    asText(old),
    asText(current)
  ];
  const lines = before2 === void 0 || after === void 0 ? void 0 : unifiedDiff(path, before2, after);
  return {
    json: {
      path,
      diff: lines ? `${lines.join("\n")}
` : null
    },
    lines: lines?.map(visible) ?? [
      `${path} differs (no text, or too long to compare)`
    ]
  };
}
async function serverFile(client, path) {
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  const response = await client.request("GET", `/api/files/${encoded}`);
  return new Uint8Array(await response.arrayBuffer());
}
function asText(content) {
  if (content.length > SHOWN_TEXT_MAX_BYTES || content.includes(0)) return void 0;
  try {
    return new TextDecoder("utf-8", {
      fatal: true
    }).decode(content);
  } catch {
    return void 0;
  }
}
var deployCommands = [
  deploy,
  diff
];

// ../src/crude/commands/dev.ts
const { existsSync: existsSync2, readFileSync: readFileSync5 } = await import("node:fs");
const { join: join4, resolve: resolve3 } = await import("node:path");
var PORT = 8e3;
var NPX = [
  "npx",
  "-y"
];
var devCommand = {
  name: "dev",
  positionals: [
    {
      name: "DIR",
      optional: true
    }
  ],
  options: {
    port: {
      type: "string",
      value: "NUMBER",
      help: `where it listens, on this machine only (${PORT})`
    }
  },
  help: [
    "Run a project on this machine, with the server itself.",
    "Files are used as they are saved. Secrets come from .env, .env.function.NAME, .env.group.NAME and .env.key.NAME,",
    "data is in .crude. CRUDE_HOME is the folder of Crude Functions, which `deno task crude` knows without it."
  ],
  async run(context, given) {
    if (context.json) throw wrongUsage("dev prints no JSON.");
    const port = given.number("port", 0) ?? PORT;
    const folder = resolve3(context.cwd, given.positionals[0] ?? ".");
    if (!existsSync2(folder)) throw wrongUsage(`There is no folder ${folder}.`);
    const home = homeOf(context);
    const [program, ...args] = commandOf(home, context);
    const code = await context.runProgram(program, [
      ...args,
      join4(home, "src", "dev", "main.ts"),
      folder,
      `${port}`
    ]);
    if (code !== 0) throw new CrudeError("It ended with an error.", {
      exitCode: EXIT.failed
    });
    return void 0;
  }
};
var devCommands = [
  devCommand
];
function homeOf({ env, home, version, note }) {
  const folder = env("CRUDE_HOME") ?? home;
  if (folder === void 0) {
    throw wrongUsage(`dev runs the server itself, which is not in this file: set CRUDE_HOME to a folder of Crude Functions ${version}, or run \`deno task crude dev\` there.`);
  }
  const manifest = manifestOf(folder);
  if (manifest.version !== version) {
    note(`The program in ${folder} has version ${manifest.version}, this command line ${version}.`);
  }
  return folder;
}
function manifestOf(folder) {
  try {
    return JSON.parse(readFileSync5(join4(folder, "deno.json"), "utf8"));
  } catch {
    throw wrongUsage(`CRUDE_HOME: ${folder} is not a folder of Crude Functions.`);
  }
}
function commandOf(home, { env, deno }) {
  const [, ...words] = manifestOf(home).tasks.start.split(" ");
  const options = [
    ...words.filter((word) => word !== "main.ts"),
    "--no-prompt",
    "--config",
    join4(home, "deno.json")
  ];
  if (deno !== void 0) return [
    deno,
    ...options
  ];
  const isThere = (env("PATH") ?? "").split(":").some((folder) => existsSync2(join4(folder, "deno")));
  return [
    ...isThere ? [
      "deno"
    ] : [
      ...NPX,
      "deno"
    ],
    ...options
  ];
}

// ../src/crude/base/browser.ts
const { spawn } = await import("node:child_process");
const { platform } = await import("node:os");
function openInBrowser(url) {
  const commands = {
    darwin: [
      "open",
      url
    ],
    win32: [
      "rundll32",
      "url.dll,FileProtocolHandler",
      url
    ]
  };
  const [program, ...args] = commands[platform()] ?? [
    "xdg-open",
    url
  ];
  try {
    const child = spawn(program, args, {
      stdio: "ignore",
      detached: true
    });
    child.on("error", () => {
    });
    child.unref();
  } catch {
  }
}

// ../src/crude/commands/functions.ts
function callers({ keys }, known) {
  if (keys.length === 0) return "public";
  return keys.map((id) => known.find((group) => group.id === id)?.name ?? String(id)).join(", ");
}
var list2 = {
  name: "functions list",
  help: [
    "List functions: their routes, who may call them, and their state."
  ],
  async run(context) {
    const client = await context.connect();
    const [{ functions }, known] = [
      await client.get("/api/functions"),
      await groups(client)
    ];
    const rows = functions.map((one) => [
      one.name,
      one.methods.join(","),
      `/run${one.route}`,
      callers(one, known),
      one.state,
      one.handler
    ]);
    const lines = table([
      "NAME",
      "METHODS",
      "PATH",
      "CALLERS",
      "STATE",
      "HANDLER"
    ], rows);
    return {
      json: {
        functions
      },
      lines: rows.length > 0 ? lines : [
        "There are no functions."
      ]
    };
  }
};
var show = {
  name: "functions show",
  positionals: [
    {
      name: "NAME"
    }
  ],
  help: [
    "Show everything about a function."
  ],
  async run(context, given) {
    const client = await context.connect();
    const found = await functionByName(client, given.at(0));
    const known = await groups(client);
    const facts = Object.entries({
      ...found,
      callers: callers(found, known)
    }).filter(([name]) => name !== "keys").map(([name, value]) => [
      name,
      typeof value === "string" ? value : JSON.stringify(value)
    ]);
    const width = Math.max(...facts.map(([name]) => name.length));
    return {
      json: {
        function: found
      },
      lines: facts.map(([name, value]) => `${name.padEnd(width)}  ${visible(value ?? "")}`)
    };
  }
};
var NARROWED = [
  "secrets",
  "permissions",
  "memoryMb",
  "timeoutMs"
];
var suggest = {
  name: "functions suggest",
  positionals: [
    {
      name: "NAME"
    }
  ],
  options: {
    days: {
      type: "string",
      value: "N",
      help: "how many days are looked at, today included (30)"
    }
  },
  help: [
    "Show what a function may do, and the narrower rights and limits that its calls needed."
  ],
  async run(context, given) {
    const client = await context.connect();
    const found = await functionByName(client, given.at(0));
    const days = given.number("days") ?? 30;
    const suggestion = await client.get(`/api/functions/${found.id}/suggestions?days=${days}`);
    const shown = (value) => value === null ? "as in the settings" : visible(JSON.stringify(value));
    const rows = NARROWED.map((name) => [
      name,
      shown(found[name]),
      shown(suggestion[name])
    ]);
    const { calls, since, connections } = suggestion;
    const hosts = (connections ?? []).map(({ host, checks }) => [
      host,
      String(checks)
    ]);
    return {
      json: suggestion,
      lines: [
        `From ${calls} call${calls === 1 ? "" : "s"} since ${since}.`,
        ...table([
          "SETTING",
          "NOW",
          "PROPOSED"
        ], rows),
        ...hosts.length > 0 ? table([
          "HOST",
          "CHECKS"
        ], hosts) : []
      ]
    };
  }
};
var packages = {
  name: "packages",
  help: [
    "List the packages that functions use, with their versions."
  ],
  async run(context) {
    const { packages: packages2 } = await (await context.connect()).get("/api/packages");
    const rows = packages2.flatMap(({ name, versions }) => versions.map(({ version, functions }) => [
      name,
      version,
      functions.map((one) => one.name).join(", ")
    ]));
    const lines = table([
      "PACKAGE",
      "VERSION",
      "FUNCTIONS"
    ], rows);
    return {
      json: {
        packages: packages2
      },
      lines: rows.length > 0 ? lines : [
        "No function uses a package."
      ]
    };
  }
};
var open = {
  name: "open",
  positionals: [
    {
      name: "FUNCTION",
      optional: true
    }
  ],
  options: {
    print: {
      type: "boolean",
      help: "print the address instead of opening it"
    }
  },
  help: [
    "Open the admin pages, or the page of a function, in the browser."
  ],
  async run(context, given) {
    const client = await context.connect();
    const [name] = given.positionals;
    const url = name === void 0 ? `${client.url}/web` : `${client.url}/web/functions/${(await functionByName(client, name)).id}`;
    if (!given.flag("print") && !context.json) openInBrowser(url);
    return {
      json: {
        url
      },
      lines: [
        url
      ]
    };
  }
};
var functionCommands = [
  list2,
  show,
  suggest,
  packages,
  open
];

// ../src/crude/commands/keys.ts
var list3 = {
  name: "keys list",
  options: {
    group: {
      type: "string",
      value: "GROUP",
      help: "only the keys of this group"
    }
  },
  help: [
    "List API keys, without their values."
  ],
  async run(context, given) {
    const client = await context.connect();
    const group = given.text("group");
    const groupId = group === void 0 ? void 0 : (await groupByName(client, group)).id;
    const { keys } = await client.get("/api/keys", {
      groupId
    });
    const rows = keys.map((key) => [
      `${key.groupName}/${key.name}`,
      key.preview ?? "unreadable",
      key.createdAt,
      key.lastUsedAt ?? "never",
      key.expiresAt ?? "never",
      key.description
    ]);
    return {
      json: {
        keys
      },
      lines: rows.length > 0 ? table([
        "KEY",
        "ENDS WITH",
        "CREATED",
        "LAST USED",
        "EXPIRES",
        "DESCRIPTION"
      ], rows) : [
        "There are no API keys."
      ]
    };
  }
};
var WHEN = "30d, 12h, 2027-01-31, 2027-01-31T12:00:00Z or never";
var expires = (help2) => ({
  expires: {
    type: "string",
    value: "WHEN",
    help: `${help2}: ${WHEN}`
  }
});
var create = {
  name: "keys create",
  positionals: [
    {
      name: "GROUP/KEY"
    }
  ],
  options: {
    description: {
      type: "string",
      value: "TEXT",
      help: "what the key is for"
    },
    ...expires("when it expires"),
    "create-group": {
      type: "boolean",
      help: "create the group if there is none"
    }
  },
  help: [
    "Create an API key and print its value.",
    "Only the value is printed on standard output, and only this once."
  ],
  async run(context, given) {
    const { group, key } = splitKey(given.at(0), "GROUP/KEY");
    const expiry = expiryOf(given.text("expires"), "--expires");
    const client = await context.connect();
    const known = (await groups(client)).find(({ name }) => name === group);
    const { id: groupId } = known ?? (given.flag("create-group") ? await client.post("/api/key-groups", {
      name: group
    }) : await groupByName(client, group));
    const description = given.text("description");
    const { id, value } = await client.post("/api/keys", {
      groupId,
      name: key,
      ...description !== void 0 && {
        description
      },
      ...expiry
    });
    context.note(`${group}/${key} was created. Its value is not shown again:`);
    return {
      json: {
        id,
        name: key,
        group,
        value
      },
      lines: [
        value
      ]
    };
  }
};
var revoke = {
  name: "keys revoke",
  positionals: [
    {
      name: "GROUP/KEY"
    }
  ],
  options: {
    yes: {
      type: "boolean",
      short: "y",
      help: "do not ask"
    },
    previous: {
      type: "boolean",
      help: "only the value that the key had before it was rolled"
    }
  },
  help: [
    "Revoke an API key and delete its secrets."
  ],
  async run(context, given) {
    const name = given.at(0);
    const onlyPrevious = given.flag("previous");
    const client = await context.connect();
    const { id } = await keyByName(client, name, "GROUP/KEY");
    const what = onlyPrevious ? `the previous value of ${name}` : name;
    await confirmed(context, given, `Revoke ${what}${onlyPrevious ? "" : " and delete its secrets"}?`);
    await client.delete(`/api/keys/${id}${onlyPrevious ? "/previous-value" : ""}`);
    return {
      json: {
        id,
        key: name,
        done: "revoked"
      },
      lines: [
        `${capitalized(what)} was revoked.`
      ]
    };
  }
};
var DEFAULT_GRACE = "24h";
var roll = {
  name: "keys roll",
  positionals: [
    {
      name: "GROUP/KEY"
    }
  ],
  options: {
    grace: {
      type: "string",
      value: "TIME",
      help: `how long the old value works on: 0, 30m, 24h or 7d (default ${DEFAULT_GRACE})`
    },
    ...expires("when the key expires from now on"),
    yes: {
      type: "boolean",
      short: "y",
      help: "the same as --grace 0"
    }
  },
  help: [
    "Give an API key a new value. Its name, its group and its secrets stay.",
    "Only the new value is printed on standard output, and only this once."
  ],
  async run(context, given) {
    const name = given.at(0);
    const graceSeconds = given.flag("yes") ? 0 : secondsOf(given.text("grace") ?? DEFAULT_GRACE);
    const expiry = expiryOf(given.text("expires"), "--expires");
    const client = await context.connect();
    const { id } = await keyByName(client, name, "GROUP/KEY");
    const { value, previousValueUntil } = await client.post(`/api/keys/${id}/roll`, {
      graceSeconds,
      ...expiry
    });
    const { group, key } = splitKey(name, "GROUP/KEY");
    context.note(`${name} has a new value, which is not shown again.`);
    context.note(previousValueUntil === null ? "The old one is no longer accepted." : `The old one is accepted until ${previousValueUntil}. To end it earlier: crude keys revoke ${name} --previous`);
    return {
      json: {
        id,
        name: key,
        group,
        value,
        previousValueUntil
      },
      lines: [
        value
      ]
    };
  }
};
var expire = {
  name: "keys expire",
  positionals: [
    {
      name: "GROUP/KEY"
    },
    {
      name: "WHEN"
    }
  ],
  help: [
    "Set when an API key expires, and is refused from then on.",
    `WHEN is ${WHEN}.`
  ],
  async run(context, given) {
    const name = given.at(0);
    const { expiresAt } = expiryOf(given.at(1), "WHEN");
    const client = await context.connect();
    const { id } = await keyByName(client, name, "GROUP/KEY");
    await client.put(`/api/keys/${id}`, {
      expiresAt
    });
    const line = expiresAt === null ? `${name} never expires.` : `${name} expires at ${expiresAt}.`;
    return {
      json: {
        id,
        key: name,
        expiresAt
      },
      lines: [
        line
      ]
    };
  }
};
var HOUR_MS = 36e5;
var DURATION_MS = {
  h: HOUR_MS,
  d: 24 * HOUR_MS
};
function expiryOf(text2, what) {
  if (text2 === void 0) return void 0;
  if (text2 === "never") return {
    expiresAt: null
  };
  const [, digits, unit] = /^([1-9]\d{0,5})([hd])$/.exec(text2) ?? [];
  if (digits !== void 0) {
    return {
      expiresAt: new Date(Date.now() + Number(digits) * DURATION_MS[unit]).toISOString()
    };
  }
  if (/^\d{4}-\d\d-\d\d$/.test(text2)) return {
    expiresAt: `${text2}T00:00:00Z`
  };
  if (/^\d{4}-\d\d-\d\dT/.test(text2)) return {
    expiresAt: text2
  };
  throw wrongUsage(`${what} must be ${WHEN}.`);
}
var UNIT_SECONDS = {
  "": 1,
  s: 1,
  m: 60,
  h: 3600,
  d: 86400
};
function secondsOf(text2) {
  const [, digits, unit] = /^(\d{1,9})([smhd]?)$/.exec(text2) ?? [];
  if (digits === void 0) throw wrongUsage("--grace must be 0 or a duration such as 30m, 24h or 7d.");
  return Number(digits) * UNIT_SECONDS[unit];
}
function capitalized(text2) {
  return text2.startsWith("the ") ? `T${text2.slice(1)}` : text2;
}
var keyCommands = [
  list3,
  create,
  revoke,
  roll,
  expire
];

// ../src/crude/commands/logs.ts
var LIMIT = 100;
var FOLLOWED_LIMIT = 10;
var LIMIT_MAX = 1e3;
var RECONNECT_MS = 1e3;
var RECONNECT_MAX_MS = 3e4;
var SILENCE_MAX_MS = 6e4;
var NODE_SHOWN_LENGTH = 8;
var LEVELS = [
  "debug",
  "info",
  "warn",
  "error"
];
var logs = {
  name: "logs",
  options: {
    follow: {
      type: "boolean",
      short: "f",
      help: "continue with what is logged from now on"
    },
    function: {
      type: "string",
      value: "NAME",
      help: "only of this function"
    },
    key: {
      type: "string",
      value: "GROUP/KEY",
      help: "only of calls that this API key admitted; also its id"
    },
    level: {
      type: "string",
      value: "LEVEL",
      choices: LEVELS,
      help: "this level and more severe ones"
    },
    request: {
      type: "string",
      value: "ID",
      help: "only of the call with this X-Request-Id"
    },
    search: {
      type: "string",
      value: "WORDS",
      help: "only messages with these words"
    },
    limit: {
      type: "string",
      short: "n",
      value: "N",
      help: `how many; ${LIMIT} by default`
    }
  },
  help: [
    "Print the log of functions, the oldest entry first.",
    "--follow with --json prints one object a line."
  ],
  async run(context, given) {
    const client = await context.connect();
    const isFollowed = given.flag("follow");
    const filter = await filterOf(client, given);
    const limit = Math.min(given.number("limit") ?? (isFollowed ? FOLLOWED_LIMIT : LIMIT), LIMIT_MAX);
    const begin = isFollowed ? await newest(client) : "";
    const { logs: logs2, newest: last, silentNodes } = await client.get("/api/logs", {
      ...filter,
      limit
    });
    if (silentNodes !== void 0) nodesNote(context, silentNodes);
    const entries = logs2.toReversed();
    const names = await functionNames(client);
    if (!isFollowed) return {
      json: {
        logs: entries
      },
      lines: entries.map((entry) => text(entry, names))
    };
    const print2 = (entry) => context.write(`${context.json ? JSON.stringify(entry) : text(entry, names)}
`);
    for (const entry of entries) await print2(entry);
    return await follow({
      context,
      client,
      filter,
      last: String(last ?? entries.at(-1)?.id ?? begin),
      print: print2
    });
  }
};
async function filterOf(client, given) {
  const name = given.text("function");
  return {
    functionId: name === void 0 ? void 0 : (await functionByName(client, name)).id,
    key: given.text("key"),
    level: given.text("level"),
    requestId: given.text("request"),
    search: given.text("search")
  };
}
async function newest(client) {
  const { logs: logs2, newest: newest2 } = await client.get("/api/logs", {
    limit: 1
  });
  return String(newest2 ?? logs2[0]?.id ?? 0);
}
function nodesNote(context, silent) {
  for (const { error } of silent) context.note(`Entries are missing. ${error}`);
}
async function functionNames(client) {
  const { functions } = await client.get("/api/functions");
  return new Map(functions.map(({ id, name }) => [
    id,
    name
  ]));
}
function text({ at, level, functionId, requestId, message, event, node }, names) {
  const name = names.get(functionId) ?? `#${functionId}`;
  const call3 = requestId === null ? "" : ` ${requestId.slice(0, 8)}`;
  const where = node === void 0 ? "" : ` @${node.slice(0, NODE_SHOWN_LENGTH)}`;
  const shown = event === "print" ? message : `${event}: ${message}`;
  return `${at} ${level.toUpperCase().padEnd(5)} ${name}${where}${call3} ${visible(shown).replaceAll("\n", "\n    ")}`;
}
async function follow(following) {
  let waitMs = RECONNECT_MS;
  while (true) {
    try {
      await readStream(following, () => waitMs = RECONNECT_MS);
    } catch (error) {
      if (isUnknownEndpoint(error) || !isTransient(error)) throw error;
      following.context.note(`${error.message} Trying again in ${waitMs / 1e3} s.`);
    }
    await new Promise((resolve6) => setTimeout(resolve6, waitMs));
    waitMs = Math.min(waitMs * 2, RECONNECT_MAX_MS);
  }
}
function isTransient(error) {
  return error instanceof CrudeError && (error.exitCode === EXIT.unreachable || /^(?:Stopping|TooMany)/.test(error.code));
}
async function readStream(following, onEvent) {
  const { client, filter, last } = following;
  const silence = new AbortController();
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MAX_MS);
  };
  const { body } = await client.request("GET", "/api/logs/stream", {
    query: {
      ...filter,
      since: last
    },
    timeoutMs: null
  });
  silence.signal.addEventListener("abort", () => void reader.cancel(), {
    once: true
  });
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    heard();
    while (true) {
      const { value, done } = await reader.read();
      if (done) return;
      heard();
      onEvent();
      const events = (rest + decoder.decode(value, {
        stream: true
      })).split("\n\n");
      rest = events.pop();
      for (const event of events) await take(event, following);
    }
  } catch (error) {
    throw error instanceof CrudeError ? error : unreachable(client.url, error);
  } finally {
    clearTimeout(timer);
  }
}
async function take(event, following) {
  const field = (name) => event.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const data = field("data");
  if (data === void 0) return;
  if (field("event") === "lost") {
    const { lines } = JSON.parse(data);
    following.context.note(lines === null ? "Entries were skipped." : `${count(lines, "entry", "entries")} skipped.`);
    return;
  }
  if (field("event") === "nodes") {
    nodesNote(following.context, JSON.parse(data).silent);
    return;
  }
  const entry = JSON.parse(data);
  following.last = field("id") ?? String(entry.id);
  await following.print(entry);
}
var logCommands = [
  logs
];

// ../src/crude/commands/project.ts
const { existsSync: existsSync3, mkdirSync: mkdirSync2, readFileSync: readFileSync6, writeFileSync: writeFileSync2 } = await import("node:fs");
const { join: join5, relative, resolve: resolve4 } = await import("node:path");

// ../src/crude/project/files/crude.d.ts.txt
var crude_d_ts_default = '// Types of handlers, written by "crude types". Run it again after adding a secret; do not edit.\n// deno-fmt-ignore-file\n// deno-lint-ignore-file\n\nimport type { Context as HonoContext } from "{{hono}}";\n\n/** Names of the secrets that exist. Other names are accepted as well: a secret may be added later. */\nexport type SecretName =\n{{names}}  | (string & {});\n\nexport type Scope = "key" | "group" | "function" | "global";\n\n/** All values of one name that the call may read. */\nexport interface CompleteSecret {\n  global?: string;\n  function?: string;\n  group?: { value: string; groupId: number; groupName: string };\n  key?: { value: string; groupId: number; groupName: string; keyId: number; keyName: string };\n  /** By scope, why a stored value could not be read. */\n  decryptionErrors?: { [scope in Scope]?: string };\n}\n\n/** Which value getSecret gives. */\nexport interface SecretOptions {\n  scope?: Scope;\n  /** The value before the current one, while it still counts after a rotation. */\n  version?: "previous";\n}\n\n/** A value of a secret that counts. */\nexport interface SecretVersion {\n  /** From 1. */\n  version: number;\n  value: string;\n  current: boolean;\n  /** Until when an earlier value counts. */\n  until?: Date;\n}\n\nexport interface RouteInfo {\n  readonly name: string;\n  readonly description: string;\n  readonly handler: string;\n  readonly route: string;\n  readonly methods: readonly string[];\n  /** Ids of the key groups whose keys may call the function; empty if it is public. */\n  readonly keys: readonly number[];\n}\n\n/** The second argument of a handler. */\nexport interface FunctionContext {\n  readonly route: RouteInfo;\n  /** Parameters of the route, decoded. */\n  readonly params: Record<string, string>;\n  /** Parameters of the query, decoded. Of repeated ones, the first. */\n  readonly query: Record<string, string>;\n  /** A UUID, the same as in the response\'s `X-Request-Id`. */\n  readonly requestId: string;\n  readonly requestedAt: Date;\n  /** The name of the group whose key admitted the call; undefined for a public function. */\n  readonly authenticatedKeyGroup: string | undefined;\n  /**\n   * Resolves with the value of the first scope that has the name (key, group, function, global), or of `scope` only;\n   * undefined if there is none.\n   */\n  getSecret(name: SecretName, scope?: Scope | SecretOptions): Promise<string | undefined>;\n  /**\n   * Resolves with the value that getSecret gives and those before it that still count after a rotation, newest first;\n   * undefined if there is none.\n   */\n  getSecretVersions(name: SecretName): Promise<SecretVersion[] | undefined>;\n  /** Resolves with all values of the name that the call may read, or undefined. */\n  getCompleteSecret(name: SecretName): Promise<CompleteSecret | undefined>;\n  /** Keeps the call alive after the response until `promise` settles, within the function\'s time limit. */\n  waitUntil(promise: PromiseLike<unknown>): void;\n  /** Does nothing. For apps written for Cloudflare. */\n  passThroughOnException(): void;\n}\n\n/** What an app finds its context in: `c.get("ctx")` and `c.env.ctx`. */\nexport interface Env {\n  Bindings: { ctx: FunctionContext };\n  Variables: { ctx: FunctionContext };\n}\n\n/** The first argument of a handler: Hono\'s context. */\nexport type Context = HonoContext<Env>;\n\n/** A module\'s default export that answers requests. */\nexport type Handler = (c: Context, ctx: FunctionContext) => Response | Promise<Response>;\n';

// ../src/crude/project/files/crude_testing.ts.txt
var crude_testing_ts_default = `// Calls a handler in a test as the server does, written by "crude types"; do not edit.
// deno-fmt-ignore-file
// deno-lint-ignore-file

import { Hono } from "{{hono}}";
import type { CompleteSecret, Env, FunctionContext, Handler, Scope } from "./crude.d.ts";

/** A module's default export: a handler, or an app with a \`fetch\` method. */
type Exported =
  | Handler
  // Handlers without types.
  | ((c: any, ctx: any) => Response | Promise<Response>)
  | { fetch(request: Request, env: any, ctx: any): Response | Promise<Response> };

export interface Call {
  /** The function's route, such as "/hello/:name"; "/*" by default. */
  route?: string;
  /** The path of the request after /run, such as "/hello/ada?loud=1"; "/" by default. */
  path?: string;
  method?: string;
  headers?: HeadersInit;
  /** Text, bytes and forms are sent as they are, objects as JSON. */
  body?: unknown;
  /** Values by the names of secrets, all in the scope "global"; or by scope. */
  secrets?: Record<string, string | Partial<Record<Scope, string>>>;
  /** Earlier values that still count after a rotation, by the names of secrets, newest first. */
  previousSecrets?: Record<string, string[]>;
  /** The group of the caller's key. */
  group?: string;
  /** The name of the caller's key. */
  key?: string;
}

/** Calls a handler and waits for its response and for the promises that it gave to \`waitUntil\`. */
export async function call(exported: Exported, given: Call = {}): Promise<Response> {
  const app = new Hono<Env>();
  const background: PromiseLike<unknown>[] = [];
  const route = given.route ?? "/*";
  app.all(route, async (c) => {
    const ctx = createContext({ ...given, params: c.req.param(), query: c.req.query() }, background);
    c.set("ctx", ctx);
    if (typeof exported === "function") return await exported(c, ctx);
    return await exported.fetch(mounted(c.req.raw, route), { ctx }, ctx);
  });
  app.onError((error) => {
    throw error;
  });
  const { headers, body } = encode(given);
  const response = await app.request(given.path ?? "/", { method: given.method ?? "GET", headers, body });
  await Promise.all(background);
  return response;
}

/** Creates the second argument of a handler. */
export function createContext(
  given: Call & { params?: Record<string, string>; query?: Record<string, string> } = {},
  background: PromiseLike<unknown>[] = [],
): FunctionContext {
  const { params = {}, query = {}, secrets = {}, previousSecrets = {}, group, key } = given;
  const values = (name: string): Partial<Record<Scope, string>> => {
    const value = Object.hasOwn(secrets, name) ? secrets[name]! : {};
    return typeof value === "string" ? { global: value } : value;
  };
  const winner = (name: string): string | undefined => {
    const found = values(name);
    return found.key ?? found.group ?? found.function ?? found.global;
  };
  const previous = (name: string): string[] => Object.hasOwn(previousSecrets, name) ? previousSecrets[name]! : [];
  return {
    route: {
      name: "test",
      description: "",
      handler: "test.ts",
      route: given.route ?? "/*",
      methods: [given.method ?? "GET"],
      keys: group === undefined ? [] : [1],
    },
    params,
    query,
    requestId: crypto.randomUUID(),
    requestedAt: new Date(),
    authenticatedKeyGroup: group,
    getSecret: (name, options) => {
      const { scope, version } = typeof options === "object" ? options : { scope: options, version: undefined };
      const value = scope ? values(name)[scope] : winner(name);
      return Promise.resolve(version === "previous" && value !== undefined ? previous(name)[0] : value);
    },
    getSecretVersions: (name) => {
      const value = winner(name);
      if (value === undefined) return Promise.resolve(undefined);
      const earlier = previous(name);
      const until = new Date(Date.now() + 3_600_000);
      return Promise.resolve([
        { version: earlier.length + 1, value, current: true },
        ...earlier.map((value, index) => ({ version: earlier.length - index, value, current: false, until })),
      ]);
    },
    getCompleteSecret: (name) => {
      const found = values(name);
      const groupOf = { groupId: 1, groupName: group ?? "test" };
      const complete: CompleteSecret = {
        ...(found.global !== undefined && { global: found.global }),
        ...(found.function !== undefined && { function: found.function }),
        ...(found.group !== undefined && { group: { value: found.group, ...groupOf } }),
        ...(found.key !== undefined && { key: { value: found.key, ...groupOf, keyId: 1, keyName: key ?? "test" } }),
      };
      return Promise.resolve(Object.keys(complete).length > 0 ? complete : undefined);
    },
    waitUntil: (promise) => {
      background.push(promise);
    },
    passThroughOnException: () => {},
  };
}

/** An app sees the part of the path that the route's final "*" matches; without one, "/". */
function mounted(request: Request, route: string): Request {
  const url = new URL(request.url);
  const depth = route.endsWith("/*") ? route.split("/").length - 2 : undefined;
  url.pathname = depth === undefined ? "/" : "/" + url.pathname.split("/").slice(1 + depth).join("/");
  return new Request(url, request);
}

function encode({ headers: given, body }: Call): { headers: Headers; body: BodyInit | null } {
  const headers = new Headers(given);
  const isPlain = typeof body === "object" && body !== null &&
    (Array.isArray(body) || Object.getPrototypeOf(body) === Object.prototype);
  if (!isPlain) return { headers, body: (body ?? null) as BodyInit | null };
  if (!headers.has("content-type")) headers.set("content-type", "application/json");
  return { headers, body: JSON.stringify(body) };
}
`;

// ../src/crude/project/files/crudeignore.txt
var crudeignore_default = '# What "crude deploy" leaves out, in the syntax of .gitignore.\n# Never uploaded in any case: .env*, .git, .crude and node_modules.\n*_test.ts\ncrude_testing.ts\ndeno.lock\n';

// ../src/crude/project/files/hello.ts.txt
var hello_ts_default = 'import type { Handler } from "crude";\nimport { createHmac } from "node:crypto";\n\nconst hello: Handler = async (c, ctx) => {\n  // Set it with: crude secrets set SIGNING_KEY\n  const key = await ctx.getSecret("SIGNING_KEY") ?? "no key yet";\n  const name = ctx.params.name ?? "world";\n  const signature = createHmac("sha256", key).update(name).digest("hex");\n  return c.json({ message: `Hello, ${name}!`, signature });\n};\n\nexport default hello;\n';

// ../src/crude/project/files/hello_test.ts.txt
var hello_test_ts_default = `import assert from "node:assert/strict";
import { call } from "crude/testing";
import hello from "./hello.ts";

Deno.test("hello greets by name and signs with the caller's key", async () => {
  const ada = { route: "/hello/:name", path: "/hello/ada" };
  const global = { SIGNING_KEY: "one" };
  const both = { SIGNING_KEY: { global: "one", key: "two" } };
  const first = await call(hello, { ...ada, secrets: global });
  const second = await call(hello, { ...ada, secrets: both });
  assert.equal(first.status, 200);
  const [one, two] = [await first.json(), await second.json()];
  assert.equal(one.message, "Hello, ada!");
  assert.notEqual(one.signature, two.signature);
});
`;

// ../src/crude/project/template.ts
var TYPES_FILE = "crude.d.ts";
var TESTING_FILE = "crude_testing.ts";
var DENO_FILE = "deno.json";
var IMPORTS = {
  "crude": `./${TYPES_FILE}`,
  "crude/testing": `./${TESTING_FILE}`
};
function declarations(hono, secretNames) {
  const names = secretNames.map((name) => `  | ${JSON.stringify(name)}
`).join("");
  return fill2(crude_d_ts_default, {
    hono,
    names
  });
}
function testingModule(hono) {
  return fill2(crude_testing_ts_default, {
    hono
  });
}
function denoConfig() {
  return json({
    tasks: {
      check: "deno check .",
      test: "deno test"
    },
    imports: IMPORTS,
    compilerOptions: {
      noImplicitAny: false
    }
  });
}
function projectFiles(hono, url) {
  return {
    "hello.ts": hello_ts_default,
    "hello_test.ts": hello_test_ts_default,
    "crude.json": json({
      ...url !== void 0 && {
        $schema: `${url}/crude.schema.json`
      },
      functions: {
        hello: {
          handler: "hello.ts",
          route: "/hello/:name"
        }
      }
    }),
    [DENO_FILE]: denoConfig(),
    ".crudeignore": crudeignore_default,
    [TYPES_FILE]: declarations(hono, []),
    [TESTING_FILE]: testingModule(hono)
  };
}
function fill2(text2, values) {
  return text2.replace(/\{\{(\w+)\}\}/g, (_, name) => values[name]);
}
function json(value) {
  return `${JSON.stringify(value, null, 2)}
`;
}

// ../src/crude/commands/project.ts
var init = {
  name: "init",
  positionals: [
    {
      name: "DIR",
      optional: true
    }
  ],
  help: [
    "Write a first function with its test, and what deploy, editors and Deno need.",
    "No file that exists is changed. No server is needed."
  ],
  // deno-lint-ignore require-await
  async run(context, given) {
    const dir = resolve4(context.cwd, given.positionals[0] ?? ".");
    const files = Object.entries(projectFiles(context.hono, chosenUrl(context, given)));
    const existing = files.map(([name]) => name).filter((name) => existsSync3(join5(dir, name)));
    if (existing.length > 0) {
      throw new CrudeError(`There is already ${existing.join(", ")} in ${dir}. Nothing was written.`, {
        code: "Exists"
      });
    }
    for (const [name, text2] of files) write(dir, name, text2);
    const there = relative(context.cwd, dir);
    return {
      json: {
        dir,
        files: files.map(([name]) => name)
      },
      lines: [
        ...files.map(([name]) => `created ${join5(there, name)}`),
        "",
        `Next: ${there === "" ? "" : `cd ${there}; `}deno task check; deno task test; crude deploy`
      ]
    };
  }
};
function chosenUrl({ env, profiles }, given) {
  try {
    return choose({
      profile: given.text("profile"),
      url: given.text("url"),
      env,
      profiles
    }).url;
  } catch (error) {
    if (given.text("profile") !== void 0) throw error;
    return void 0;
  }
}
var types = {
  name: "types",
  positionals: [
    {
      name: "DIR",
      optional: true
    }
  ],
  help: [
    `Write ${TYPES_FILE}: the types of handlers, and the names of the secrets that exist.`,
    `Also ${TESTING_FILE}, for tests, and ${DENO_FILE}, if there is none.`
  ],
  async run(context, given) {
    const dir = resolve4(context.cwd, given.positionals[0] ?? ".");
    if (!existsSync3(dir)) throw wrongUsage(`There is no folder ${dir}.`);
    const secrets = await allSecrets(await context.connect());
    const secretNames = [
      ...new Set(secrets.map(({ name }) => name))
    ].sort();
    write(dir, TYPES_FILE, declarations(context.hono, secretNames));
    write(dir, TESTING_FILE, testingModule(context.hono));
    const config = join5(dir, DENO_FILE);
    const isNew = !existsSync3(config) && !existsSync3(`${config}c`);
    if (isNew) write(dir, DENO_FILE, denoConfig());
    const missing2 = isNew ? [] : missingImports(existsSync3(config) ? config : `${config}c`);
    const files = [
      TYPES_FILE,
      TESTING_FILE,
      ...isNew ? [
        DENO_FILE
      ] : []
    ];
    return {
      json: {
        dir,
        files,
        secrets: secretNames,
        missingImports: missing2
      },
      lines: [
        `Wrote ${files.join(", ")} with ${count(secretNames.length, "name of a secret", "names of secrets")}.`,
        ...missing2.map((name) => `Add to "imports" of ${DENO_FILE}: "${name}": "${IMPORTS[name]}"`)
      ]
    };
  }
};
function missingImports(config) {
  const text2 = readFileSync6(config, "utf8");
  return Object.keys(IMPORTS).filter((name) => !text2.includes(`"${name}"`));
}
function write(dir, name, text2) {
  try {
    mkdirSync2(dir, {
      recursive: true
    });
    writeFileSync2(join5(dir, name), text2);
  } catch (error) {
    throw wrongUsage(`${join5(dir, name)} cannot be written: ${messageOf(error)}`);
  }
}
var projectCommands = [
  init,
  types
];

// ../src/crude/commands/pull.ts
const { mkdirSync: mkdirSync3, readFileSync: readFileSync7, writeFileSync: writeFileSync3 } = await import("node:fs");
const { dirname: dirname2, join: join6, resolve: resolve5 } = await import("node:path");
var DOWNLOADED_AT_ONCE = 8;
var ENTRY_FIELDS = {
  description: "",
  handler: void 0,
  route: void 0,
  methods: [
    "GET"
  ],
  keys: [],
  permissions: {
    net: true
  },
  secrets: [
    "*"
  ],
  isolation: "shared",
  responseGuard: "report",
  cors: null,
  timeoutMs: null,
  memoryMb: null,
  files: [],
  trial: void 0
};
var pull = {
  name: "pull",
  positionals: [
    {
      name: "DIR",
      optional: true
    }
  ],
  options: {
    yes: {
      type: "boolean",
      short: "y",
      help: "do not ask before files here are replaced"
    }
  },
  help: [
    "Write the server's files into a folder, and its functions into crude.json.",
    "Files that are only here stay. Those that differ are replaced after a question, or with --yes."
  ],
  async run(context, given) {
    const dir = resolve5(context.cwd, given.positionals[0] ?? ".");
    const client = await context.connect();
    const { files } = await client.get("/api/files");
    const paths = files.map(({ path }) => path).filter(isSafe);
    mkdirSync3(dir, {
      recursive: true
    });
    let done = 0;
    const read = await mapSome(paths, DOWNLOADED_AT_ONCE, async (path) => {
      const content = await serverFile(client, path);
      context.terminal.progress("Downloading", ++done, paths.length);
      return [
        path,
        content
      ];
    });
    const contents = new Map(read);
    contents.set(PROJECT_FILE, await projectFile(client, contents.get(PROJECT_FILE)));
    const { created, changed, unchanged } = compare(contents, dir);
    if (changed.length > 0 && !given.flag("yes")) {
      for (const path of changed) context.note(`~ ${visibleLine(path)}`);
      const question = `Replace ${count(changed.length, "file")} here by the server's?`;
      if (!await context.terminal.confirm(question)) throw new CrudeError("Nothing was written.", {
        code: "Declined"
      });
    }
    for (const path of [
      ...created,
      ...changed
    ]) write2(join6(dir, path), contents.get(path));
    return {
      json: {
        dir,
        files: {
          created,
          changed,
          unchanged
        }
      },
      lines: [
        ...created.map((path) => `+ ${visibleLine(path)}`),
        ...changed.map((path) => `~ ${visibleLine(path)}`),
        `${count(unchanged, "file")} unchanged.`
      ]
    };
  }
};
function isSafe(path) {
  const names = path.split("/");
  const isWrong = (name) => name === "" || name === "." || name === ".." || /[\\:\x00-\x1f]/.test(name);
  return !names.some((name) => isWrong(name) || isNeverUploaded(name));
}
function compare(contents, dir) {
  const [created, changed] = [
    [],
    []
  ];
  for (const [path, content] of [
    ...contents
  ].sort(([a], [b]) => a < b ? -1 : 1)) {
    const here = contentHere(join6(dir, path));
    if (here === void 0) created.push(path);
    else if (sha256Of(here) !== sha256Of(content)) changed.push(path);
  }
  return {
    created,
    changed,
    unchanged: contents.size - created.length - changed.length
  };
}
function contentHere(path) {
  try {
    return readFileSync7(path);
  } catch (error) {
    if (error.code === "ENOENT") return void 0;
    throw wrongUsage(`${path} cannot be read: ${messageOf(error)}`);
  }
}
async function projectFile(client, stored) {
  const { functions } = await client.get("/api/functions");
  const names = new Map((await groups(client)).map(({ id, name }) => [
    id,
    name
  ]));
  const entries = Object.fromEntries(functions.map((one) => [
    one["name"],
    entryOf(one, names)
  ]));
  const text2 = stored && new TextDecoder().decode(stored);
  const before2 = parse3(text2);
  const after = {
    ...before2,
    functions: entries
  };
  if (text2 !== void 0 && sorted(before2) === sorted(after)) return stored;
  return new TextEncoder().encode(`${JSON.stringify(after, null, 2)}
`);
}
function entryOf(one, names) {
  const fields = {
    ...one,
    keys: one["keys"].map((id) => names.get(id) ?? id),
    permissions: {
      net: one["permissions"].net
    }
  };
  const kept = Object.entries(ENTRY_FIELDS).filter(([name, usual]) => sorted(fields[name]) !== sorted(usual));
  return Object.fromEntries(kept.map(([name]) => [
    name,
    fields[name]
  ]));
}
function parse3(text2) {
  try {
    const value = JSON.parse(text2 ?? "{}");
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
function sorted(value) {
  return JSON.stringify(value, (_, part) => typeof part === "object" && part !== null && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => a < b ? -1 : 1)) : part) ?? "undefined";
}
function write2(path, content) {
  try {
    mkdirSync3(dirname2(path), {
      recursive: true
    });
    writeFileSync3(path, content);
  } catch (error) {
    throw wrongUsage(`${path} cannot be written: ${messageOf(error)}`);
  }
}
var pullCommands = [
  pull
];

// ../src/crude/commands/rollback.ts
var PAGE_SIZE2 = 100;
var rollback = {
  name: "rollback",
  positionals: [
    {
      name: "ID",
      optional: true
    }
  ],
  options: {
    "dry-run": {
      type: "boolean",
      help: "show what would change, and change nothing"
    },
    message: {
      type: "string",
      short: "m",
      value: "TEXT",
      help: "why, for the history"
    },
    force: {
      type: "boolean",
      help: "in spite of problems that the server finds"
    }
  },
  help: [
    "Make the files and functions of an earlier deployment live again: of ID, or of the one before.",
    "Repeated without ID, it goes further back each time. Secrets, groups and keys stay as they are."
  ],
  async run(context, given) {
    const [text2] = given.positionals;
    if (text2 !== void 0 && !/^[1-9][0-9]{0,14}$/.test(text2)) throw wrongUsage("ID must be the id of a deployment.");
    const client = await context.connect();
    const id = text2 === void 0 ? (await before(client)).id : Number(text2);
    const message = given.text("message");
    const body = {
      ...message !== void 0 && {
        message
      },
      ...given.flag("force") && {
        force: true
      },
      ...given.flag("dry-run") && {
        dryRun: true
      }
    };
    const options = {
      timeoutMs: DEPLOY_TIMEOUT_MS
    };
    const answer = await sinceVersion("deployments", () => client.post(`/api/deployments/${id}/rollback`, body, options)).catch((error) => {
      throw withProblems(error);
    });
    if (given.flag("dry-run")) return dryRunResult(answer);
    const { deployment, warnings } = answer;
    return {
      json: {
        deployment,
        warnings
      },
      lines: [
        ...planLines(deployment.plan),
        ...warningLines(warnings),
        `The state of deployment ${id} is live again, as deployment ${deployment.id}.`
      ]
    };
  }
};
async function before(client) {
  const { deployments, live } = await allDeployments(client);
  const current = deployments.find(({ state }) => state === live);
  const base = current?.rollbackOf ?? current?.id ?? Infinity;
  const found = deployments.find(({ id, state, rollbackOf }) => rollbackOf === null && state !== live && id < base);
  if (!found) throw new CrudeError("There is no earlier deployment.", {
    code: "NotFound"
  });
  return found;
}
async function allDeployments(client) {
  const deployments = [];
  let cursor;
  while (true) {
    const page = await sinceVersion("deployments", () => client.get("/api/deployments", {
      limit: PAGE_SIZE2,
      cursor
    }));
    deployments.push(...page.deployments);
    if (page.next === null) return {
      deployments,
      live: page.live
    };
    cursor = page.next;
  }
}
var rollbackCommands = [
  rollback
];

// ../src/crude/base/browser_sign_in.ts
const { createHash: createHash2, randomBytes: randomBytes2, randomInt } = await import("node:crypto");
const { createServer } = await import("node:http");
const { hostname } = await import("node:os");
var WAIT_MS = 10 * 6e4;
var LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
var CODE_LENGTH = 8;
async function signInByBrowser({ url, version, onReady }) {
  const verifier = randomBytes2(32).toString("base64url");
  const challenge = sha256(verifier);
  const state = randomBytes2(16).toString("base64url");
  const letters = Array.from({
    length: CODE_LENGTH
  }, () => LETTERS[randomInt(LETTERS.length)]).join("");
  const listener = createServer();
  const port = await listen(listener);
  try {
    const page = new URL("/web/terminal", url);
    const proof = sha256(`${challenge}.${letters}`);
    const parameters = {
      challenge,
      proof,
      state,
      port: String(port),
      machine: hostname().slice(0, 100)
    };
    for (const [name, value] of Object.entries(parameters)) page.searchParams.set(name, value);
    onReady(page.href, `${letters.slice(0, 4)}-${letters.slice(4)}`);
    const code = await receive(listener, state);
    const client = new Client({
      url,
      credential: void 0,
      version
    });
    const headers = {
      "User-Agent": `crude/${version} on ${hostname()}`.slice(0, 200)
    };
    return await client.post("/api/sessions", {
      code,
      verifier
    }, {
      headers
    });
  } finally {
    listener.close();
    listener.closeAllConnections();
  }
}
function sha256(text2) {
  return createHash2("sha256").update(text2).digest("base64url");
}
function listen(listener) {
  return new Promise((resolve6, reject) => {
    listener.on("error", reject);
    listener.listen(0, "127.0.0.1", () => resolve6(listener.address().port));
  });
}
function receive(listener, state) {
  return new Promise((resolve6, reject) => {
    const timer = setTimeout(() => {
      reject(new CrudeError("The sign-in was not approved in time. Run crude login again.", {
        code: "Expired"
      }));
    }, WAIT_MS);
    listener.on("request", (request, response) => {
      const url = new URL(request.url ?? "/", "http://127.0.0.1");
      const code = url.searchParams.get("code");
      const isRight = url.pathname === "/" && code !== null && url.searchParams.get("state") === state;
      response.writeHead(isRight ? 200 : 404, {
        "Content-Type": "text/plain; charset=utf-8",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        Connection: "close"
      });
      response.end(isRight ? "Return to the terminal. You can close this page.\n" : "Not found\n", () => {
        if (!isRight) return;
        clearTimeout(timer);
        resolve6(code);
      });
    });
  });
}

// ../src/crude/commands/sign_in.ts
var login = {
  name: "login",
  positionals: [
    {
      name: "URL"
    }
  ],
  options: {
    key: {
      type: "boolean",
      help: "sign in with an API key, from a hidden prompt"
    },
    "no-browser": {
      type: "boolean",
      help: "print the address of the page instead of opening it"
    }
  },
  help: [
    "Sign in to a server.",
    "In a terminal, you approve it in the browser, as a user of the admin pages. With --key, or if standard input is not",
    "a terminal, an API key of a group that may use the API is read. What is kept is in a file that only you can read.",
    "--profile names the profile; by default, it is the server's host."
  ],
  async run(context, given) {
    const url = serverUrl(given.at(0), "URL");
    requireSecure(url);
    const name = given.text("profile") ?? new URL(url).host;
    if (!PROFILE_NAME.test(name)) throw wrongUsage("--profile must be letters, digits and . : @ _ -");
    const isKey = given.flag("key") || !context.terminal.isInputTerminal;
    const profile = isKey ? {
      url,
      credential: credentialOf(await readKey(context))
    } : await approved(context, url, !given.flag("no-browser"));
    await verify(context, profile);
    context.profiles.put(name, profile);
    const who = profile.email === void 0 ? "" : ` as ${profile.email}`;
    return {
      json: {
        profile: name,
        url,
        kind: profile.credential.kind,
        ...profile.email && {
          email: profile.email
        }
      },
      lines: [
        `Signed in to ${url}${who}; the profile is "${name}".`
      ]
    };
  }
};
async function approved({ version, terminal, json: json2 }, url, isOpened) {
  if (!terminal.isInteractive || json2) throw wrongUsage("Sign in with --key where nothing can be shown on a terminal.");
  const { session, email, expiresAt } = await signInByBrowser({
    url,
    version,
    onReady: (page, code) => {
      terminal.show(`Type this code on the page that opens in your browser: ${code}`);
      terminal.show(`If it does not open, it is here: ${page}`);
      if (isOpened) openInBrowser(page);
    }
  });
  return {
    url,
    credential: {
      kind: "session",
      value: session
    },
    email,
    expiresAt
  };
}
async function readKey({ terminal }) {
  const text2 = terminal.isInputTerminal ? await terminal.askHidden("API key") : new TextDecoder().decode(await terminal.readInput());
  const key = text2.trim();
  if (key === "") throw wrongUsage("There is no API key on standard input.");
  if (!/^[\x21-\x7e]+$/.test(key)) throw wrongUsage("An API key has visible ASCII characters only, without spaces.");
  return key;
}
async function verify({ version }, { url, credential }) {
  await new Client({
    url,
    credential,
    version
  }).get("/api/key-groups");
}
var logout = {
  name: "logout",
  positionals: [
    {
      name: "PROFILE",
      optional: true
    }
  ],
  help: [
    "Forget a profile, by default the current one, and end its session.",
    "An API key stays valid; revoke it with keys revoke."
  ],
  async run({ profiles, version, note }, given) {
    const name = given.positionals[0] ?? given.text("profile") ?? profiles.read().current;
    if (name === void 0) throw wrongUsage("You are not signed in.");
    const { url, credential } = profiles.remove(name);
    if (credential.kind === "session") {
      const client = new Client({
        url,
        credential,
        version
      });
      await client.delete("/api/sessions/current").catch((error) => {
        if (!(error instanceof CrudeError && error.exitCode === EXIT.denied)) {
          note(`The session could not be ended, and is valid until it expires: ${messageOf(error)}`);
        }
      });
    }
    return {
      json: {
        profile: name,
        url
      },
      lines: [
        `Signed out of ${url}.`
      ]
    };
  }
};
var list4 = {
  name: "profiles list",
  help: [
    "List the servers that you are signed in to."
  ],
  // deno-lint-ignore require-await
  async run({ profiles }) {
    const { current, profiles: known } = profiles.read();
    const rows = [
      ...known
    ].map(([name, { url, credential, email, expiresAt }]) => ({
      name,
      url,
      kind: credential.kind,
      current: name === current,
      ...email !== void 0 && {
        email
      },
      ...expiresAt !== void 0 && {
        expiresAt
      }
    }));
    const lines = table([
      "",
      "PROFILE",
      "SERVER",
      "WITH"
    ], rows.map(({ name, url, kind, current: current2, email }) => [
      current2 ? "*" : "",
      name,
      url,
      email ?? kind
    ]));
    return {
      json: {
        profiles: rows
      },
      lines: rows.length > 0 ? lines : [
        "You are not signed in."
      ]
    };
  }
};
var use = {
  name: "profiles use",
  positionals: [
    {
      name: "PROFILE"
    }
  ],
  help: [
    "Choose the profile that commands use by default."
  ],
  // deno-lint-ignore require-await
  async run({ profiles }, given) {
    profiles.use(given.at(0));
    return {
      json: {
        profile: given.at(0)
      },
      lines: [
        `The profile is "${given.at(0)}".`
      ]
    };
  }
};
var signInCommands = [
  login,
  logout,
  list4,
  use
];

// ../src/crude/completion.ts
var SHELLS = [
  "bash",
  "zsh",
  "fish"
];
function completionScript(shell, commands, common) {
  switch (shell) {
    case "bash":
      return bash(commands, common);
    case "zsh":
      return `#compdef crude
autoload -Uz bashcompinit && bashcompinit
${bash(commands, common)}`;
    case "fish":
      return fish(commands, common);
    default:
      throw wrongUsage(`SHELL must be one of ${SHELLS.join(", ")}.`);
  }
}
function flags(options) {
  return Object.entries(options).flatMap(([name, { short }]) => [
    `--${name}`,
    ...short ? [
      `-${short}`
    ] : []
  ]);
}
function firstWords(commands) {
  return [
    ...new Set(commands.map(({ name }) => name.split(" ")[0]))
  ];
}
function secondWords(commands, first) {
  return commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name.slice(first.length + 1));
}
function choices(commands) {
  const all = commands.flatMap(({ options = {} }) => Object.entries(options));
  return all.filter(([name, { choices: choices2 }], index) => choices2 && all.findIndex(([other]) => other === name) === index);
}
function bash(commands, common) {
  const groups2 = firstWords(commands).filter((first) => secondWords(commands, first).length > 0);
  return `_crude() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  case "$previous" in
${choices(commands).map(([name, { choices: choices2 }]) => `    --${name}) words="${choices2.join(" ")}" ;;`).join("\n")}
  esac
  if [ -z "$words" ]; then
    if [ "$COMP_CWORD" -eq 1 ]; then
      words="${[
    ...firstWords(commands),
    ...flags(common)
  ].join(" ")}"
    else
      case "\${COMP_WORDS[1]} \${COMP_WORDS[2]}" in
${commands.map(({ name, options = {} }) => `        "${name}"${name.includes(" ") ? "" : '" "*'}) words="${flags({
    ...options,
    ...common
  }).join(" ")}" ;;`).join("\n")}
      esac
      if [ "$COMP_CWORD" -eq 2 ]; then
        case "\${COMP_WORDS[1]}" in
${groups2.map((first) => `          ${first}) words="${secondWords(commands, first).join(" ")}" ;;`).join("\n")}
          completion) words="${SHELLS.join(" ")}" ;;
        esac
      fi
    fi
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ \${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -F _crude crude
`;
}
function fish(commands, common) {
  const quote = (text2) => `'${text2.replace(/[\\']/g, "\\$&")}'`;
  const option = ([name, { short, choices: choices2, value, help: help2 }]) => [
    `-l ${name}`,
    ...short ? [
      `-s ${short}`
    ] : [],
    ...choices2 ? [
      `-x -a ${quote(choices2.join(" "))}`
    ] : value ? [
      "-r"
    ] : [],
    `-d ${quote(help2)}`
  ].join(" ");
  const seen = (name) => quote(name.split(" ").map((word) => `__fish_seen_subcommand_from ${word}`).join("; and "));
  const lines = commands.flatMap(({ name, options = {}, help: help2 }) => {
    const [first, second] = name.split(" ");
    const siblings = secondWords(commands, first).join(" ");
    const word = second === void 0 ? `complete -c crude -n __fish_use_subcommand -a ${first} -d ${quote(help2[0])}` : `complete -c crude -n ${quote(`__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${siblings}`)} -f -a ${second} -d ${quote(help2[0])}`;
    return [
      word,
      ...Object.entries(options).map((entry) => `complete -c crude -n ${seen(name)} ${option(entry)}`)
    ];
  });
  const groups2 = firstWords(commands).filter((first) => secondWords(commands, first).length > 0);
  return [
    ...groups2.map((first) => `complete -c crude -n __fish_use_subcommand -f -a ${first}`),
    ...lines,
    ...Object.entries(common).map((entry) => `complete -c crude ${option(entry)}`),
    ""
  ].join("\n");
}

// ../src/crude/help.ts
var AFTER = [
  "CRUDE_URL and CRUDE_KEY choose the server and its key without a profile, for scripts.",
  '"crude COMMAND --help" describes a command.',
  "",
  "Exit codes: 0 done, 1 could not be done, 2 wrong usage, 3 unreachable, 4 not allowed."
];
function call2({ name, positionals = [] }) {
  return [
    name,
    ...positionals.map(({ name: name2, optional }) => optional ? `[${name2}]` : name2)
  ].join(" ");
}
function overview(commands, common) {
  return [
    "crude COMMAND [options]",
    "",
    ...commandLines(commands),
    "",
    ...optionLines(common),
    "",
    ...AFTER
  ].join("\n");
}
function groupHelp(word, commands) {
  return [
    `crude ${word} COMMAND [options]`,
    "",
    ...commandLines(commands)
  ].join("\n");
}
function usage(command, common) {
  return [
    `crude ${call2(command)} [options]`,
    "",
    ...command.help,
    "",
    ...optionLines({
      ...command.options,
      ...common
    })
  ].join("\n");
}
function commandLines(commands) {
  const width = Math.max(...commands.map((command) => call2(command).length));
  return commands.map((command) => `  ${call2(command).padEnd(width)}  ${command.help[0]}`);
}
function optionLines(options) {
  const shown = (name, { short, value }) => `${short ? `-${short}, ` : "    "}--${name}${value ? ` ${value}` : ""}`;
  const entries = Object.entries(options);
  const width = Math.max(...entries.map(([name, option]) => shown(name, option).length));
  return entries.map(([name, option]) => `  ${shown(name, option).padEnd(width)}  ${option.help}`);
}

// ../src/crude/run.ts
var COMMON2 = {
  profile: {
    type: "string",
    value: "NAME",
    help: "the server, by the name of its profile"
  },
  url: {
    type: "string",
    value: "URL",
    help: "the server, by its address"
  },
  json: {
    type: "boolean",
    help: "print one JSON object instead of text"
  },
  help: {
    type: "boolean",
    short: "h",
    help: "print this help and exit"
  }
};
var completion = {
  name: "completion",
  positionals: [
    {
      name: "SHELL"
    }
  ],
  help: [
    `Print what completes commands in ${SHELLS.join(", ")}.`,
    "bash: source <(crude completion bash)",
    "zsh: source <(crude completion zsh)",
    "fish: crude completion fish | source"
  ],
  // deno-lint-ignore require-await
  async run(_context, given) {
    const script = completionScript(given.at(0), COMMANDS, COMMON2);
    return {
      json: {
        shell: given.at(0),
        script
      },
      bytes: new TextEncoder().encode(script)
    };
  }
};
var COMMANDS = [
  ...signInCommands,
  ...projectCommands,
  ...devCommands,
  ...deployCommands,
  ...rollbackCommands,
  ...pullCommands,
  ...functionCommands,
  ...secretCommands,
  ...keyCommands,
  ...logCommands,
  ...callCommands,
  completion
];
async function run(args, machine) {
  const json2 = isJsonWanted(args);
  try {
    const found = find2(args);
    if (!("command" in found)) return await help(found, machine, json2);
    const { command, rest } = found;
    const { given, isHelp } = parse4(command, rest);
    if (isHelp) {
      await machine.write(`${usage(command, COMMON2)}
`);
      return EXIT.ok;
    }
    const result = await command.run(contextOf(machine, given, json2), given);
    if (!result) return EXIT.ok;
    await print(result, machine, json2);
    return result.exitCode ?? EXIT.ok;
  } catch (error) {
    return await report(error, machine, json2);
  }
}
function isJsonWanted(args) {
  const end = args.indexOf("--");
  return (end === -1 ? args : args.slice(0, end)).includes("--json");
}
function find2(args) {
  const words = [];
  for (let at = 0; at < args.length && words.length < 2; at++) {
    const arg = args[at];
    if (arg === "--profile" || arg === "--url") at++;
    else if (!arg.startsWith("-")) words.push(at);
    else if (words.length > 0) break;
  }
  const isHelp = args.includes("--help") || args.includes("-h");
  if (args[words[0] ?? -1] === "help") return find2([
    ...args.filter((_, at) => at !== words[0]),
    "--help"
  ]);
  if (words.length === 0) return {
    isHelp,
    isVersion: args.includes("--version")
  };
  const [first, second] = words.map((at) => args[at]);
  for (const [name, used] of [
    [
      `${first} ${second}`,
      words
    ],
    [
      first,
      words.slice(0, 1)
    ]
  ]) {
    const command = COMMANDS.find((command2) => command2.name === name);
    if (command) return {
      command,
      rest: args.filter((_, at) => !used.includes(at))
    };
  }
  if (COMMANDS.some(({ name }) => name.startsWith(`${first} `))) {
    if (second === void 0) return {
      group: first,
      isHelp
    };
    throw wrongUsage(`There is no command "${first} ${second}". See "crude ${first} --help".`);
  }
  throw wrongUsage(`There is no command "${first}". See "crude --help".`);
}
async function help({ group, isHelp, isVersion }, { version, write: write3, warn }, json2) {
  if (isVersion && !isHelp) {
    await write3(json2 ? `${JSON.stringify({
      version
    }, null, 2)}
` : `${version}
`);
    return EXIT.ok;
  }
  if (json2 && !isHelp) throw wrongUsage('The command is missing. See "crude --help".');
  const text2 = group === void 0 ? overview(COMMANDS, COMMON2) : groupHelp(group, COMMANDS.filter(({ name }) => name.startsWith(`${group} `)));
  if (isHelp) await write3(`${text2}
`);
  else warn(text2);
  return isHelp ? EXIT.ok : EXIT.usage;
}
function parse4(command, args) {
  const expected = command.positionals ?? [];
  const see = `See "crude ${command.name} --help".`;
  let parsed;
  try {
    parsed = parseArgs({
      args: [
        ...args
      ],
      options: {
        ...COMMON2,
        ...command.options
      },
      allowPositionals: true
    });
  } catch (error) {
    throw wrongUsage(`${messageOf(error).split(/(?<=\.)\s/)[0].replace(/\.?$/, ".")} ${see}`);
  }
  const { values, positionals } = parsed;
  const isHelp = values["help"] === true;
  const required2 = expected.filter(({ optional }) => !optional);
  if (!isHelp && positionals.length < required2.length) {
    throw wrongUsage(`${required2[positionals.length].name} is missing. ${see}`);
  }
  if (positionals.length > expected.length) {
    const hint = command.name === "secrets set" ? " A value is never taken from an argument." : "";
    throw wrongUsage(`There are too many arguments.${hint} ${see}`);
  }
  return {
    given: new Given(positionals, values),
    isHelp
  };
}
function contextOf(machine, given, json2) {
  const { version, hono, home, deno, runProgram: runProgram2, cwd, env, profiles } = machine;
  return {
    version,
    hono,
    ...home !== void 0 && {
      home
    },
    ...deno !== void 0 && {
      deno
    },
    runProgram: runProgram2,
    cwd,
    env,
    json: json2,
    profiles,
    terminal: machine.createTerminal(json2),
    // deno-lint-ignore require-await
    async connect() {
      const chosen = choose({
        profile: given.text("profile"),
        url: given.text("url"),
        env,
        profiles
      });
      return new Client({
        ...chosen,
        version
      });
    },
    note(line) {
      if (!json2) machine.warn(line);
    },
    write: (part) => machine.write(part)
  };
}
async function print(result, { write: write3 }, json2) {
  if (json2) return await write3(`${JSON.stringify(result.json, null, 2)}
`);
  if (result.bytes) return await write3(result.bytes);
  const lines = result.lines ?? [];
  if (lines.length > 0) await write3(`${lines.join("\n")}
`);
}
async function report(error, { write: write3, warn }, json2) {
  const known = error instanceof CrudeError ? error : void 0;
  const exitCode = known?.exitCode ?? EXIT.failed;
  if (json2) {
    const { code = "InternalError", details } = known ?? {};
    const body = {
      error: messageOf(error),
      code,
      exitCode,
      ...details !== void 0 && {
        details
      }
    };
    await write3(`${JSON.stringify(body, null, 2)}
`);
  } else if (known) {
    for (const line of [
      known.message,
      ...known.lines
    ]) warn(visible(line));
  } else warn(error instanceof Error ? error.stack ?? error.message : String(error));
  return exitCode;
}

// ../src/crude/start.ts
async function start(release) {
  const { stdin, stdout, stderr } = process;
  stdout.on("error", (error) => process.exit(error.code === "EPIPE" ? 0 : 1));
  const exit = (code2) => process.exit(code2);
  const env = (name) => process.env[name];
  const config = env("XDG_CONFIG_HOME") || join7(env("HOME") || homedir(), ".config");
  const code = await run(process.argv.slice(2), {
    ...release,
    ..."deno" in process.versions && {
      deno: process.execPath
    },
    runProgram,
    cwd: process.cwd(),
    env,
    createTerminal: (json2) => createTerminal({
      stdin,
      stderr,
      exit
    }, json2),
    profiles: createProfiles(join7(config, "crude")),
    write: (output) => new Promise((resolve6, reject) => stdout.write(output, (error) => error ? reject(error) : resolve6())),
    warn: (line) => void stderr.write(`${line}
`)
  });
  return process.exit(code);
}
function runProgram(program, args) {
  return new Promise((resolve6, reject) => {
    const child = spawn2(program, args, {
      stdio: "inherit"
    });
    process.on("SIGINT", () => {
    });
    process.on("SIGTERM", () => child.kill("SIGTERM"));
    child.on("error", (error) => reject(new CrudeError(`${program} could not be started: ${error.message}`)));
    child.on("exit", (code, signal) => resolve6(code ?? (signal === "SIGINT" || signal === "SIGTERM" ? 0 : 1)));
  });
}

// ../src/crude/bundle/entry.ts
await start({
  "version": "0.1.0",
  "hono": "npm:hono@4.13.19"
});
})();
