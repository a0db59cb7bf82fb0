// Waiting until what was stored is in force everywhere. Knows neither what was changed nor where it counts.

/**
 * A function that settles when `spread` has run to its end since the last change. `changes` is another number after
 * each.
 */
export function afterChanges(changes: () => number, spread: () => Promise<void>): () => Promise<void> {
  let last = { at: changes(), done: Promise.resolve() };
  return () => {
    const at = changes();
    // One after the other: whoever changed nothing since still waits for those before.
    if (at !== last.at) last = { at, done: Promise.all([last.done, spread()]).then(() => {}) };
    return last.done;
  };
}
