// Defines the ways in which a call can fail in a sandbox.

/** Why a call has no response from the handler. `sent` says whether the handler may have started it. */
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
      /** Its function or key was revoked, or its key expired, while it ran. */
      | "revoked"
      /** The caller stopped sending the request's body. */
      | "silent"
      | "no-room"
      | "suspended"
      | "withheld",
    readonly sent: boolean,
    message: string,
    /** After how long the caller may retry. */
    readonly retryAfterSeconds = 1,
  ) {
    super(message);
  }
}

/** Returns the failure of a call whose function or key was changed before it was sent. */
export function outdated(): CallFailure {
  return new CallFailure("outdated", false, "Its function or its API key was changed before the call was sent.");
}

/** Returns the failure of a call that lost its right while it ran. */
export function revoked(): CallFailure {
  return new CallFailure(
    "revoked",
    true,
    "Its function or its API key was changed or revoked, or the key expired, while it ran.",
  );
}

/** Returns the failure of a call for which the memory budget of calls has no room. */
export function tooMuchHeld(sent: boolean): CallFailure {
  return new CallFailure(
    "no-room",
    sent,
    "Running calls use all of the memory that the server reserves for calls (sandbox.calls-memory-mb).",
  );
}
