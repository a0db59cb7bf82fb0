// How a call can fail on the way through a sandbox.

/** Why a call got no response from the handler. `sent`: whether the handler may have begun with it. */
export class CallFailure extends Error {
  constructor(
    readonly kind:
      | "load-failed"
      | "threw"
      | "nonsense"
      | "timeout"
      | "died"
      | "stopped"
      /** The caller closed the connection. */
      | "gone"
      /** Its function or key was changed before it was sent. */
      | "outdated"
      /** Its function or key was taken away while it ran. */
      | "revoked"
      /** The caller stopped sending the request's body. */
      | "silent"
      | "no-room"
      | "suspended"
      | "withheld",
    readonly sent: boolean,
    message: string,
    /** When it is worth another try. */
    readonly retryAfterSeconds = 1,
  ) {
    super(message);
  }
}

/** To a call whose function or key was changed after it was admitted; nothing of it was sent. */
export function outdated(): CallFailure {
  return new CallFailure("outdated", false, "Its function or its API key was changed before the call was sent.");
}

/** To a call whose right to run was taken away meanwhile. */
export function revoked(): CallFailure {
  return new CallFailure("revoked", true, "Its function or its API key was taken away while it ran.");
}

/** To a call that would make the server hold more than calls may make it hold. */
export function tooMuchHeld(sent: boolean): CallFailure {
  return new CallFailure(
    "no-room",
    sent,
    "The calls under way hold as much of the server's memory as they may (sandbox.calls-memory-mb).",
  );
}
