"""What people get to see: the groups, the table, the plot."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from rlm_kernel.agent.evaluation import Conditions, Result
from rlm_kernel.agent.evaluation.axis import Axis, decades_axis
from rlm_kernel.agent.evaluation.plot import plot
from rlm_kernel.agent.evaluation.report import progress_line, write_report
from rlm_kernel.agent.evaluation.result import Failed, Spent
from rlm_kernel.agent.evaluation.summary import Spread, summarise
from rlm_kernel.agent.evaluation.table import markdown_table
from rlm_kernel.agent.evaluation.tokens import cut_to, estimate_tokens, parse_length, show_length
from rlm_kernel.errors import ConfigurationError

SVG = "{http://www.w3.org/2000/svg}"


def result(
    method: str = "rlm",
    score: float | None = 1.0,
    *,
    task: str = "oolong",
    length: int = 8192,
    number: int = 0,
    cost: float | None = 0.02,
    shown: float | None = None,
) -> Result:
    failed = Failed(code="model_failed", message="out\nof order") if score is None else None
    spent = Spent(calls=2, input_tokens=900, output_tokens=100, cost_usd=cost, seconds=3.21)
    return Result(
        task=task,
        length=length,
        number=number,
        method=method,
        kind="count",
        score=score,
        truth="12",
        error=failed,
        spent=spent,
        shown=shown,
    )


def test_errors_are_left_out_of_the_score_and_nothing_in_the_whole() -> None:
    (group,) = summarise([result(score=1.0), result(score=0.5), result(score=None)])
    assert (group.items, group.errors) == (3, {"model_failed": 1})
    assert group.score.mean == 0.75
    assert group.score.deviation == pytest.approx(0.3536, abs=1e-4)
    assert group.overall.mean == 0.5


def test_there_is_no_mean_of_nothing_and_no_deviation_of_one() -> None:
    (group,) = summarise([result(score=None)])
    assert group.score == Spread(None, None)
    assert group.overall == Spread(0.0, None)


def test_a_cost_is_told_only_where_all_are_known() -> None:
    (known,) = summarise([result(cost=0.02), result(cost=0.04)])
    (unknown,) = summarise([result(cost=0.02), result(cost=None)])
    assert known.cost_usd == pytest.approx(0.03)
    assert unknown.cost_usd is None


def test_the_table_has_a_row_for_each_task_length_and_method() -> None:
    results = [
        result("rlm", 0.5, length=131072),
        result("plain", None, length=8192, shown=0.25),
        result("rlm", 1.0, length=8192),
    ]
    assert markdown_table(summarise(results)).splitlines()[2:] == [
        "| oolong | 8k | rlm | 1 | 1.00 | 0 | 1.00 | all, as a variable | 2.0 | 1,000 | $0.0200 "
        "| 3.2 |",
        "| oolong | 8k | plain | 1 | - | 1 model_failed | 0.00 | 25% | 2.0 | 1,000 | $0.0200 "
        "| 3.2 |",
        "| oolong | 128k | rlm | 1 | 0.50 | 0 | 0.50 | all, as a variable | 2.0 | 1,000 | $0.0200 "
        "| 3.2 |",
    ]


def test_the_plot_has_a_mark_for_each_score_at_its_height() -> None:
    results = [result("rlm", 1.0, length=length) for length in (1024, 4096, 16384)]
    results += [result("plain", 0.0, length=length) for length in (1024, 4096)]
    root = ElementTree.fromstring(plot(summarise(results), "<a> & b"))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"<a> & b", "rlm", "plain", "oolong", "1k", "4k", "16k", "cost per item"} <= set(texts)
    dots = [float(dot.get("cy", "")) for dot in root.iter(f"{SVG}circle")]
    squares = [float(each.get("y", "")) for each in root.iter(f"{SVG}rect") if each.get("x")]
    assert (len(dots), len(squares)) == (1 + 3 * 2, 1 + 2 * 2), "the legend's, and two charts'"
    assert len(set(dots[1:4])) == 1
    assert squares[1] - dots[1] == pytest.approx(150 - 4), "the whole height of a chart"


@pytest.mark.parametrize("cost", [0.0, None])
def test_what_costs_nothing_or_has_no_price_is_plotted_in_tokens(cost: float | None) -> None:
    drawn = plot(summarise([result(cost=cost)]), "")
    assert "tokens per item" in drawn
    assert "cost per item" not in drawn


def test_items_that_took_no_tokens_at_all_are_no_obstacle() -> None:
    failed = result(score=None).model_copy(update={"spent": Spent()})
    ElementTree.fromstring(plot(summarise([failed]), ""))


def test_an_axis_places_by_value_or_by_logarithm_and_never_beyond_its_ends() -> None:
    plain = Axis(0, 1, (), str)
    assert [plain.place(each, 10, 20) for each in (-1, 0, 0.5, 1, 2)] == [10, 10, 15, 20, 20]
    decades = decades_axis([3, 500], str)
    assert decades.ticks == [1, 10, 100, 1000]
    assert decades.place(10, 0, 3) == pytest.approx(1)


def test_a_result_is_one_line() -> None:
    line = progress_line(result(score=None), 2, 9)
    assert line == "[2/9] oolong 8k no. 0, rlm: error: model_failed: out of order (3.2 s)"
    assert progress_line(result(score=0.5625), 3, 9).endswith("rlm: 0.56 (3.2 s)")


def test_the_report_is_files_beside_the_results(tmp_path: Path) -> None:
    conditions = Conditions("openai/one", "openai/one", seed=3)
    table = write_report([result()], conditions, tmp_path / "one-1.5b")
    assert (tmp_path / "one-1.5b.md").read_text() == f"# openai/one, seed 3\n\n{table}"
    assert (tmp_path / "one-1.5b.svg").read_text().startswith("<svg ")


@pytest.mark.parametrize(
    ("text", "tokens"), [("8k", 8192), ("8192", 8192), ("1M", 1 << 20), (" 512 ", 512)]
)
def test_lengths_are_read_as_people_write_them(text: str, tokens: int) -> None:
    assert parse_length(text) == tokens
    assert parse_length(show_length(tokens)) == tokens


@pytest.mark.parametrize("text", ["", "k", "0", "511", "2m", "-8k", "8kb", "1e6", "8.5k"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(repr(text))):
        parse_length(text)


@pytest.mark.parametrize("tokens", [0, 1, 7, 10_000])
def test_a_text_is_cut_as_late_as_fits(tokens: int) -> None:
    text = "On 2024-03-05 user 12345 wrote. " * 40
    cut = cut_to(text, tokens)
    assert text.startswith(cut)
    assert estimate_tokens(cut) <= tokens
    assert cut == text or estimate_tokens(text[: len(cut) + 1]) > tokens
