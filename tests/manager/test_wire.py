"""Messages: the form of what Jupyter's clients are picky about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from rlm_kernel.manager.wire import SessionInfo

WHOLE_SECOND = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def info(created_at: datetime) -> SessionInfo:
    return SessionInfo(session_id="s", created_at=created_at, kernel_id="k")


def test_a_time_has_a_fraction_even_when_it_is_zero() -> None:
    assert '"created_at":"2026-11-23T12:00:00.000000Z"' in info(WHOLE_SECOND).model_dump_json()


def test_a_time_is_told_in_utc_and_comes_back_the_same() -> None:
    elsewhere = WHOLE_SECOND.astimezone(timezone(timedelta(hours=2)))
    sent = info(elsewhere).model_dump_json()
    assert "T12:00:00.000000Z" in sent
    assert SessionInfo.model_validate_json(sent).created_at == WHOLE_SECOND


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        info(datetime(2026, 11, 23))
