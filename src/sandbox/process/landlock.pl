# Drops rights of this process irrevocably by Landlock (landlock(7)) and seccomp(2), then executes the given program.
# Arguments: the filter of system calls, as `<number of seccomp>:<program in hexadecimal>`, or empty; the
# Landlock rights to drop for files, TCP and other processes, as bits, or zeros; exceptions from them, as
# `<bits>:<path>` or `<bits>:tcp:<port>`; `--`; the program. The bits are made by landlock.ts, the filter by seccomp.ts.
use strict;
use warnings;

# The same on every architecture that Deno runs on.
my ($CREATE_RULESET, $ADD_RULE, $RESTRICT_SELF) = (444, 445, 446);
my ($PATH_BENEATH, $NET_PORT) = (1, 2);
my $SET_MODE_FILTER = 1;
my $O_PATH = 010000000;
# The rights that a rule for a file, not a folder, may have: execute, write, read, truncate, ioctl.
my $FILE_BITS = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15;

sub must { $_[1] >= 0 or die "landlock: $_[0]: $!\n"; return $_[1] }

# Without arguments it prints the version of the kernel's interface, or nothing where there is none.
if (!@ARGV) {
  my $abi = syscall($CREATE_RULESET, 0, 0, 1);
  print $abi if $abi > 0;
  exit;
}

my $filter = shift @ARGV;
my @taken = map { $_ + 0 } splice(@ARGV, 0, 3);
my $taken = pack("QQQ", @taken);
my $ruleset = $taken[0] && must("create", syscall($CREATE_RULESET, $taken, length $taken, 0));
while (defined(my $rule = shift @ARGV)) {
  last if $rule eq "--";
  my ($bits, $path) = split(/:/, $rule, 2);
  my ($type, $attributes, $file);
  if ($path =~ /^tcp:(\d+)$/) {
    ($type, $attributes) = ($NET_PORT, pack("QQ", $bits + 0, $1 + 0));
  } else {
    # Skip what does not exist.
    sysopen($file, $path, $O_PATH) or next;
    $bits &= $FILE_BITS unless -d $file;
    ($type, $attributes) = ($PATH_BENEATH, pack("Ql", $bits + 0, fileno $file));
  }
  must("allow $path", syscall($ADD_RULE, $ruleset, $type, $attributes, 0));
}
must("restrict", syscall($RESTRICT_SELF, $ruleset, 0)) if $ruleset;
if ($filter) {
  my ($seccomp, $code) = split(/:/, $filter, 2);
  # The program that this process becomes keeps its id.
  my $self = unpack("H8", pack("V", $$));
  $code =~ s/pid_self/$self/g;
  my $instructions = pack("H*", $code);
  # struct sock_fprog: how many instructions of 8 bytes, and where they are.
  my $program = pack("S x6 P", length($instructions) / 8, $instructions);
  must("seccomp", syscall($seccomp + 0, $SET_MODE_FILTER, 0, $program));
}
exec { $ARGV[0] } @ARGV or die "landlock: $ARGV[0]: $!\n";
