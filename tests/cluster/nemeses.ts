// What happens to nodes, PostgreSQL and the network between them while clients work, and how it ends.

import type { TestCluster, TestNode } from "./nodes.ts";
import type { TestPostgres } from "./postgres.ts";

export interface World {
  readonly cluster: TestCluster;
  readonly postgres: TestPostgres;
  readonly random: () => number;
}

export interface Nemesis {
  readonly name: string;
  /** Causes trouble; what it returns ends it. */
  begin(world: World): Promise<() => Promise<void> | void>;
  /** Prepares a node before it is started. @throws Error if this machine lacks something, which skips the nemesis */
  readonly prepare?: (node: TestNode) => Promise<void>;
}

const DISK_MB = 96;

/** Left out where tests may not mount a disk. */
const FULL_DISK: Nemesis = {
  name: "a full disk of a node",
  prepare: async (node) => {
    if (node.name === "n1") await node.mountDisk(DISK_MB);
  },
  begin({ cluster }) {
    const node = cluster.nodes.find(({ hasOwnDisk }) => hasOwnDisk)!;
    node.fillDisk();
    return Promise.resolve(() => node.emptyDisk());
  },
};

function anyNode({ cluster, random }: World): TestNode {
  const running = cluster.nodes.filter((node) => node.isRunning);
  return running[Math.floor(random() * running.length)]!;
}

/** Left out without Debian's package libfaketime. */
const SET_CLOCK: Nemesis = {
  name: "a clock of a node that jumps",
  prepare: (node) => Promise.try(() => node.name === "n2" && node.useOwnClock()).then(() => {}),
  begin({ cluster, random }) {
    const node = cluster.nodes.find(({ hasOwnClock }) => hasOwnClock)!;
    node.setClock((random() - 0.5) * 120);
    return Promise.resolve(() => node.setClock(0));
  },
};

export const NEMESES: readonly Nemesis[] = [
  {
    name: "kill -9 of a node",
    async begin(world) {
      const node = anyNode(world);
      await node.kill();
      return () => node.start();
    },
  },
  {
    name: "SIGSTOP of a node",
    begin(world) {
      const node = anyNode(world);
      node.pause();
      return Promise.resolve(() => node.resume());
    },
  },
  {
    name: "kill -9 of PostgreSQL",
    async begin({ postgres }) {
      await postgres.kill();
      return () => postgres.restart();
    },
  },
  {
    name: "SIGSTOP of PostgreSQL",
    begin({ postgres }) {
      postgres.pause();
      return Promise.resolve(() => postgres.resume());
    },
  },
  {
    name: "a firewall that drops what a node and PostgreSQL send each other",
    begin(world) {
      const node = anyNode(world);
      node.proxy.hold();
      return Promise.resolve(() => node.proxy.heal());
    },
  },
  {
    name: "a network that ends all connections of a node",
    begin(world) {
      const node = anyNode(world);
      node.proxy.cut();
      return Promise.resolve(() => node.proxy.heal());
    },
  },
  {
    name: "a slow network",
    begin(world) {
      for (const { proxy } of world.cluster.nodes) proxy.delayMs = 10 + world.random() * 60;
      return Promise.resolve(() => {
        for (const { proxy } of world.cluster.nodes) proxy.heal();
      });
    },
  },
  {
    name: "a node that is restarted",
    async begin(world) {
      const node = anyNode(world);
      await node.stop();
      return () => node.start();
    },
  },
  {
    name: "a rotation of the encryption keys",
    begin(world) {
      const { server } = anyNode(world);
      const rotated = server.api("POST", "/api/encryption-keys/rotation").catch(() => {});
      return Promise.resolve(() => rotated.then(() => {}));
    },
  },
  {
    name: "a deployment",
    begin(world) {
      const { server } = anyNode(world);
      const text = `// ${world.random()}\nexport const changed = true;\n`;
      const saved = server.api("PUT", "/api/files/other.ts", text).catch(() => {});
      return Promise.resolve(() => saved.then(() => {}));
    },
  },
  FULL_DISK,
  SET_CLOCK,
];
