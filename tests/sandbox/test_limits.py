"""The limits of a session as values: where they come from, and how they reach the zygote."""

from __future__ import annotations

from rlm_kernel.sandbox import Limits
from rlm_kernel.settings import SandboxSettings


def test_limits_are_settings_of_the_same_name_with_the_same_defaults() -> None:
    assert Limits.of(SandboxSettings()) == Limits()


def test_each_limit_that_is_set_is_a_limit_of_the_sessions() -> None:
    settings = SandboxSettings(memory_bytes=1 << 28, interrupt_grace=0.5, standby=False)
    assert Limits.of(settings) == Limits(memory_bytes=1 << 28, interrupt_grace=0.5, standby=False)


def test_some_limits_can_be_chosen_in_place_of_the_settings() -> None:
    assert Limits.of(SandboxSettings(), standby=False) == Limits(standby=False)


def test_limits_survive_their_way_to_the_zygote() -> None:
    limits = Limits(memory_bytes=1 << 28, standby=False)
    assert Limits.from_json(limits.to_json()) == limits
