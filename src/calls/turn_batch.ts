// Groups the requests that arrive in one turn of the event loop, so that what is the same for all of them is looked up
// once, after all have arrived.

/** Resolves with the number of the turn when the turn ends, or at once if the server is not busy. */
export type NextTurn = () => Promise<number>;

/** `isBusy` reports whether waiting for other requests is worth more than continuing at once. */
export function createTurnBatch(isBusy: () => boolean): NextTurn {
  let number = 0;
  let current: Promise<number> | undefined;
  const end = (): number => {
    current = undefined;
    return ++number;
  };
  return () =>
    current ??= (isBusy() ? new Promise<void>((resolve) => setImmediate(resolve)) : Promise.resolve()).then(end);
}
