// Builds the filter of system calls for sandbox processes (seccomp(2)), a classic BPF program (bpf(4), Linux
// Documentation/userspace-api/seccomp_filter.rst). It refuses what Landlock does not cover: ways to inspect other
// processes, to change their limits and scheduling, to leave messages for each other, and parts of the kernel that
// handlers do not need. landlock.pl installs it.

/** An architecture whose system call numbers are known. */
interface Architecture {
  /** AUDIT_ARCH_*, audit.h. */
  readonly audit: number;
  /** Number of each system call, without those that the architecture does not have. */
  readonly numbers: Readonly<Record<string, number>>;
}

/** From 424 on, the numbers are the same on every architecture. */
const COMMON = {
  pidfd_send_signal: 424,
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  pidfd_open: 434,
  clone3: 435,
  pidfd_getfd: 438,
  process_madvise: 440,
  mount_setattr: 442,
  quotactl_fd: 443,
  process_mrelease: 448,
  statmount: 457,
  listmount: 458,
};

const ARCHITECTURES: Partial<Record<typeof Deno.build.arch, Architecture>> = {
  // arch/x86/entry/syscalls/syscall_64.tbl
  // deno-fmt-ignore
  x86_64: {
    audit: 0xc000003e,
    numbers: {
      ...COMMON,
      ioctl: 16, shmget: 29, shmat: 30, shmctl: 31, socket: 41, clone: 56, kill: 62, semget: 64, semop: 65, semctl: 66,
      shmdt: 67, msgget: 68, msgsnd: 69, msgrcv: 70, msgctl: 71, ptrace: 101, syslog: 103, uselib: 134,
      personality: 135, setpriority: 141, sched_setparam: 142, sched_setscheduler: 144, vhangup: 153, modify_ldt: 154,
      pivot_root: 155, chroot: 161, acct: 163, settimeofday: 164, mount: 165, umount2: 166, swapon: 167, swapoff: 168,
      reboot: 169, sethostname: 170, setdomainname: 171, iopl: 172, ioperm: 173, init_module: 175, delete_module: 176,
      quotactl: 179, tkill: 200, sched_setaffinity: 203, lookup_dcookie: 212, semtimedop: 220, clock_settime: 227,
      tgkill: 234, rt_sigqueueinfo: 129, mq_open: 240, mq_unlink: 241, mq_timedsend: 242, mq_timedreceive: 243,
      mq_notify: 244, mq_getsetattr: 245, kexec_load: 246, add_key: 248, request_key: 249, keyctl: 250,
      ioprio_set: 251, inotify_init: 253, inotify_add_watch: 254, inotify_rm_watch: 255, migrate_pages: 256,
      unshare: 272, get_robust_list: 274, move_pages: 279, inotify_init1: 294, rt_tgsigqueueinfo: 297,
      perf_event_open: 298, fanotify_init: 300, fanotify_mark: 301, prlimit64: 302, name_to_handle_at: 303,
      open_by_handle_at: 304, setns: 308, process_vm_readv: 310, process_vm_writev: 311, kcmp: 312, finit_module: 313,
      sched_setattr: 314, seccomp: 317, kexec_file_load: 320, bpf: 321, execveat: 322, userfaultfd: 323,
    },
  },
  // include/uapi/asm-generic/unistd.h
  // deno-fmt-ignore
  aarch64: {
    audit: 0xc00000b7,
    numbers: {
      ...COMMON,
      lookup_dcookie: 18, inotify_init1: 26, inotify_add_watch: 27, inotify_rm_watch: 28, ioctl: 29, ioprio_set: 30,
      umount2: 39, mount: 40, pivot_root: 41, chroot: 51, vhangup: 58, quotactl: 60, acct: 89, personality: 92,
      unshare: 97, get_robust_list: 100, kexec_load: 104, init_module: 105, delete_module: 106, clock_settime: 112,
      syslog: 116, ptrace: 117, sched_setparam: 118, sched_setscheduler: 119, sched_setaffinity: 122, kill: 129,
      tkill: 130, tgkill: 131, rt_sigqueueinfo: 138, setpriority: 140, reboot: 142, sethostname: 161,
      setdomainname: 162, settimeofday: 170, mq_open: 180, mq_unlink: 181, mq_timedsend: 182, mq_timedreceive: 183,
      mq_notify: 184, mq_getsetattr: 185, msgget: 186, msgctl: 187, msgrcv: 188, msgsnd: 189, semget: 190, semctl: 191,
      semtimedop: 192, semop: 193, shmget: 194, shmctl: 195, shmat: 196, shmdt: 197, socket: 198, add_key: 217,
      request_key: 218, keyctl: 219, clone: 220, swapon: 224, swapoff: 225, migrate_pages: 238, move_pages: 239,
      rt_tgsigqueueinfo: 240, perf_event_open: 241, prlimit64: 261, fanotify_init: 262, fanotify_mark: 263,
      name_to_handle_at: 264, open_by_handle_at: 265, setns: 268, process_vm_readv: 270, process_vm_writev: 271,
      kcmp: 272, finit_module: 273, sched_setattr: 274, seccomp: 277, bpf: 280, execveat: 281, userfaultfd: 282,
      kexec_file_load: 294,
    },
  },
};

/** The first number that was not reviewed (Linux 6.13). This includes the x32 numbers of x86-64, which bypass rules. */
const UNKNOWN_FROM = 463;

