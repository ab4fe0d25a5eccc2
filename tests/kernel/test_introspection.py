"""What a client may ask about code, about objects and about the past."""

from __future__ import annotations

from typing import Any

from tests.kernel.peer import Peer


def history(peer: Peer, **content: Any) -> list[Any]:
    entries: list[Any] = peer.ask("history_request", content).content["history"]
    return entries


def test_the_tail_of_the_history_is_the_latest_inputs_oldest_first(peer: Peer) -> None:
    for code in ("1 + 1", "2 + 2", "3 + 3"):
        peer.execute(code)
    entries = history(peer, hist_access_type="tail", n=2)
    assert [(line, code) for _, line, code in entries] == [(2, "2 + 2"), (3, "3 + 3")]


def test_a_range_has_the_session_number_of_the_tail_whichever_way_it_is_asked_for(
    peer: Peer,
) -> None:
    peer.execute("1 + 1")
    peer.execute("2 + 2")
    [(session, _, _)] = history(peer, hist_access_type="tail", n=1)
    expected = [[session, 1, "1 + 1"]]
    assert session > 0
    assert history(peer, hist_access_type="range", session=session, start=1, stop=2) == expected
    assert history(peer, hist_access_type="range", session=0, start=1, stop=2) == expected


def test_a_search_matches_a_pattern_and_each_input_once_where_that_is_asked_for(peer: Peer) -> None:
    for code in ("x = 1", "x = 2", "y = 3", "x = 1"):
        peer.execute(code)
    found = history(peer, hist_access_type="search", pattern="x*")
    assert [code for *_, code in found] == ["x = 1", "x = 2", "x = 1"]
    once = history(peer, hist_access_type="search", pattern="x*", unique=True)
    assert [code for *_, code in once] == ["x = 2", "x = 1"]
    latest = history(peer, hist_access_type="search", pattern="x*", n=2)
    assert [line for _, line, _ in latest] == [2, 4]


def test_history_gives_outputs_and_the_code_that_python_saw_where_that_is_asked_for(
    peer: Peer,
) -> None:
    peer.execute("%time 1 + 1")
    peer.execute("40 + 2")
    kinds: list[dict[str, Any]] = [
        {"hist_access_type": "tail", "n": 1},
        {"hist_access_type": "range", "session": 0, "start": 2},
        {"hist_access_type": "search", "pattern": "40*"},
    ]
    for kind in kinds:
        [[_, _, entry]] = history(peer, output=True, **kind)
        assert entry == ["40 + 2", "42"]
    [_, _, seen] = history(peer, hist_access_type="range", start=1, stop=2, raw=False)[0]
    assert seen == "get_ipython().run_line_magic('time', '1 + 1')"


def test_what_is_not_stored_is_not_in_the_history(peer: Peer) -> None:
    peer.execute("1", store_history=False)
    peer.execute("2", silent=True)
    peer.execute("3")
    assert [code for *_, code in history(peer, hist_access_type="tail", n=9)] == ["3"]


def test_the_history_magic_searches_too(peer: Peer) -> None:
    peer.execute("needle = 1")
    assert "needle = 1" in peer.execute("%history -g need*").text()


def test_a_completion_has_types_and_the_span_that_it_replaces(peer: Peer) -> None:
    peer.execute("def spam_with_eggs(): pass")
    content = peer.ask("complete_request", {"code": "x = spam_w", "cursor_pos": 10}).content
    assert content["matches"] == ["spam_with_eggs"]
    assert (content["cursor_start"], content["cursor_end"]) == (4, 10)
    [typed] = content["metadata"]["_jupyter_types_experimental"]
    assert (typed["text"], typed["type"], typed["start"]) == ("spam_with_eggs", "function", 4)
    assert typed["signature"] == "()"


def test_a_completion_without_a_cursor_is_for_the_end_of_the_code(peer: Peer) -> None:
    assert peer.ask("complete_request", {"code": "impor"}).content["matches"] == ["import"]


