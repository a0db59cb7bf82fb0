// Finds sections of the documentation by words in their text.

import { addressOf, type Document, type Heading, type Part } from "./documents.ts";

/** Letters of an excerpt before and after what was found. */
const EXCERPT_BEFORE = 60;
const EXCERPT_LENGTH = 200;
/** A heading with all the words counts as much as this many places in the text. */
const HEADING_WEIGHT = 20;

/** A heading of a document with the text up to the next one. */
export interface Section {
  readonly document: Document;
  readonly title: string;
  readonly href: string;
  readonly text: string;
  /** The text and the title in lower case. */
  readonly searched: string;
}

export interface FoundSection {
  readonly section: Section;
  readonly excerpt: string;
}

export function sectionsOf(documents: Iterable<Document>): Section[] {
  return [...documents].flatMap((document) => document.parts.flatMap((part) => sectionsOfPart(document, part)));
}

function sectionsOfPart(document: Document, part: Part): Section[] {
  const texts = part.markdown.split(/^#{1,6} .*$/m);
  // A part that begins with its title has nothing before it.
  const titles: (Heading | undefined)[] = [...part.headings];
  while (titles.length < texts.length) titles.unshift(undefined);
  return texts.flatMap((source, at) => {
    const text = source.replaceAll(/[`*|]|^-{3,}$|\[([^\]]*)\]\([^)]*\)/gm, "$1").replaceAll(/\s+/g, " ").trim();
    if (text === "") return [];
    const title = titles[at]?.text ?? document.title;
    const searched = `${title} ${text}`.toLowerCase();
    return [{ document, title, href: addressOf(document, titles[at]?.id), text, searched }];
  });
}

/** Returns what was typed as words in lower case. */
export function wordsOf(typed: string): string[] {
  return typed.toLowerCase().split(/\s+/).filter((word) => word !== "");
}

/** Returns the sections that have all of the texts, which are in lower case, the best first. */
export function findSections(sections: readonly Section[], words: readonly string[], max: number): FoundSection[] {
  if (words.length === 0) return [];
  const found = sections.flatMap((section) => {
    if (!words.every((word) => section.searched.includes(word))) return [];
    return [{ section, weight: weightOf(section, words) }];
  });
  return found.sort((a, b) => b.weight - a.weight).slice(0, max).map(({ section }) => ({
    section,
    excerpt: excerptOf(section.text, words),
  }));
}

/** Returns how often a section has the words, as a share of its length. */
function weightOf({ title, searched }: Section, words: readonly string[]): number {
  const places = words.reduce((sum, word) => sum + searched.split(word).length - 1, 0);
  const inTitle = words.every((word) => title.toLowerCase().includes(word)) ? HEADING_WEIGHT : 0;
  return inTitle + places / Math.sqrt(searched.length / 1_000 + 1);
}

function excerptOf(text: string, words: readonly string[]): string {
  const lower = text.toLowerCase();
  const at = Math.max(0, Math.min(...words.map((word) => lower.indexOf(word)).filter((place) => place >= 0)));
  const from = at < EXCERPT_BEFORE || !Number.isFinite(at) ? 0 : text.lastIndexOf(" ", at - EXCERPT_BEFORE) + 1;
  const end = text.indexOf(" ", from + EXCERPT_LENGTH);
  return `${from > 0 ? "… " : ""}${end === -1 ? text.slice(from) : `${text.slice(from, end)} …`}`;
}
