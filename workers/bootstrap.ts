// Entry of the worker that runs a handler: connects to the host, loads the handler, answers calls.
// Whatever the handler does to this isolate, it can ask the host for no more than its function may have.

import { AsyncLocalStorage } from "node:async_hooks";
import { IdTable } from "../src/sandbox/wire/id_table.ts";
import {
  BUSY_CALLS,
  type CallPayload,
  LOG_TEXT_MAX_LENGTH,
  readFrames,
  type RouteInfo,
  type SettledOutcome,
  type StartPayload,
  ToHost,
  ToSandbox,
} from "../src/sandbox/wire/protocol.ts";
import { overrideBuiltins } from "./builtins.ts";
import { passSignalsOn } from "./call_context.ts";
import { captureConsole, CONSOLE_OVERRIDE, Printer } from "./console.ts";
import { type Entry, entryOf } from "./entry.ts";
import { ownEnvironment } from "./environment.ts";
import { correctFetch } from "./fetched.ts";
import { HostLookups } from "./host_lookups.ts";
import { Invocation } from "./invocation.ts";
import { lookUpByHost, networkOverrides } from "./network.ts";
import { closeRealm } from "./realm.ts";
import { explainRefusals, inOwnTerms, PROGRAM_OVERRIDE } from "./refusals.ts";
import { AnswerWriter, StandardStreams } from "./standard_streams.ts";
import { hideSystem, SYSTEM_OVERRIDES } from "./system.ts";
import { tellUncaught } from "./uncaught.ts";
import { rememberBodies } from "./whole_body.ts";

// Taken before the handler's code can replace them.
const { parse } = JSON;
const connect = Deno.connect;
const inspect = Deno.inspect;
const now = performance.now.bind(performance);

closeRealm();
explainRefusals();
ownEnvironment();
hideSystem();
rememberBodies();
passSignalsOn();
correctFetch();

/** Number of the invocation whose code runs: the number alone, as what is stored here outlives the call by far. */
const running = new AsyncLocalStorage<number>();

/** Where the host listens, and the token that it expects as the first bytes. */
interface Channel {
  readonly socket: string;
  readonly token: Uint8Array;
  /** The hosts that the function may connect to, if they are listed. */
  readonly hosts: readonly string[];
}

addEventListener("message", (event) => void serve((event as MessageEvent<Channel>).data), { once: true });
tellUncaught(running);

async function serve({ socket, token, hosts }: Channel): Promise<void> {
  const connection = await connect({ transport: "unix", path: socket });
  // A new socket takes so few bytes at once.
  await connection.write(token);
  const invocations = new IdTable<Invocation>();
  const writer = new AnswerWriter(connection.write.bind(connection), () => invocations.size >= BUSY_CALLS);
  const printer = new Printer(writer, () => running.getStore() ?? 0);
  const streams = new StandardStreams(printer);
  streams.capture();
  writer.streams = streams;
  const lookups = new HostLookups(writer);
  lookUpByHost(lookups);
  // The process may wait for its function for long: by then this is done.
  const prepared = captureConsole(printer).then(() =>
    overrideBuiltins([
      ...SYSTEM_OVERRIDES,
      ...streams.overrides,
      ...networkOverrides(hosts, lookups),
      CONSOLE_OVERRIDE,
      PROGRAM_OVERRIDE,
    ])
  );
  let entry: Entry | undefined;
  let route: RouteInfo | undefined;

  const start = async (payload: StartPayload): Promise<void> => {
    try {
      await prepared;
      const module = await import(payload.entry);
      entry = entryOf(module.default, payload.route.route);
      route = payload.route;
      writer.send(ToHost.Ready, 0, String(now()));
    } catch (error) {
      writer.send(ToHost.LoadFailed, 0, errorText(error));
    }
  };

  await readFrames(connection.read.bind(connection), (type, id, payload, body) => {
    switch (type) {
      case ToSandbox.Start:
        void start(parse(payload));
        break;
      case ToSandbox.Call: {
        const invocation = new Invocation(
          writer,
          id,
          parse(payload) as CallPayload,
          body,
          route!,
          () => invocations.delete(id),
        );
        invocations.add(invocation);
        void running.run(id, () => invocation.run(entry!, errorText));
        break;
      }
      case ToSandbox.Body:
        invocations.get(id)?.receiveBody(body);
        break;
      case ToSandbox.BodyEnd:
        invocations.get(id)?.endBody();
        break;
      case ToSandbox.Abort: {
        const invocation = invocations.get(id);
        // What the handler prints about it is of its call.
        if (invocation) running.run(id, () => invocation.abort());
        // Its response has crossed the frame.
        else writer.send(ToHost.Settled, id, "ok" satisfies SettledOutcome);
        break;
      }
      case ToSandbox.Answer:
        invocations.get(id)?.receiveAnswer(parse(payload));
        break;
      case ToSandbox.Looked:
        lookups.receive(parse(payload));
        break;
      case ToSandbox.Credit:
        invocations.get(id)?.receiveCredit(Number(payload));
        break;
      case ToSandbox.Revoke:
        for (const invocation of invocations.items()) invocation.revokeAnswers();
        writer.send(ToHost.RevokeAck, 0, payload);
        break;
      case ToSandbox.Ping:
        writer.send(ToHost.Pong, 0);
        break;
    }
  });
  // The host has closed the socket: it is done with this process.
  close();
}

/** An error as the function's log shows it: message, stack and causes, or whatever was thrown. */
function errorText(error: unknown): string {
  try {
    const text = inspect(error, { colors: false, depth: 4 }).slice(0, LOG_TEXT_MAX_LENGTH);
    // Other words may be longer.
    return inOwnTerms(text).slice(0, LOG_TEXT_MAX_LENGTH);
  } catch {
    return "an error that cannot be shown";
  }
}
