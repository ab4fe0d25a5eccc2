"""Sources without what completions never look at."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest

from rlm_kernel.pyodide.pruning import pruned


def kept(source: str, *, bodies: bool = True, **names: object) -> str:
    """What is left of a source. All that is left is where it was."""
    before = dedent(source)
    after = pruned(before, names, bodies=bodies)
    pairs = list(zip(before.splitlines(), after.splitlines(), strict=True))
    assert all(new in (old, "") or new.strip() == "..." for old, new in pairs)
    return after


def test_a_branch_that_is_not_taken_says_nothing() -> None:
    source = """\
        import sys
        if sys.platform == "win32":
            first = 1
            second = 2
        else:
            third = 3
        """
    assert kept(source, sys=sys).splitlines() == [
        "import sys",
        'if sys.platform == "win32":',
        "    ...",
        "",
        "else:",
        "    third = 3",
    ]


def test_what_follows_a_branch_that_is_taken_says_nothing() -> None:
    source = """\
        if known:
            first = 1
        elif other:
            second = 2
        else:
            third = 3
        """
    assert kept(source, known=True).splitlines() == [
        "if known:",
        "    first = 1",
        "elif other:",
        "    ...",
        "else:",
        "    ...",
    ]


def test_the_branch_of_an_elif_may_be_the_one_that_is_taken() -> None:
    source = """\
        if "nt" in names:
            first = 1
        elif "posix" in names:
            second = 2
        """
    after = kept(source, names=["posix"])
    assert "second = 2" in after
    assert "first" not in after


@pytest.mark.parametrize("test", ["unknown", "call()", "values[3]", "sys.version_info >= 'x'"])
def test_branches_stay_where_a_condition_has_no_value_or_is_not_plain(test: str) -> None:
    source = f"if {test}:\n    first = 1\nelse:\n    second = 2\n"
    assert kept(source, values=[], call=bool, sys=sys) == source


def test_branches_within_classes_and_other_blocks_are_looked_at_too() -> None:
    source = """\
        class A:
            if known:
                first = 1
        try:
            if known:
                second = 2
        except ImportError:
            if known:
                third = 3
        """
    after = kept(source, known=False)
    assert after.count("...") == 3
    assert "= " not in after


def test_a_decorated_function_goes_with_its_decorators() -> None:
    source = """\
        if known:
            @decorated
            @twice
            def function(): ...
        after = 1
        """
    assert kept(source, known=False).splitlines() == ["if known:", "    ...", "", "", "after = 1"]


def test_functions_keep_their_docstrings_and_no_more_where_bodies_are_not_wanted() -> None:
    source = '''\
        class A:
            def method(self, x: int = 1) -> str:
                """What it does,
                in two lines."""
                hidden = 1
                return hidden

            async def other(self):
                hidden = 1

            shown = 1
        '''
    after = kept(source, bodies=False)
    assert "hidden" not in after
    for text in ("def method(self, x: int = 1) -> str:", "in two lines.", "shown = 1"):
        assert text in after
    compile(after, "after", "exec")


def test_functions_keep_their_bodies_otherwise() -> None:
    source = "def function():\n    if known:\n        return 1\n"
    assert kept(source, known=False) == source


def test_a_block_on_the_line_of_its_statement_stays() -> None:
    source = "def function(): return 1\nif known: first = 1\n"
    assert kept(source, bodies=False, known=False) == source
