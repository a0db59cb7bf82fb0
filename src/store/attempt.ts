// Runs synchronous work whose callers wait for a promise.

/** Runs `work` before it returns; an error that it throws rejects the promise. */
export function attempt<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return Promise.resolve(work());
  } catch (error) {
    return Promise.reject(error);
  }
}
