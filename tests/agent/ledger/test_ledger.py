"""What a tree may take is set aside before each call, and never given twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from rlm_kernel.agent import Budget, Completion, Message, ModelCosts
from rlm_kernel.agent.ledger.costs import CostRecord
from rlm_kernel.agent.ledger.ledger import ASSUMED_OUTPUT_TOKENS, Call, Ledger, Reservation
from rlm_kernel.agent.models.terms import Terms
from rlm_kernel.errors import (
    CallLimitExceeded,
    ConfigurationError,
    CostLimitExceeded,
    ErrorLimitExceeded,
    TokenLimitExceeded,
    TurnLimitExceeded,
)

CHEAP = Terms(0.001, 0.01, 100_000)


def call(terms: Terms = CHEAP, limit: int | None = 500, prompt: str = "x" * 184) -> Call:
    """One of 100 tokens for its prompt, and so many for its reply."""
    return Call("m", [Message("user", prompt)], terms, limit)


def ledger(costs: CostRecord | None = None, **budget: float) -> Ledger:
    return Ledger(Budget(**budget), costs or CostRecord())  # type: ignore[arg-type]


def reply(tokens_in: int = 100, tokens_out: int = 10, cost: float | None = 0.0) -> Completion:
    return Completion("", tokens_in, tokens_out, cost)


async def waits(work: asyncio.Task[Reservation]) -> bool:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return not work.done()


async def reserve_all(books: Ledger, calls: Sequence[Call]) -> list[Reservation]:
    return [await books.reserve(each) for each in calls]


def test_a_call_is_reserved_with_its_prompt_and_its_longest_reply() -> None:
    (reserved,) = asyncio.run(reserve_all(ledger(tokens=1_000), [call()]))
    assert (reserved.tokens, reserved.output_tokens) == (600, 500)
    assert reserved.cost_usd == pytest.approx(0.1 + 5.0)


@pytest.mark.parametrize(
    ("said", "known", "longest"),
    [
        (None, None, ASSUMED_OUTPUT_TOKENS),
        (None, 100, 100),
        (None, 128_000, ASSUMED_OUTPUT_TOKENS),
        (50_000, None, 50_000),
        (50_000, 4_000, 4_000),
    ],
)
def test_the_longest_reply_is_what_is_said_or_known_and_else_assumed(
    said: int | None, known: int | None, longest: int
) -> None:
    unsaid = call(Terms(max_output_tokens=known), said)
    (reserved,) = asyncio.run(reserve_all(ledger(tokens=10**6), [unsaid]))
    assert reserved.output_tokens == longest


@pytest.mark.parametrize("text", ["word " * 100, "数字" * 100, "🙂" * 100, "0f3a" * 100])
def test_the_estimate_of_a_prompt_counts_its_bytes(text: str) -> None:
    assert call(prompt=text).prompt_tokens == len(text.encode()) // 2 + 8


def test_without_a_limit_on_tokens_or_money_a_reply_may_be_as_long_as_it_likes() -> None:
    asked = [call(limit=None), call(limit=7)]
    reserved = asyncio.run(reserve_all(ledger(calls=9, seconds=9.0), asked))
    assert [each.output_tokens for each in reserved] == [None, 7]


def test_calls_at_once_are_not_given_the_same_tokens_twice() -> None:
    async def run() -> None:
        books = ledger(tokens=1_000)
        first = await books.reserve(call())
        second = asyncio.create_task(books.reserve(call()))
        assert await waits(second)
        books.settle(first, reply(100, 50))
        assert (await second).tokens == 600

    asyncio.run(run())


def test_calls_at_once_are_not_given_the_same_money_twice() -> None:
    async def run() -> None:
        books = ledger(cost_usd=6.0)
        first = await books.reserve(call())
        second = asyncio.create_task(books.reserve(call()))
        assert await waits(second)
        books.settle(first, reply(cost=0.9))
        assert (await second).output_tokens == 500
        assert books.usage().costs.total.cost_usd == 0.9

    asyncio.run(run())


def test_who_waits_is_served_in_the_order_of_coming() -> None:
    async def run() -> None:
        books = ledger(tokens=1_000)
        first = await books.reserve(call())
        large = asyncio.create_task(books.reserve(call()))
        await asyncio.sleep(0)
        small = asyncio.create_task(books.reserve(call(limit=1)))
        assert await waits(large)
        assert await waits(small)
        books.settle(first, reply(100, 50))
        await large
        await small

    asyncio.run(run())


def test_the_last_reply_is_as_long_as_what_is_left_covers() -> None:
    async def run() -> None:
        books = ledger(tokens=1_000)
        books.settle(await books.reserve(call()), reply(500, 100))
        assert (await books.reserve(call())).output_tokens == 300

    asyncio.run(run())


def test_money_left_covers_as_much_of_a_reply_as_it_pays() -> None:
    (reserved,) = asyncio.run(reserve_all(ledger(cost_usd=3.105), [call()]))
    assert reserved.output_tokens == 300
    assert reserved.cost_usd <= 3.105


def test_where_too_little_is_left_the_call_is_refused() -> None:
    async def run() -> None:
        books = ledger(tokens=600)
        books.settle(await books.reserve(call()), reply(100, 400))
        with pytest.raises(TokenLimitExceeded, match="100 of the budget's 600 tokens are left"):
            await books.reserve(call())
        books = ledger(cost_usd=6.0)
        books.settle(await books.reserve(call()), reply(cost=5.5))
        with pytest.raises(CostLimitExceeded, match=r"\$0\.5000 of the budget's \$6\.0000 are"):
            await books.reserve(call())

    asyncio.run(run())


def test_a_call_that_failed_gives_back_what_was_set_aside_if_it_cost_nothing() -> None:
    async def run() -> None:
        books = ledger(tokens=600)
        books.settle_failed(await books.reserve(call()), may_have_cost=False)
        await books.reserve(call())
        assert books.usage().costs.total == ModelCosts(calls=1, failed_calls=1)

    asyncio.run(run())


def test_a_call_that_may_have_cost_something_keeps_what_was_set_aside() -> None:
    async def run() -> None:
        books = ledger(tokens=600)
        books.settle_failed(await books.reserve(call()), may_have_cost=True)
        with pytest.raises(TokenLimitExceeded):
            await books.reserve(call())
        total = books.usage().costs.total
        assert (total.calls, total.failed_calls, total.uncertain_calls) == (1, 1, 1)
        assert total.input_tokens == 0  # what is not known is in no sum

    asyncio.run(run())


def test_calls_that_run_and_calls_that_failed_count() -> None:
    async def run() -> None:
        books = ledger(calls=2)
        books.settle_failed(await books.reserve(call()), may_have_cost=False)
        await books.reserve(call())
        with pytest.raises(CallLimitExceeded, match="the 2 model calls of the budget"):
            await books.reserve(call())

    asyncio.run(run())


def test_a_limit_on_money_needs_a_price() -> None:
    with pytest.raises(ConfigurationError, match="no price is known for calls of m"):
        asyncio.run(reserve_all(ledger(cost_usd=1.0), [call(Terms())]))


def test_a_free_model_is_limited_by_no_money() -> None:
    free = call(Terms(0.0, 0.0))
    reserved = asyncio.run(reserve_all(ledger(cost_usd=0.01), [free] * 20))
    assert {each.output_tokens for each in reserved} == {500}


def test_turns_and_errors_have_limits() -> None:
    books = ledger(turns=2, errors=2)
    books.begin_turn()
    books.count_error()
    books.begin_turn()
    with pytest.raises(TurnLimitExceeded, match="the 2 turns of the budget"):
        books.begin_turn()
    with pytest.raises(ErrorLimitExceeded, match="2 cells and model calls failed"):
        books.count_error()
    usage = books.usage()
    assert (usage.turns, usage.errors) == (2, 2)


def test_several_ledgers_share_one_record_of_costs() -> None:
    async def run() -> None:
        everything = CostRecord()
        one, other = (ledger(CostRecord(everything)) for _ in range(2))
        one.settle(await one.reserve(call()), reply(cost=0.5))
        other.settle(await other.reserve(call()), reply(cost=0.25))
        assert one.usage().costs.total.cost_usd == 0.5
        assert everything.summary().total.cost_usd == 0.75

    asyncio.run(run())
