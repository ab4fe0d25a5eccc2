"""The filter of system calls of a sealed session: an allow-list, everything else fails.

What is not on the list fails with EPERM and does not kill, so that a library which tries to open
a file goes on without it. New code cannot be mapped, new processes can only be copies, and no
signal can be sent, neither at once nor when something happens to a descriptor. What a session never
asks of a call that it needs is refused too: descriptors in a message, urgent data, poisoned memory,
the handle of the owner's process.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import socket
from dataclasses import dataclass
from functools import cache
from struct import Struct

from rlm_kernel.errors import ConfigurationError
from rlm_kernel.sandbox.system_calls import MACHINE, NUMBERS, prctl

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
RET_ALLOW, RET_ERRNO, RET_KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
REFUSE = RET_ERRNO | errno.EPERM
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Source: Linux's `include/uapi/linux/{prctl,seccomp,audit}.h`."""

LOAD, EQUALS, HAS_ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
"""Opcodes of classic BPF: absolute words, jumps by a constant; source: `linux/bpf_common.h`."""

NUMBER_OFFSET, ARCHITECTURE_OFFSET, ARGUMENTS_OFFSET = 0, 4, 16
"""Fields of `struct seccomp_data`; arguments are 8 bytes each, the low half first."""

PROT_EXEC = 4
CLONE_NEW = 0x7E020080
CLONE_PIDFD, CLONE_PTRACE, CLONE_VFORK = 0x1000, 0x2000, 0x4000
CLONE_PARENT, CLONE_UNTRACED = 0x8000, 0x800000
NO_PLAIN_COPY = CLONE_NEW | CLONE_PIDFD | CLONE_PTRACE | CLONE_VFORK | CLONE_PARENT
NO_PLAIN_COPY |= CLONE_UNTRACED
"""Flags that neither a thread nor fork(2) has; source: `linux/sched.h`."""

HARMLESS_ADVICE = 0x1F
"""All kinds of madvise(2) up to here concern the process's own memory; those above poison or
unplug the machine's; source: `asm-generic/mman-common.h`."""

SO_PROTOCOL, SO_DOMAIN = 38, 39
SOCKET_FACTS = (socket.SO_TYPE, socket.SO_ERROR, SO_PROTOCOL, SO_DOMAIN)
"""What Python asks of a socket. SO_PEERPIDFD is not among it; source: `asm-generic/socket.h`."""

Instruction = tuple[int, int, int, int]
_INSTRUCTION = Struct("<HBBI")


@dataclass(frozen=True, slots=True)
class Rule:
    """Answers a call when its argument at `position` passes `test` with `value`."""

    position: int
    test: int
    value: int
    answer: int

    def steps(self) -> list[Instruction]:
        return [
            (LOAD, 0, 0, ARGUMENTS_OFFSET + 8 * self.position),
            (self.test, 0, 1, self.value),
            (RETURN, 0, 0, self.answer),
        ]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a call is answered with: by the first rule that applies, `otherwise` where none does."""

    otherwise: int
    rules: tuple[Rule, ...] = ()

    def steps(self, number: int) -> list[Instruction]:
        body = [step for rule in self.rules for step in rule.steps()]
        body.append((RETURN, 0, 0, self.otherwise))
        return [(EQUALS, 0, len(body), number), *body]


ALLOWED = Policy(RET_ALLOW)
NO_URGENT_DATA_AT_3 = Policy(RET_ALLOW, (Rule(3, HAS_ANY_BIT, socket.MSG_OOB, REFUSE),))
NO_URGENT_DATA_AT_2 = Policy(RET_ALLOW, (Rule(2, HAS_ANY_BIT, socket.MSG_OOB, REFUSE),))
NO_NEW_CODE = Policy(RET_ALLOW, (Rule(2, HAS_ANY_BIT, PROT_EXEC, REFUSE),))
HARMLESS_COMMANDS = (fcntl.F_DUPFD_CLOEXEC, fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL)

POLICIES = {
    "mmap": NO_NEW_CODE,
    "mprotect": NO_NEW_CODE,
    "clone": Policy(RET_ALLOW, (Rule(0, HAS_ANY_BIT, NO_PLAIN_COPY, REFUSE),)),
    # Its flags lie in memory, where no filter sees them; libc then uses clone.
    "clone3": Policy(RET_ERRNO | errno.ENOSYS),
    # F_SETOWN, F_SETSIG and O_ASYNC would send any signal to any process, and the lifeline, which
    # has them from the owner, must keep them.
    "fcntl": Policy(
        REFUSE, tuple(Rule(1, EQUALS, command, RET_ALLOW) for command in HARMLESS_COMMANDS)
    ),
    "madvise": Policy(RET_ALLOW, (Rule(2, HAS_ANY_BIT, ~HARMLESS_ADVICE & 0xFFFFFFFF, REFUSE),)),
    "getsockopt": Policy(REFUSE, tuple(Rule(2, EQUALS, fact, RET_ALLOW) for fact in SOCKET_FACTS)),
    # Of all that sockets of this machine do, urgent data has been the least safe.
    "sendto": NO_URGENT_DATA_AT_3,
    "recvfrom": NO_URGENT_DATA_AT_3,
    "recvmsg": NO_URGENT_DATA_AT_2,
    # On the table of numbers for sealing, not for a sealed process.
    "prctl": Policy(REFUSE),
}
"""Of the calls on the table of numbers that are not simply allowed."""


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def restrict_system_calls() -> None:
    """Puts the filter on this thread and all that it starts, for good.

    The process must have given up new privileges. Raises OSError, and ConfigurationError on a
    machine whose numbers of system calls are not known.
    """
    if not NUMBERS:
        raise ConfigurationError(f"the system calls of {MACHINE} are not known")
    code = filter_program()
    program = _Program(len(code) // _INSTRUCTION.size, code)
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program))


@cache
def filter_program() -> bytes:
    """The filter as BPF instructions."""
    steps: list[Instruction] = [
        (LOAD, 0, 0, ARCHITECTURE_OFFSET),
        (EQUALS, 1, 0, ARCHITECTURES[MACHINE]),
        (RETURN, 0, 0, RET_KILL_PROCESS),
        (LOAD, 0, 0, NUMBER_OFFSET),
    ]
    for name, number in NUMBERS.items():
        steps += POLICIES.get(name, ALLOWED).steps(number)
    steps.append((RETURN, 0, 0, REFUSE))
    return b"".join(_INSTRUCTION.pack(*step) for step in steps)
