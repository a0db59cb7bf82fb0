// deno task bench: every benchmark, with ratios; exits 1 if a floor is missed. `bench calls` runs one alone.

import { benchCalls } from "./calls.ts";
import { benchCluster } from "./cluster.ts";
import { benchColdStarts } from "./cold_starts.ts";
import { benchDeployments } from "./deployments.ts";
import { benchEventLoop } from "./event_loop.ts";
import { benchFunctions } from "./functions.ts";
import { benchGrowth } from "./growth.ts";
import { benchGuard } from "./guard.ts";
import { benchMemory } from "./memory.ts";
import { benchObserve } from "./observe.ts";
import { benchPages } from "./pages.ts";
import { benchRotation } from "./rotation.ts";
import { benchRouting } from "./routing.ts";
import { benchSealed } from "./sealed.ts";
import { benchSignIn } from "./sign_in.ts";

const wanted = new Set(Deno.args);
const chosen = (name: string) => wanted.size === 0 || wanted.has(name);
const missed: string[] = [];
if (chosen("calls")) missed.push(...await benchCalls());
if (chosen("cluster")) missed.push(...await benchCluster());
if (chosen("cold-starts")) missed.push(...await benchColdStarts());
if (chosen("deployments")) missed.push(...await benchDeployments());
if (chosen("event-loop")) missed.push(...await benchEventLoop());
if (chosen("observe")) missed.push(...await benchObserve());
if (chosen("functions")) missed.push(...await benchFunctions());
if (chosen("growth")) missed.push(...await benchGrowth());
if (chosen("guard")) missed.push(...await benchGuard());
if (chosen("memory")) await benchMemory();
if (chosen("pages")) missed.push(...await benchPages());
if (chosen("rotation")) missed.push(...await benchRotation());
if (chosen("routing")) missed.push(...await benchRouting());
if (chosen("sealed")) missed.push(...await benchSealed());
if (chosen("sign-in")) missed.push(...await benchSignIn());
console.log(missed.length === 0 ? "\nno floor missed" : `\nmissed: ${missed.join("; ")}`);
Deno.exit(missed.length === 0 ? 0 : 1);
