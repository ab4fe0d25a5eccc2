"""The first process of a container, which is more than a program: it is everybody's last parent.

The kernel gives it no signal that it has no handler for, SIGTERM as little as the others, and
leaves it every process whose parent has ended. So the command runs in a child; what is left here
passes signals on to it, reaps whatever ends, and ends as the child does.
"""

from __future__ import annotations

import os
import signal

PASSED_ON = {
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
}


def stand_aside() -> None:
    """Where this is the first process, returns in a child of it and nowhere else."""
    if os.getpid() != 1:
        return
    # Blocked signals wait, also those that the kernel would not give to a first process.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*PASSED_ON, signal.SIGCHLD})
    child = os.fork()
    if child:
        os._exit(_attend(child))
    _take_the_terminal()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _take_the_terminal() -> None:
    """Ctrl-C is for the command alone, or it would come twice: from the terminal and passed on."""
    os.setpgid(0, 0)
    if os.isatty(0):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        os.tcsetpgrp(0, os.getpgrp())


def _attend(child: int) -> int:
    """The exit status of the child, as a shell would give it, once it has ended."""
    while True:
        number = signal.sigwait({*PASSED_ON, signal.SIGCHLD})
        if number != signal.SIGCHLD:
            os.kill(child, number)
        elif (status := _reap(child)) is not None:
            return status if status >= 0 else 128 - status


def _reap(child: int) -> int | None:
    """Takes all that have ended off the table of processes: the child's exit code, if it has."""
    found = None
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if ended == 0:
            return found
        if ended == child:
            found = os.waitstatus_to_exitcode(status)
