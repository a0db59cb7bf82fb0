// The filter of system calls, run by a small machine for classic BPF (bpf(4)): also for processors that are not here.

import assert from "node:assert/strict";
import { seccompFilter } from "../../src/sandbox/process/seccomp.ts";

const SELF = 4_242;
const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const EPERM = 0x0005_0001;
const ENOSYS = 0x0005_0026;
const EAFNOSUPPORT = 0x0005_0061;

interface SystemCall {
  readonly arch: number;
  readonly number: number;
  readonly args: readonly number[];
}

/** What the program says of a system call. */
function decide(program: string, { arch, number, args }: SystemCall): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, true);
  data.setUint32(4, arch, true);
  args.forEach((value, index) => data.setBigUint64(16 + 8 * index, BigInt.asUintN(64, BigInt(value)), true));
  const self = new Uint8Array(Uint32Array.of(SELF).buffer).toHex();
  const bytes = Uint8Array.fromHex(program.replaceAll("pid_self", self));
  const code = new DataView(bytes.buffer);
  let value = 0;
  for (let at = 0; at < bytes.length; at += 8) {
    const constant = code.getUint32(at + 4, true);
    const jump = (holds: boolean) => at += 8 * code.getUint8(holds ? at + 2 : at + 3);
    switch (code.getUint16(at, true)) {
      case 0x20:
        value = data.getUint32(constant, true);
        break;
      case 0x15:
        jump(value === constant);
        break;
      case 0x35:
        jump(value >= constant);
        break;
      case 0x45:
        jump((value & constant) !== 0);
        break;
      case 0x06:
        return constant;
      default:
        assert.fail(`an unknown instruction at ${at}`);
    }
  }
  assert.fail("the program has no end");
}

const MACHINES = {
  x86_64: {
    arch: 0xc000003e,
    read: 0,
    ioctl: 16,
    socket: 41,
    clone: 56,
    kill: 62,
    ptrace: 101,
    setpriority: 141,
    sched_setaffinity: 203,
    tgkill: 234,
    inotify_init1: 294,
    prlimit64: 302,
    process_vm_readv: 310,
  },
  aarch64: {
    arch: 0xc00000b7,
    read: 63,
    ioctl: 29,
    socket: 198,
    clone: 220,
    kill: 129,
    ptrace: 117,
    setpriority: 140,
    sched_setaffinity: 122,
    tgkill: 131,
    inotify_init1: 26,
    prlimit64: 261,
    process_vm_readv: 270,
  },
};

for (const [name, machine] of Object.entries(MACHINES)) {
  Deno.test(`the filter for ${name} refuses what reaches other processes, and leaves what a process does with itself`, () => {
    const { program } = seccompFilter(name)!;
    const answer = (number: number, ...args: number[]) => decide(program, { arch: machine.arch, number, args });
    assert.equal(answer(machine.read, 0, 0, 10), ALLOW);
    for (const call of [machine.ptrace, machine.process_vm_readv, machine.inotify_init1, 424, 425, 434, 438]) {
      assert.equal(answer(call), EPERM, String(call));
    }
    const byPid: [number, (pid: number) => number[], self: boolean, zero: boolean][] = [
      [machine.prlimit64, (pid) => [pid, 7, 0, 0], true, true],
      [machine.sched_setaffinity, (pid) => [pid, 8, 0], false, true],
      [machine.setpriority, (pid) => [0, pid, 10], false, true],
      [machine.kill, (pid) => [pid, 9], true, false],
      [machine.tgkill, (pid) => [pid, pid, 6], true, false],
    ];
    for (const [call, args, self, zero] of byPid) {
      assert.equal(answer(call, ...args(SELF)), self ? ALLOW : EPERM, `${call} itself`);
      assert.equal(answer(call, ...args(0)), zero ? ALLOW : EPERM, `${call} 0`);
      for (const other of [1, SELF + 1, -1, -SELF]) {
        assert.equal(answer(call, ...args(other)), EPERM, `${call} ${other}`);
      }
    }
    // All processes of a group or a user.
    assert.equal(answer(machine.setpriority, 1, 0, 10), EPERM);
    assert.equal(answer(machine.setpriority, 2, 0, 10), EPERM);

    for (const family of [1, 2, 10]) assert.equal(answer(machine.socket, family, 1, 0), ALLOW, `family ${family}`);
    for (const family of [0, 3, 16, 17, 38, 40, 44]) {
      assert.equal(answer(machine.socket, family, 1, 0), EAFNOSUPPORT, `family ${family}`);
    }
    // A thread, as the C library makes one; namespaces one by one.
    assert.equal(answer(machine.clone, 0x003d_0f00), ALLOW);
    for (const bit of [17, 25, 26, 27, 28, 29, 30]) {
      assert.equal(answer(machine.clone, 1 << bit | 17), EPERM, String(bit));
    }
    assert.equal(answer(435), ENOSYS);
    assert.equal(answer(machine.ioctl, 0, 0x5401), ALLOW);
    assert.equal(answer(machine.ioctl, 0, 0x5412), EPERM);
  });

  Deno.test(`the filter for ${name} takes no other processor's numbers, and none that came later`, () => {
    const { program } = seccompFilter(name)!;
    for (const arch of [0x4000_0003, 0x4000_0028, 0xc000_003e, 0xc000_00b7].filter((arch) => arch !== machine.arch)) {
      assert.equal(decide(program, { arch, number: machine.read, args: [] }), KILL_PROCESS);
    }
    for (const number of [463, 500, 0x4000_0000, 0x4000_0000 + machine.ptrace, 0xffff_ffff]) {
      assert.equal(decide(program, { arch: machine.arch, number, args: [] }), ENOSYS, String(number));
    }
  });
}

Deno.test("where the numbers of system calls are not known there is no filter", () => {
  assert.equal(seccompFilter("riscv64"), undefined);
});
