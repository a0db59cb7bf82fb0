// Declares the opened parts of an app together.

import type { Announcements } from "./announcements.ts";
import type { ClusterPart } from "./cluster/cluster.ts";
import type { Code } from "./code.ts";
import type { Data } from "./data.ts";
import type { Domain } from "./domain.ts";
import type { Functions } from "./functions.ts";
import type { Sandboxes } from "./sandboxes.ts";
import type { Telemetry } from "./telemetry.ts";

export interface Parts extends ClusterPart, Data, Domain, Code, Telemetry, Sandboxes, Functions, Announcements {}
