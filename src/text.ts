// Makes untrusted text safe to display.

/**
 * Returns the text on one line: characters that end a line, control a terminal or change the direction of text are
 * escaped as in JSON. Tabs stay. (Bidirectional controls: CVE-2021-42574.)
 */
export function oneLine(text: string): string {
  return text.replace(
    /(?!\t)[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (c) => c === "\n" ? "\\n" : c === "\r" ? "\\r" : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
