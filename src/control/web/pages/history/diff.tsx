// Shows a unified diff: lines that were added or removed are marked by their sign, an element and a color.

/** Control characters that reorder a line (UAX #9), so that it reads as something that it is not. */
const REORDERING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

export function Diff({ path, diff, linesMax, whole }: {
  path: string;
  /** Undefined if there is none; see `ComparedFile`. */
  diff: string | undefined;
  linesMax: number;
  /** Address of the page that shows more lines. */
  whole?: string;
}) {
  if (diff === undefined) {
    return <p class="quiet">No diff: a content is not text, is too large or was purged from the history.</p>;
  }
  const start = diff.search(/^@@/m);
  if (start < 0) return <p class="quiet">The file is empty.</p>;
  const lines = diff.slice(start).replace(/\n$/, "").split("\n");
  const others = lines.length - linesMax;
  return (
    <>
      <div class="diff" tabindex={0} role="region" aria-label={`Changes of ${path}`}>
        <pre>{lines.slice(0, linesMax).map((text) => <Line text={text} />)}</pre>
      </div>
      {others > 0 && (
        <p class="quiet">
          {others} more lines. {whole !== undefined && <a href={whole}>Show more of {path}</a>}
        </p>
      )}
    </>
  );
}

function Line({ text }: { text: string }) {
  const shown = visible(text) + "\n";
  switch (text[0]) {
    case "+":
      return <ins>{shown}</ins>;
    case "-":
      return <del>{shown}</del>;
    case "@":
    case "\\":
      return <span class="place">{shown}</span>;
    default:
      return <span>{shown}</span>;
  }
}

/** A text of code as it is: read only, and with what would reorder its lines made visible. */
export function CodeText({ label, text }: { label: string; text: string }) {
  return (
    <div class="diff" tabindex={0} role="region" aria-label={label}>
      <pre>{visible(text)}</pre>
    </div>
  );
}

function visible(text: string): string {
  return text.replaceAll("\r", "␍").replace(
    REORDERING,
    (character) => `⟨U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`,
  );
}
