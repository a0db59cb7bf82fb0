// Finds everything whose name fits what was typed, of all kinds, the best first. Never looks at values of secrets.

import type { WebDeps } from "../../shell/deps.ts";
import type { FoundRequest } from "../../../../telemetry/logs.ts";
import { requestPath } from "../logs/entries.tsx";
import { isRequestId, requestsLike } from "../logs/requests.tsx";
import { namePath } from "../secrets/browse.tsx";
import type { Documents } from "../docs/documents.ts";
import { findSections, type Section, sectionsOf } from "../docs/find.ts";
import { documentEntries, type Entry, FIXED, SUGGESTED } from "./entries.ts";
import { fitOf } from "./ranking.ts";

export const SEARCH_MAX_LENGTH = 100;
/** Rows of each table that are ranked. */
const CANDIDATES_MAX = 50;
/** Less is in every text. */
const TEXT_MIN_LENGTH = 3;
/** Results of one kind, and of all. */
const KIND_MAX = 8;
const RESULTS_MAX = 30;
const ALIAS_SHARE = 0.95;
/** Words that are not its name count less than it; letters in order do not count in them. */
const WORDS_SHARE = 0.5;
const WORDS_LEAST = 300;

/** Texts of the program fit by letters in order only if those begin its words; sections of documents never do. */
const FIXED_LEAST = 120;
const DOCUMENT_LEAST = 300;
/** What users have named comes before what the program has. */
const OWN_SHARE = 1.25;
/** A document comes after a thing of the same name. */
const DOCUMENT_SHARE = 0.6;

export class Finder {
  readonly #deps: Pick<WebDeps, "allLogs" | "matrix">;
  readonly #names: WebDeps["nameSearch"];
  readonly #documents: Documents;
  #headings: Promise<readonly Entry[]> | undefined;
  #sections: Promise<readonly Section[]> | undefined;

  constructor(deps: Pick<WebDeps, "nameSearch" | "allLogs" | "matrix">, documents: Documents) {
    this.#deps = deps;
    this.#names = deps.nameSearch;
    this.#documents = documents;
  }

  /** Returns at most 30 entries, the best first; what is suggested for an empty search. */
  async find(typed: string): Promise<readonly Entry[]> {
    const search = typed.trim().toLowerCase().slice(0, SEARCH_MAX_LENGTH);
    if (search === "") return SUGGESTED;
    if (isRequestId(search)) return [{ kind: "Request", name: search, detail: "Its log", href: requestPath(search) }];
    const requests = (await requestsLike(search, this.#deps)).slice(0, KIND_MAX).map((found) => this.#request(found));
    this.#headings ??= this.#documents.all().then((all) => documentEntries(all.values()));
    const ranked = [
      ...rank(search, this.#named(search)).map(({ entry, fit }) => ({ entry, fit: fit * OWN_SHARE })),
      ...rank(search, FIXED).filter(({ fit }) => fit >= FIXED_LEAST),
      ...rank(search, await this.#headings).filter(({ fit }) => fit >= DOCUMENT_LEAST)
        .map(({ entry, fit }) => ({ entry, fit: fit * DOCUMENT_SHARE })),
    ].sort((a, b) => b.fit - a.fit);
    const named = new Set(ranked.map(({ entry }) => entry.href));
    const texts = (await this.#inTexts(search)).filter(({ href }) => !named.has(href));
    const counts = new Map<string, number>();
    return [...requests, ...ranked.map(({ entry }) => entry), ...texts].filter(({ kind }) => {
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      return counts.get(kind)! <= KIND_MAX;
    }).slice(0, RESULTS_MAX);
  }

  /** Returns the sections of the documentation whose text has exactly what was typed. */
  async #inTexts(search: string): Promise<Entry[]> {
    if (search.length < TEXT_MIN_LENGTH) return [];
    this.#sections ??= this.#documents.all().then((all) => sectionsOf(all.values()));
    return findSections(await this.#sections, [search], KIND_MAX).map(({ section: { document, title, href } }) => (
      { kind: "Documentation", name: title, detail: document.title, href }
    ));
  }

  #request({ requestId, functionId, at }: FoundRequest): Entry {
    const name = this.#deps.matrix.ownerName("function", functionId) ?? "a deleted function";
    const detail = `${name}, ${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
    return { kind: "Request", name: requestId, detail, href: requestPath(requestId) };
  }

  #named(search: string): Entry[] {
    return [
      ...this.#names.functions(search, CANDIDATES_MAX).map(({ id, name, route }): Entry => (
        { kind: "Function", name, detail: route, href: `/web/functions/${id}`, aliases: [route] }
      )),
      ...this.#names.secrets(search, CANDIDATES_MAX).map((name): Entry => (
        { kind: "Secret", name, href: namePath(name) }
      )),
      ...this.#names.keys(search, CANDIDATES_MAX).map(({ id, name, groupName }): Entry => (
        { kind: "API key", name, detail: groupName, href: `/web/keys/${id}`, aliases: [`${groupName}/${name}`] }
      )),
      ...this.#names.groups(search, CANDIDATES_MAX).map(({ id, name }): Entry => (
        { kind: "Key group", name, href: `/web/keys/groups/${id}` }
      )),
    ];
  }
}

function rank(search: string, entries: readonly Entry[]): { entry: Entry; fit: number }[] {
  return entries.flatMap((entry) => {
    const { name, aliases = [], words = "" } = entry;
    const byWords = fitOf(search, words.toLowerCase());
    const fit = Math.max(
      fitOf(search, name.toLowerCase()),
      ...aliases.map((alias) => fitOf(search, alias.toLowerCase()) * ALIAS_SHARE),
      byWords >= WORDS_LEAST ? byWords * WORDS_SHARE : 0,
    );
    return fit > 0 ? [{ entry, fit }] : [];
  });
}
