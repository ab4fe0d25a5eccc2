"""Files and folders as the context of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlm_kernel.agent import SidecarREPLFactory
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.errors import ContextTooLarge
from tests.agent.runs import code, run_script


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "b.md").write_text("größe\nzwei\n")
    (tmp_path / "a.bin").write_bytes(b"\xff\x00")
    (tmp_path / "z.txt").write_text("z")
    return tmp_path


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("list(context)", "['a.bin', 'docs/b.md', 'z.txt']"),
        ("context['docs/b.md']", "größe\nzwei\n"),
        ("context['a.bin']", "b'\\xff\\x00'"),
        ("(len(context), 'z.txt' in context, 'y' in context)", "(3, True, False)"),
        (
            "{path: len(text) for path, text in context.items()}",
            "{'a.bin': 2, 'docs/b.md': 11, 'z.txt': 1}",
        ),
        ("(context.size('docs/b.md'), context.get('none', 5))", "(13, 5)"),
        ("[line for line in context.open('docs/b.md')]", "['größe\\n', 'zwei\\n']"),
        ("open(context.path('z.txt')).read()", "z"),
        ("sum(text.count('z') for text in context.values() if isinstance(text, str))", "2"),
    ],
)
def test_a_folder_is_a_dict_whose_files_are_read_when_they_are_asked_for(
    factory: SidecarREPLFactory, folder: Path, expression: str, value: str
) -> None:
    assert run_script(factory, [code(f"FINAL({expression})")], folder).answer.text == value


def test_it_shows_itself_in_short_and_an_unknown_file_with_similar_names(
    factory: SidecarREPLFactory, folder: Path
) -> None:
    script = [code("context"), code("context['b.md']"), code("context['z.text']"), "FINAL(1)"]
    record = run_script(factory, script, folder)
    assert record.told[1] == (
        "Output:\n3 files, 16 bytes\n  'a.bin': 2 bytes\n  'docs/b.md': 13 bytes\n"
        "  'z.txt': 1 bytes"
    )
    assert "there is no file 'b.md'; similar: 'docs/b.md'" in record.told[2]
    assert "there is no file 'z.text'; similar: 'z.txt'" in record.told[3]


def test_a_file_is_its_text_and_nothing_of_it_is_in_a_prompt(
    factory: SidecarREPLFactory, folder: Path
) -> None:
    record = run_script(factory, [code("FINAL(context)")], folder / "docs" / "b.md")
    assert record.answer.text == "größe\nzwei\n"
    assert "`context` is a str: 11 characters in 2 lines." in record.requests[0][1]["content"]


def test_a_child_gets_files_as_a_dict(factory: SidecarREPLFactory, folder: Path) -> None:
    script = [
        code("FINAL(rlm_query('Count.', context=context))"),
        code("FINAL((type(context).__name__, context['z.txt']))"),
    ]
    assert run_script(factory, script, folder, max_depth=2).answer.text == "('dict', 'z')"


def test_files_are_there_again_after_the_session_was_lost(
    factory: SidecarREPLFactory, folder: Path
) -> None:
    script = [code("%reset -f"), code("FINAL(context['z.txt'])")]
    record = run_script(factory, script, folder)
    assert (record.answer.text, record.states[0]) == ("z", "lost")


def test_a_file_that_the_manager_does_not_take_is_a_context_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLM_KERNEL_MAX_FILE_BYTES", "3000000")
    with ManagerProcess() as manager:
        factory = SidecarREPLFactory(manager.url, manager.token)
        (tmp_path / "large").write_bytes(b"x" * 20_000_000)
        for context in ("x" * 20_000_000, tmp_path):
            with pytest.raises(ContextTooLarge, match=r"3,?000,?000"):
                run_script(factory, [], context)


def test_what_the_memory_of_a_session_cannot_hold_is_a_context_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RLM_KERNEL_MEMORY_BYTES", str(128 << 20))
    with ManagerProcess() as manager:
        factory = SidecarREPLFactory(manager.url, manager.token)
        with pytest.raises(ContextTooLarge, match="does not fit into the session's memory"):
            run_script(factory, [], "x" * (100 << 20))
