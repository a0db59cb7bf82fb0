// Declares how what must run once runs once, however many nodes a cluster has. A server of its own runs everything.

export interface OncePerCluster {
  /** Whether this node does what is done at intervals. One node does at most, and another one takes over if it is gone. */
  readonly leads: boolean;

  /** Runs `work` once no other node runs work of this name. @throws what `signal` is aborted with */
  exclusively<T>(name: string, work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export const ALONE: OncePerCluster = {
  leads: true,
  exclusively: (_, work) => work(),
};
