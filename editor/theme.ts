// How code looks: the colours are variables of static/functions.css, so that light and dark are decided there.

import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const look = EditorView.theme({
  "&": {
    color: "var(--code-text)",
    backgroundColor: "var(--code-background)",
    border: "1px solid var(--line)",
    borderRadius: "0.375rem",
    fontSize: "0.8125rem",
  },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "1px" },
  ".cm-scroller": {
    fontFamily: "var(--mono)",
    lineHeight: "1.5",
    minHeight: "18rem",
    // A page that lays the editor out by its own height sets it.
    height: "var(--editor-height, auto)",
    maxHeight: "var(--editor-height, 70vh)",
  },
  ".cm-content": { caretColor: "var(--code-text)" },
  ".cm-cursor": { borderLeftColor: "var(--code-text)" },
  ".cm-gutters": { color: "var(--quiet)", backgroundColor: "var(--panel)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine": { backgroundColor: "var(--code-line)" },
  ".cm-activeLineGutter": { color: "var(--code-text)", backgroundColor: "var(--code-line)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "var(--code-selection)",
  },
  ".cm-tooltip, .cm-panels": {
    color: "var(--code-text)",
    backgroundColor: "var(--panel)",
    border: "1px solid var(--line)",
  },
  ".cm-tooltip-autocomplete ul li[aria-selected]": {
    color: "var(--on-accent)",
    backgroundColor: "var(--accent)",
  },
  ".cm-completionInfo": { maxWidth: "22rem", whiteSpace: "pre-line", padding: "0.5rem" },
  ".cm-completionDetail": { color: "inherit", fontStyle: "normal", opacity: "1", marginLeft: "0.75em" },
  ".cm-diagnostic": { whiteSpace: "pre-wrap" },
  ".cm-lintRange-error": {
    backgroundImage: "none",
    textDecoration: "underline wavy var(--bad)",
    textUnderlineOffset: "0.2em",
  },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--code-selection)" },
  ".cm-panel input, .cm-panel button": { fontSize: "0.875rem" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--panel)", color: "var(--code-text)" },
  ".cm-textfield": { backgroundColor: "var(--code-background)", color: "var(--code-text)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--code-comment)", fontStyle: "italic" },
  { tag: [tags.typeName, tags.className, tags.namespace], color: "var(--code-type)" },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName)], color: "var(--code-function)" },
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--code-property)" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

export const theme: Extension = [look, syntaxHighlighting(colours)];
