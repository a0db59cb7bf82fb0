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
