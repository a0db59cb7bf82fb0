// Starts the worker that runs a handler: connects to the host, loads the handler, answers calls. Even a handler that
// takes over this isolate can ask the host only for what its function may have.

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
import { keepSignals } from "./call_context.ts";
import { captureConsole, CONSOLE_OVERRIDE, Printer } from "./console.ts";
import { type Entry, entryOf } from "./entry.ts";
import { ownEnvironment } from "./environment.ts";
import { correctFetch, directFetch, routeFetch } from "./fetched.ts";
import { HostLookups } from "./host_lookups.ts";
import { Invocation } from "./invocation.ts";
import { lookUpByHost, networkOverrides } from "./network.ts";
import { lockDown } from "./lockdown.ts";
import { SealedExchanges } from "./sealed_exchange.ts";
import { createSealedFetch, mayCarry, type SealedCall } from "./sealed_fetch.ts";
import { sealedNodeOverrides } from "./sealed_node.ts";
import { explainRefusals, explainText, PROGRAM_OVERRIDE } from "./refusals.ts";
import { AnswerWriter, StandardStreams } from "./standard_streams.ts";
import { hideSystem, SYSTEM_OVERRIDES } from "./system.ts";
import { logUncaught } from "./uncaught.ts";
import { rememberTexts } from "./response_text.ts";

// Taken before the handler's code can replace them.
const { parse } = JSON;
const connect = Deno.connect;
const inspect = Deno.inspect;
const now = performance.now.bind(performance);

lockDown();
explainRefusals();
ownEnvironment();
hideSystem();
rememberTexts();
keepSignals();
correctFetch();

/** The id of the invocation whose code runs. Only the id, as values in here live much longer than the call. */
const running = new AsyncLocalStorage<number>();

/** Where the host listens, and the token that it expects as the first bytes. */
interface Channel {
  readonly socket: string;
  readonly token: Uint8Array;
  /** The hosts that the function may connect to, if they are listed. */
  readonly hosts: readonly string[];
}

addEventListener("message", (event) => void serve((event as MessageEvent<Channel>).data), { once: true });
logUncaught(running);

/** Serves the host until it closes the socket. One long function, as all frames share the state of the process. */
async function serve({ socket, token, hosts }: Channel): Promise<void> {
  const connection = await connect({ transport: "unix", path: socket });
  // A new socket accepts these few bytes at once.
  await connection.write(token);
  const invocations = new IdTable<Invocation>();
  const writer = new AnswerWriter(connection.write.bind(connection), () => invocations.size >= BUSY_CALLS);
  const printer = new Printer(writer, () => running.getStore() ?? 0);
  const streams = new StandardStreams(printer);
  streams.capture();
  writer.streams = streams;
  const lookups = new HostLookups(writer);
  lookUpByHost(lookups);
  const exchanges = new SealedExchanges(writer);
  const sealedCall = (invocation: Invocation | undefined): SealedCall | undefined =>
    invocation?.sealed && { id: invocation.id, sealed: invocation.sealed };
  const current = () => sealedCall(invocations.get(running.getStore() ?? 0));
  const callFor = (url: string): SealedCall | undefined => {
    const call = current();
    return call && mayCarry(call, url) ? call : undefined;
  };
  routeFetch(createSealedFetch({
    exchanges,
    current,
    calls: () => invocations.items().map(sealedCall).filter((call) => call !== undefined),
    direct: directFetch,
  }));
  // A spare process waits for its function, and does this meanwhile.
  const prepared = captureConsole(printer).then(() =>
    overrideBuiltins([
      ...SYSTEM_OVERRIDES,
      ...streams.overrides,
      ...networkOverrides(hosts, lookups),
      ...sealedNodeOverrides({ exchanges, callFor, current }),
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
          () => {
            invocations.delete(id);
            exchanges.callEnded(id);
          },
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
        // Output of the handler's abort listeners belongs to its call.
        if (invocation) running.run(id, () => invocation.abort());
        // The call ended before the frame arrived.
        else writer.send(ToHost.Settled, id, "ok" satisfies SettledOutcome);
        break;
      }
      case ToSandbox.Answer:
        invocations.get(id)?.receiveAnswer(parse(payload));
        break;
      case ToSandbox.Looked:
        lookups.receive(parse(payload));
        break;
      case ToSandbox.Fetched:
      case ToSandbox.FetchedBody:
      case ToSandbox.FetchedEnd:
      case ToSandbox.FetchCredit:
      case ToSandbox.FetchFailed:
        exchanges.receive(type, payload, body);
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
  // The host has closed the socket, and no longer uses this process.
  close();
}

/** Returns an error as the function's log shows it: message, stack and causes. Any value can be thrown. */
function errorText(error: unknown): string {
  try {
    const text = inspect(error, { colors: false, depth: 4 }).slice(0, LOG_TEXT_MAX_LENGTH);
    // The explained text may be longer.
    return explainText(text).slice(0, LOG_TEXT_MAX_LENGTH);
  } catch {
    return "an error that cannot be shown";
  }
}