def test_an_inspection_is_text_and_html(peer: Peer) -> None:
    content = peer.ask("inspect_request", {"code": "zip", "cursor_pos": 3}).content
    assert content["found"]
    assert {"text/plain", "text/html"} <= content["data"].keys()


def test_incomplete_code_comes_with_the_indent_of_its_next_line(peer: Peer) -> None:
    assert peer.ask("is_complete_request", {"code": "def f():"}).content == {
        "status": "incomplete",
        "indent": "    ",
    }
    assert peer.ask("is_complete_request", {"code": "1 + 1"}).content == {"status": "complete"}
    assert peer.ask("is_complete_request", {"code": "1 +* 1"}).content == {"status": "invalid"}


def test_completions_find_the_standard_librarys_syntax_trees_and_write_no_files(
    peer: Peer,
) -> None:
    trees = "import os; sorted(os.listdir('/lib/python3.14/syntax-trees/CPython-314-33'))"
    before = peer.execute(trees).contents("execute_result")
    matches = peer.ask("complete_request", {"code": "import json; json.dum"}).content["matches"]
    assert matches == ["dump", "dumps"]
    loaded = (
        "from parso.cache import parser_cache as c; {t.change_time for g in c.values() "
        "for p, t in g.items() if 'json' in str(p)}"
    )
    assert peer.execute(loaded).contents("execute_result")[0]["data"] == {"text/plain": "{inf}"}
    assert peer.execute(trees).contents("execute_result")[0]["data"] == before[0]["data"]
    assert peer.execute("os.path.exists('.cache')").contents("execute_result")[0]["data"] == {
        "text/plain": "False"
    }


def test_a_completion_sees_what_changed_since_the_one_before(peer: Peer) -> None:
    def matches(code: str) -> list[str]:
        found: list[str] = peer.ask("complete_request", {"code": code}).content["matches"]
        return found

    for name in ("first_part", "second_part"):
        peer.execute(f"class Changing: {name} = 1\nchanging = Changing()")
        peer.execute(f"open('changing_file.py', 'w').write('{name} = 1')")
        assert matches("changing.") == [name]
        assert name in matches("import changing_file\nchanging_file.")
        assert matches(f"{name} = ''\n{name}.isasc") == ["isascii"]


def test_a_completion_keeps_no_object_alive(peer: Peer) -> None:
    peer.execute("import gc, weakref\nclass Held: part = 1\nheld = Held()\nw = weakref.ref(held)")
    assert peer.ask("complete_request", {"code": "held."}).content["matches"] == ["part"]
    gone = peer.execute("del held; _ = gc.collect(); print(w() is None)")
    assert gone.text() == "True\n"


def test_a_module_imported_by_the_cell_is_completed_with_types_and_signatures(peer: Peer) -> None:
    asked = peer.ask("complete_request", {"code": "import os\nos.acc"}).content
    [found] = asked["metadata"]["_jupyter_types_experimental"]
    assert (found["text"], found["type"]) == ("access", "function")
    assert found["signature"].startswith("(path: FileDescriptorOrPath, mode: int")


def test_names_of_other_systems_are_not_completed(peer: Peer) -> None:
    matches = peer.ask("complete_request", {"code": "import os\nos."}).content["matches"]
    assert {"fspath", "posix_spawn", "O_DIRECT"} <= set(matches)
    assert not {"startfile", "O_BINARY", "plock"} & set(matches)


def test_branches_of_the_users_own_modules_are_told_apart_too(peer: Peer) -> None:
    peer.execute(
        "%%writefile branching.py\n"
        "import sys\n"
        "if sys.version_info < (3, 9):\n    name_of_old = 1\nelse:\n    name_of_new = 1\n"
    )
    asked = peer.ask("complete_request", {"code": "import branching\nbranching.name"})
    assert asked.content["matches"] == ["name_of_new"]
