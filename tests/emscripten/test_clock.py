"""The calendar and the clocks, over dates that are odd."""

from __future__ import annotations

import calendar
import time
from struct import Struct
from typing import NamedTuple

import pytest

from tests.emscripten.guest import Guest

TM = Struct("<10i")
YEAR_LAST = (1 << 31) - 1


class BrokenDown(NamedTuple):
    second: int
    minute: int
    hour: int
    day: int
    month: int
    year: int
    weekday: int
    day_of_year: int
    daylight_saving: int
    offset: int


def broken_down(guest: Guest, seconds: int, name: str = "_gmtime_js") -> BrokenDown:
    address = guest.room(TM.size)
    assert guest.call(name, seconds, address) is None
    return BrokenDown(*TM.unpack(guest.memory.read(address, TM.size)))


def seconds_of(guest: Guest, *fields: int) -> tuple[int, BrokenDown]:
    """What mktime makes of second, minute, hour, day, month, year: the moment and the fields."""
    address = guest.put(TM.pack(*fields, *[99] * (10 - len(fields))))
    seconds: int = guest.call("_mktime_js", address)
    return seconds, BrokenDown(*TM.unpack(guest.memory.read(address, TM.size)))


MOMENTS = [
    *(0, -1, 1, 59, 60, 86399, 86400, -86400, -86401),
    *(951782399, 951782400, 951868800, 4107542400),  # around the leap days of 2000 and 2100
    *(calendar.timegm((1900, 2, 28, 23, 59, 59)), calendar.timegm((1900, 3, 1, 0, 0, 0))),
    *(calendar.timegm((1, 1, 1, 0, 0, 0)), calendar.timegm((9999, 12, 31, 23, 59, 59))),
    *(-62135596801, 253402300800),  # a second outside of the years 1 to 9999
    *((1 << 31) - 1, 1 << 31, -(1 << 31), -(1 << 31) - 1),
    *(10**14, -(10**14), 10**16, -(10**16)),
]


@pytest.mark.parametrize("seconds", MOMENTS)
def test_a_moment_is_broken_down_as_the_host_does_it(guest: Guest, seconds: int) -> None:
    there = time.gmtime(seconds)
    assert broken_down(guest, seconds) == BrokenDown(
        there.tm_sec,
        there.tm_min,
        there.tm_hour,
        there.tm_mday,
        there.tm_mon - 1,
        there.tm_year - 1900,
        (there.tm_wday + 1) % 7,
        there.tm_yday - 1,
        0,
        0,
    )
    assert broken_down(guest, seconds, "_localtime_js") == broken_down(guest, seconds)


@pytest.mark.parametrize("seconds", MOMENTS)
@pytest.mark.parametrize("name", ["_mktime_js", "_timegm_js"])
def test_what_was_broken_down_is_put_together_again(guest: Guest, name: str, seconds: int) -> None:
    address = guest.put(TM.pack(*broken_down(guest, seconds)))
    assert guest.call(name, address) == seconds


@pytest.mark.parametrize("sign", [1, -1])
def test_a_year_that_does_not_fit_is_the_last_that_does(guest: Guest, sign: int) -> None:
    limit = broken_down(guest, sign * ((1 << 63) - 1)).year
    assert limit == (YEAR_LAST - 1900 if sign > 0 else -(1 << 31))
    assert broken_down(guest, sign * 10**17).year == limit


@pytest.mark.parametrize(
    ("fields", "normalised"),
    [
        ((0, 0, 0, 32, 0, 70), (1970, 2, 1, 0, 0, 0)),
        ((0, 0, 0, 0, 0, 70), (1969, 12, 31, 0, 0, 0)),
        ((60, 59, 23, 31, 11, 99), (2000, 1, 1, 0, 0, 0)),
        ((-1, 0, 0, 1, 2, 100), (2000, 2, 29, 23, 59, 59)),
        ((0, 0, 0, 29, 1, 200), (2100, 3, 1, 0, 0, 0)),
        ((0, 0, 0, 1, -1, 70), (1969, 12, 1, 0, 0, 0)),
        ((0, 0, 0, 1, 24, 70), (1972, 1, 1, 0, 0, 0)),
        ((0, 0, -25, 1, 0, 70), (1969, 12, 30, 23, 0, 0)),
        ((1 << 30, 0, 0, 1, 0, 70), time.gmtime(1 << 30)[:6]),
    ],
)
def test_fields_are_brought_into_their_ranges(
    guest: Guest, fields: tuple[int, ...], normalised: tuple[int, ...]
) -> None:
    seconds, found = seconds_of(guest, *fields)
    assert seconds == calendar.timegm(normalised)
    assert found == broken_down(guest, seconds)


def test_the_second_before_the_epoch_is_no_failure(guest: Guest) -> None:
    seconds, found = seconds_of(guest, -1, 0, 0, 1, 0, 70)
    assert (seconds, found.weekday) == (-1, 3)


@pytest.mark.parametrize("year", [YEAR_LAST, YEAR_LAST - 1899, -(1 << 31)])
def test_a_year_beyond_all_counting_fails_and_writes_nothing(guest: Guest, year: int) -> None:
    fields = (0, 0, 0, 1, 0 if year > 0 else -1, year)
    seconds, found = seconds_of(guest, *fields)
    assert seconds == -1
    assert found == (*fields, 99, 99, 99, 99)


def test_every_field_at_its_largest_and_smallest_is_no_crash(guest: Guest) -> None:
    for value in ((1 << 31) - 1, -(1 << 31)):
        assert seconds_of(guest, *[value] * 6)[0] == -1
        seconds, found = seconds_of(guest, value, value, value, value, value, 70)
        assert found == broken_down(guest, seconds)


def test_a_date_goes_nowhere_but_into_the_guest(guest: Guest) -> None:
    for address in (-1, guest.memory.size - TM.size + 1):
        assert guest.call("_gmtime_js", 0, address) is None
        assert guest.call("_mktime_js", address) == -1
        assert guest.call("_tzset_js", address, address, address, address) is None


def test_the_guest_lives_in_utc(guest: Guest) -> None:
    zone, daylight, standard, summer = (guest.room(8) for _ in range(4))
    guest.memory.write_u32(zone, 99)
    guest.memory.write_u32(daylight, 99)
    guest.call("_tzset_js", zone, daylight, standard, summer)
    assert (guest.memory.read_u32(zone), guest.memory.read_u32(daylight)) == (0, 0)
    assert guest.memory.read(standard, 8) == guest.memory.read(summer, 8) == b"UTC" + bytes(5)


def test_emscriptens_own_clocks_count_milliseconds(guest: Guest) -> None:
    before = time.time_ns() // 1_000_000
    now = guest.call("emscripten_date_now")
    assert before <= now <= time.time_ns() // 1_000_000
    readings = [guest.call("emscripten_get_now") for _ in range(50)]
    assert readings == sorted(readings)
    assert abs(readings[0] - time.monotonic() * 1000) < 60_000
