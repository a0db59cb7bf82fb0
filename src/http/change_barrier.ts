// Waits until each change that was stored is in force everywhere. Knows neither what changed nor where it applies.

/**
 * Returns a function that waits until `spread` has run once since the last change. `changes` counts
 * changes.
 */
export function createChangeBarrier(
  changes: { readonly count: number },
  spread: () => Promise<void>,
): () => Promise<void> {
  let last = { at: changes.count, done: Promise.resolve() };
  return () => {
    const at = changes.count;
    // Barriers are chained: a request that changed nothing still waits for earlier ones.
    if (at !== last.at) last = { at, done: Promise.all([last.done, spread()]).then(() => {}) };
    return last.done;
  };
}
