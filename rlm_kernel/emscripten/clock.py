"""Emscripten's own clocks and calendar. The guest lives in UTC."""

from __future__ import annotations

import time
from datetime import date, timedelta
from struct import Struct

from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.imports import imported
from rlm_kernel.emscripten.memory import GuestMemory
from rlm_kernel.emscripten.resolution import coarse

_TM = Struct("<9ii")
"""`struct tm` as Emscripten's JavaScript writes it: the nine C fields, then `tm_gmtoff`."""

TZNAME_BYTES = 7
"""Room for a time zone's name, its NUL included; source: Emscripten's `_tzset_js`."""

TM_YEAR_MIN, TM_YEAR_MAX = -(1 << 31), (1 << 31) - 1 - 1900
"""`tm_year` counts from 1900; programs add that again, and it must not overflow."""

DAY_S = 86400

EPOCH = date(1970, 1, 1)
ERA_START = date(2000, 1, 1)
ERA_YEARS, ERA_DAYS = 400, 146097
"""After an era the calendar repeats, weekdays included; Python's own ends with the year 9999."""


class ClockCalls:
    """Wall clock in milliseconds, broken-down time and the time zone."""

    def __init__(self, memory: GuestMemory) -> None:
        self._memory = memory

    @imported("emscripten_get_now", "", "d")
    def get_now(self) -> float:
        return coarse(time.monotonic_ns()) / 1_000_000

    @imported("emscripten_date_now", "", "d")
    def date_now(self) -> float:
        return time.time_ns() // 1_000_000

    @imported("_tzset_js", "IIII")
    def tzset(self, timezone: int, daylight: int, standard_name: int, daylight_name: int) -> None:
        self._memory.write_u32(timezone, 0)
        self._memory.write_u32(daylight, 0)
        for name in (standard_name, daylight_name):
            self._memory.write(name, b"UTC".ljust(TZNAME_BYTES, b"\0"))

    @imported("_gmtime_js", "qI")
    @imported("_localtime_js", "qI")
    def broken_down(self, seconds: int, result: int) -> None:
        """A moment as a `struct tm`. There is no way to fail: a year that does not fit into it
        becomes the last or first that does.
        """
        self._memory.write(result, _broken_down(seconds))

    @imported("_mktime_js", "I", "q", lambda errno: -1)
    @imported("_timegm_js", "I", "q", lambda errno: -1)
    def seconds_since_epoch(self, address: int) -> int:
        """The moment that a `struct tm` names; its fields are brought into their ranges."""
        fields = _TM.unpack(self._memory.read(address, _TM.size))
        second, minute, hour, day, month, year = fields[:6]
        days = _days_since_epoch(1900 + year + month // 12, month % 12 + 1) + day - 1
        seconds: int = days * DAY_S + hour * 3600 + minute * 60 + second
        if not TM_YEAR_MIN <= _date(seconds // DAY_S)[0] - 1900 <= TM_YEAR_MAX:
            raise SyscallError(Errno.EOVERFLOW)
        self._memory.write(address, _broken_down(seconds))
        return seconds


def _days_since_epoch(year: int, month: int) -> int:
    """Days from 1970 to the first of a month of any year."""
    eras, year_of_era = divmod(year - ERA_START.year, ERA_YEARS)
    first = ERA_START.replace(year=ERA_START.year + year_of_era, month=month)
    return eras * ERA_DAYS + (first - EPOCH).days


def _date(days: int) -> tuple[int, date]:
    """The year of a day that is counted from 1970, and a date that is like it in another era."""
    eras, day_of_era = divmod(days - (ERA_START - EPOCH).days, ERA_DAYS)
    like = ERA_START + timedelta(days=day_of_era)
    return like.year + eras * ERA_YEARS, like


def _broken_down(seconds: int) -> bytes:
    days, second_of_day = divmod(seconds, DAY_S)
    hour, second_of_hour = divmod(second_of_day, 3600)
    minute, second = divmod(second_of_hour, 60)
    year, like = _date(days)
    date_fields = (like.day, like.month - 1, min(max(year - 1900, TM_YEAR_MIN), TM_YEAR_MAX))
    position = (like.isoweekday() % 7, like.timetuple().tm_yday - 1)
    return _TM.pack(second, minute, hour, *date_fields, *position, 0, 0)
