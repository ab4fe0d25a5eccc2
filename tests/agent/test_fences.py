"""What counts as code in a model's reply."""

from __future__ import annotations

import pytest

from rlm_kernel.agent.fences import ParsedReply, parse_reply


@pytest.mark.parametrize(
    "info",
    [
        "",
        "python",
        "Python",
        "py",
        "python3",
        "repl",
        "ipython",
        "{python}",
        "{.python}",
        "tool_code",
        'python title="count"',
        "python:run.py",
        " python ",
    ],
)
def test_a_fence_of_any_python_name_or_none_is_code(info: str) -> None:
    assert parse_reply(f"Look:\n```{info}\nprint(1)\n```\nDone.").blocks == ("print(1)",)


@pytest.mark.parametrize("language", ["json", "text", "bash", "javascript", "output"])
def test_a_fence_of_another_language_is_named_and_not_code(language: str) -> None:
    parsed = parse_reply(f"```{language}\n1\n```")
    assert (parsed.blocks, parsed.skipped) == ((), (language,))


def test_a_fence_that_is_never_closed_is_code_and_said_to_be_unclosed() -> None:
    parsed = parse_reply("```python\nx = 1\nprint(x)")
    assert parsed == ParsedReply(("x = 1\nprint(x)",), "", unclosed=True)


def test_several_blocks_keep_their_order_and_the_prose_stays_outside() -> None:
    parsed = parse_reply("one\n```py\na\n```\ntwo\n~~~repl\nb\n~~~\nthree")
    assert parsed == ParsedReply(("a", "b"), "one\ntwo\nthree")


def test_a_fence_mark_inside_a_string_does_not_end_the_block() -> None:
    code = 'text = """\n```\ninner\n```\n"""\nprint(text)'
    assert parse_reply(f"```python\n{code}\n```\nafter").blocks == (code,)


def test_a_string_that_never_ends_does_not_swallow_the_rest_of_the_reply() -> None:
    parsed = parse_reply('```python\nx = """oops\n```\nSorry.')
    assert parsed == ParsedReply(('x = """oops',), "Sorry.")


def test_a_quote_in_a_comment_does_not_open_a_string() -> None:
    parsed = parse_reply('```python\n# don\'t say """ here\nx = 1\n```\nFINAL(1)')
    assert parsed == ParsedReply(('# don\'t say """ here\nx = 1',), "FINAL(1)")


def test_a_longer_fence_is_closed_by_its_like_only() -> None:
    parsed = parse_reply("````python\nx = 1\n```\ny = 2\n````\n")
    assert parsed.blocks == ("x = 1\n```\ny = 2",)


def test_an_indented_fence_loses_its_indentation() -> None:
    parsed = parse_reply("1. Run:\n   ```python\n   if x:\n       y()\n   ```\n")
    assert parsed.blocks == ("if x:\n    y()",)


def test_a_fence_closed_at_the_end_of_a_line_of_code_is_closed_there() -> None:
    parsed = parse_reply("```python\nprint(1)```\nThat is all.")
    assert parsed == ParsedReply(("print(1)",), "That is all.")


def test_a_mark_at_the_end_of_a_comment_is_part_of_the_comment() -> None:
    code = "x = 1  # not the end: ```\ny = 2"
    assert parse_reply(f"```python\n{code}\n```").blocks == (code,)


@pytest.mark.parametrize("reply", ["```print(len(context))```", "```python print(len(context))```"])
def test_a_fence_on_a_single_line_is_code(reply: str) -> None:
    assert parse_reply(reply).blocks == ("print(len(context))",)


def test_words_fenced_on_a_single_line_are_prose() -> None:
    assert parse_reply("```just words```") == ParsedReply((), "```just words```")


def test_an_interpreters_transcript_gives_its_input_lines() -> None:
    parsed = parse_reply("```pycon\n>>> for i in [1]:\n...     print(i)\n1\n```")
    assert parsed.blocks == ("for i in [1]:\n    print(i)",)


def test_a_whole_program_without_any_fence_is_code() -> None:
    program = "lines = context.splitlines()\nprint(len(lines))"
    assert parse_reply(f"{program}\n") == ParsedReply((program,), "")


@pytest.mark.parametrize("words", ["", "Done", "I do not know.", "42", "x is y", "Paris, France"])
def test_plain_words_are_never_code(words: str) -> None:
    assert parse_reply(words).blocks == ()


def test_an_empty_block_is_no_code() -> None:
    assert parse_reply("```python\n\n```").blocks == ()


def test_what_the_model_thought_to_itself_is_neither_code_nor_prose() -> None:
    parsed = parse_reply("<think>```python\nbad()\n```\nFINAL(0)</think>\n```python\ngood()\n```")
    assert (parsed.blocks, parsed.prose.strip()) == (("good()",), "")


def test_a_thought_that_never_ends_hides_the_rest() -> None:
    assert parse_reply("<think>FINAL(1)").prose == ""


def test_top_level_await_and_magics_stay_as_written() -> None:
    code = "%time x = await f()\n!ls"
    assert parse_reply(f"```python\n{code}\n```").blocks == (code,)


def test_code_with_an_odd_escape_is_taken_without_a_warning() -> None:
    assert parse_reply('print("\\d")').blocks == ('print("\\d")',)
