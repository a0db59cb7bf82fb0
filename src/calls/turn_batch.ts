// Requests that come in one turn of the event loop and go on together: what is the same for all of them is then
// looked at once, after all of them were there.

/** Settles with the number of the turn when it is over, or at once if nothing else is under way. */
export type Turns = () => Promise<number>;

/** `isBusy` tells whether waiting for others is worth more than going on at once. */
export function countTurns(isBusy: () => boolean): Turns {
  let number = 0;
  let current: Promise<number> | undefined;
  const end = (): number => {
    current = undefined;
    return ++number;
  };
  return () =>
    current ??= (isBusy() ? new Promise<void>((resolve) => setImmediate(resolve)) : Promise.resolve()).then(end);
}
