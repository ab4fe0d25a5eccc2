"""The door: who comes in by which headers."""

from __future__ import annotations

import pytest

from rlm_kernel.errors import Forbidden, Unauthorized
from rlm_kernel.http.door import Door, is_loopback

OPEN = Door()
LOCKED = Door("s3cret")
LOCAL = {"Host": "127.0.0.1:8080"}


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "LocalHost.", "127.0.0.1", "127.8.9.1:1", "[::1]:80"]
)
def test_without_a_token_names_of_this_machine_come_in(host: str) -> None:
    OPEN.admit({"Host": host})


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1", "", "[", "0.0.0.0"],
)
def test_without_a_token_other_names_stay_out(host: str) -> None:
    with pytest.raises(Forbidden):
        OPEN.admit({"Host": host})


def test_a_request_without_host_stays_out() -> None:
    with pytest.raises(Forbidden):
        OPEN.admit({})


def test_with_the_token_any_name_comes_in() -> None:
    LOCKED.admit({"Host": "sandbox.example", "Authorization": "Bearer s3cret"})


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "token", "Token"])
def test_both_schemes_carry_the_token(scheme: str) -> None:
    LOCKED.admit({**LOCAL, "Authorization": f"{scheme} s3cret"})


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer S3cret", "Bearer s3cret2", "Basic s3cret",
                      "s3cret", "Bearer \xe9"]
)  # fmt: skip
def test_anything_but_the_token_stays_out(authorization: str) -> None:
    with pytest.raises(Unauthorized):
        LOCKED.admit({**LOCAL, "Authorization": authorization})


def test_a_path_may_be_open_to_those_without_the_token() -> None:
    LOCKED.admit(LOCAL, token_needed=False)


@pytest.mark.parametrize("door", [OPEN, LOCKED])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_of_other_sites_stay_out(door: Door, headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        door.admit({**LOCAL, "Authorization": "Bearer s3cret", **headers})


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_page_of_its_own_and_a_typed_address_come_in(headers: dict[str, str]) -> None:
    OPEN.admit({**LOCAL, **headers})


def test_the_token_does_not_show() -> None:
    assert "s3cret" not in repr(LOCKED)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_loopback_is_told(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.168.1.1", "example.org", "localhost.x"])
def test_anything_else_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)