/** Second arguments of ioctl that insert input into a terminal (ioctl_tty(2)). */
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;
/** CLONE_NEW* (clone(2)): time, mount, cgroup, UTS, IPC, user, PID and network namespaces. */
const CLONE_NAMESPACES = 0x7e02_0000;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const PRIO_PROCESS = 0;
const IOPRIO_WHO_PROCESS = 1;

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const ERRNO = 0x0005_0000;

/** Offsets in struct seccomp_data; of arguments the low half, on little endian machines. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const argument = (index: number): number => 16 + 8 * index;

/** BPF_LD | BPF_W | BPF_ABS, and so on. */
const LOAD = 0x20;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;
const RETURN = 0x06;

/** The id of the process itself, which only landlock.pl knows. */
const SELF = "self";
/** One instruction: what to do, how many to skip if so and if not, and its constant. */
type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, constant: number | typeof SELF];

const load = (offset: number): Instruction => [LOAD, 0, 0, offset];
const end = (action: number): Instruction => [RETURN, 0, 0, action];
const refuse = (errno: number): Instruction => end(ERRNO | errno);
/** Continues with the next instruction if the value is `constant`, else skips `count`. */
const unlessEqualSkip = (constant: number | typeof SELF, count: number): Instruction => [
  IF_EQUAL,
  0,
  count,
  constant,
];

/** Allows the call if each argument has one of its values. */
function allowOnly(allowed: Record<number, readonly (number | typeof SELF)[]>, errno = EPERM): Instruction[] {
  const checks = Object.entries(allowed).flatMap(([index, values]) => [
    load(argument(Number(index))),
    // Jumps to the first instruction after the refusal.
    ...values.map((value, at): Instruction => [IF_EQUAL, values.length - at, 0, value]),
    refuse(errno),
  ]);
  return [...checks, end(ALLOW)];
}

/** Rules for calls that depend on arguments. They run once the number is known, and end the program. */
const BY_ARGUMENTS: Readonly<Record<string, readonly Instruction[]>> = {
  // Only for itself: Deno raises its limit of descriptors. A pid of 0 is the caller.
  prlimit64: allowOnly({ 0: [0, SELF] }),
  sched_setaffinity: allowOnly({ 0: [0] }),
  sched_setscheduler: allowOnly({ 0: [0] }),
  sched_setparam: allowOnly({ 0: [0] }),
  sched_setattr: allowOnly({ 0: [0] }),
  setpriority: allowOnly({ 0: [PRIO_PROCESS], 1: [0] }),
  ioprio_set: allowOnly({ 0: [IOPRIO_WHO_PROCESS], 1: [0] }),
  // Landlock's scopes do this only from Linux 6.12 on. abort(3) signals its own thread.
  kill: allowOnly({ 0: [SELF] }),
  tgkill: allowOnly({ 0: [SELF] }),
  // Not AF_VSOCK, AF_NETLINK, AF_PACKET, AF_ALG and some forty others.
  socket: allowOnly({ 0: [AF_UNIX, AF_INET, AF_INET6] }, EAFNOSUPPORT),
  clone: [load(argument(0)), [IF_ANY_BIT, 0, 1, CLONE_NAMESPACES], refuse(EPERM), end(ALLOW)],
  // Its flags are in memory, which a filter cannot read. The C library then uses clone.
  clone3: [refuse(ENOSYS)],
  ioctl: [
    load(argument(1)),
    unlessEqualSkip(TIOCSTI, 1),
    refuse(EPERM),
    unlessEqualSkip(TIOCLINUX, 1),
    refuse(EPERM),
    end(ALLOW),
  ],
  // Another filter could make later calls of this process fail in unforeseen ways.
  seccomp: [refuse(EPERM)],
};

/**
 * Returns the number of seccomp(2) and the program in hexadecimal digits, where `pid_self` stands for the four bytes
 * of the process's id; undefined for an architecture whose numbers are not known here.
 */
export function seccompFilter(arch: string = Deno.build.arch): { number: number; program: string } | undefined {
  const architecture = ARCHITECTURES[arch as typeof Deno.build.arch];
  if (!architecture) return undefined;
  const { audit, numbers } = architecture;
  const program: Instruction[] = [
    load(ARCHITECTURE),
    // 32-bit programs have other numbers.
    [IF_EQUAL, 1, 0, audit],
    end(KILL_PROCESS),
    load(NUMBER),
    [IF_AT_LEAST, 0, 1, UNKNOWN_FROM],
    refuse(ENOSYS),
    ...Object.entries(numbers).flatMap(([name, number]) => {
      const rule = BY_ARGUMENTS[name] ?? [refuse(EPERM)];
      return [unlessEqualSkip(number, rule.length), ...rule];
    }),
    end(ALLOW),
  ];
  return { number: numbers.seccomp!, program: program.map(encode).join("") };
}

/** struct sock_filter (filter.h). */
function encode([code, ifTrue, ifFalse, constant]: Instruction): string {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setUint16(0, code, true);
  bytes.setUint8(2, ifTrue);
  bytes.setUint8(3, ifFalse);
  if (constant !== SELF) bytes.setUint32(4, constant, true);
  const hex = [...new Uint8Array(bytes.buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return constant === SELF ? `${hex.slice(0, 8)}pid_self` : hex;
}
