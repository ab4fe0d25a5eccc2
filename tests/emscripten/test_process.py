"""Ends of the process, and what a program asks about it."""

from __future__ import annotations

import pytest

from rlm_kernel.emscripten import Errno, GuestExit
from tests.emscripten.guest import FALLING, HANDLER, TWO_PARAMETERS, Guest


@pytest.mark.parametrize("name", ["exit", "proc_exit"])
@pytest.mark.parametrize("status", [0, 1, -1])
def test_an_exit_carries_its_status(guest: Guest, name: str, status: int) -> None:
    with pytest.raises(GuestExit) as caught:
        guest.call(name, status)
    assert caught.value.status == status


def test_an_abort_has_the_status_that_shells_give_it(guest: Guest) -> None:
    with pytest.raises(GuestExit) as caught:
        guest.call("_abort_js")
    assert (caught.value.status, caught.value.reason) == (134, "abort")


def test_a_failed_assertion_says_which(guest: Guest) -> None:
    with pytest.raises(GuestExit, match="assertion failed: x > 0"):
        guest.call("__assert_fail", "x > 0", 0, 0, 0)


@pytest.mark.parametrize("text", ["x" * 2000, b"\xff\xfe"])
def test_a_failed_assertion_with_an_odd_text_is_one_too(guest: Guest, text: str | bytes) -> None:
    with pytest.raises(GuestExit, match="assertion failed"):
        guest.call("__assert_fail", text, 0, 0, 0)


def test_a_failed_assertion_ends_the_process_whatever_it_points_to(guest: Guest) -> None:
    with pytest.raises(GuestExit, match="assertion failed"):
        guest.call("__assert_fail", -1, 0, 0, 0)


@pytest.mark.parametrize(("size", "name"), [(100, b"python\0"), (3, b"pyt"), (0, b"")])
def test_the_programs_name_fits_into_its_buffer(guest: Guest, size: int, name: bytes) -> None:
    buffer = guest.room(8)
    guest.call("_emscripten_get_progname", buffer, size)
    assert guest.memory.read(buffer, 8) == name.ljust(8, b"\0")


def test_there_is_no_shell(guest: Guest) -> None:
    assert guest.call("_emscripten_system", 0) == 0
    assert guest.call("_emscripten_system", "ls") == -Errno.ENOSYS


def test_the_guest_is_root_to_itself(guest: Guest) -> None:
    assert guest.syscall("getuid32_js") == 0


def test_no_name_of_the_network_is_known(guest: Guest) -> None:
    assert guest.call("getaddrinfo", "example.com", 0, 0, guest.room(4)) == -4
    assert guest.call("getnameinfo", 0, 0, 0, 0, 0, 0, 0) == -4


def test_a_signal_to_itself_is_handled(guest: Guest) -> None:
    guest.call("__call_sighandler", HANDLER, 15)
    assert guest.program.exports.address("handled") == 15


@pytest.mark.parametrize("handler", [0, 4, -1])
def test_a_handler_that_is_no_function_is_passed_over(guest: Guest, handler: int) -> None:
    guest.call("__call_sighandler", handler, 15)
    assert guest.program.exports.address("handled") == 0


@pytest.mark.parametrize("handler", [FALLING, TWO_PARAMETERS])
def test_a_handler_that_traps_ends_the_guest(guest: Guest, handler: int) -> None:
    with pytest.raises(GuestExit, match="134"):
        guest.call("__call_sighandler", handler, 15)
