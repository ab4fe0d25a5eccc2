"""A person at the page, in a real browser: asks, watches, stops, copies, and is not attacked."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from rlm_kernel.agent.manager_process import ManagerProcess
from tests.agent.runs import code
from tests.agent.service.process import AgentProcess
from tests.agent.service.scripted import Oracle, in_turn

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 60_000
TOKEN = "token-for-the-page"
ARTEFACTS = Path(__file__).parents[3] / ".artefacts" / "browser"
"""Where each test leaves a picture of how its page looked in the end."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """It ends with the module: as long as it is there no event loop can run in this thread."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, agent: AgentProcess, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page of the shared service; nothing in it goes wrong unseen."""
    context = browser.new_context(viewport={"width": 1100, "height": 900}, accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Policy" in said.text else None)
    page.goto(agent.url)
    yield page
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{request.node.name}.png", full_page=True)
    context.close()
    assert wrong == []


def ask(page: Page, query: str, context: str = "") -> None:
    if context:
        page.get_by_label("Text", exact=True).fill(context)
    page.get_by_label("Question").fill(query)
    page.get_by_role("button", name="Ask", exact=True).click()


def test_a_question_is_answered_step_by_step(page: Page, oracle: Oracle) -> None:
    oracle.replies["count-the-child"] = in_turn(code("print(len(context))"), "FINAL(ten)")
    oracle.replies["asked-on-the-page"] = in_turn(
        "I look.\n" + code("print('lines:', len(context.splitlines()))"),
        code(
            "print(llm_query('what of this?'), rlm_query('count-' 'the-child', context='x' * 10))"
        ),
        "FINAL(two lines)",
    )
    expect(page.locator("#health")).to_contain_text("ready; the model is openai/scripted")
    page.get_by_text("Options").click()
    page.get_by_label("Depth of recursion").fill("2")
    ask(page, "asked-on-the-page", "one\ntwo")
    expect(page.locator("#answer-text")).to_have_text("two lines")
    turns = page.locator("#tree > .turn")
    expect(turns).to_have_count(3)
    expect(turns.nth(0)).to_contain_text("I look.")
    expect(turns.nth(0).locator(".output")).to_have_text("lines: 2\n")
    calls = turns.nth(1).locator(".block > details.call")
    expect(calls).to_have_count(2)
    expect(calls.nth(1).locator(".child .turn")).to_have_count(2)
    expect(calls.nth(1).locator(".child .output")).to_have_text("10\n")
    expect(page.locator("#calls")).to_have_text("6")
    expect(page.locator("#turns")).to_have_text("5")
    expect(page.locator("#cost")).to_have_text("unpriced")
    page.get_by_role("button", name="Copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == "two lines"


@pytest.mark.parametrize(
    ("calls", "failed", "unpriced", "cost", "shown"),
    [
        (3, 0, 0, 0, "$0.0000"),
        (3, 1, 0, 1.5, "$1.50"),
        (3, 1, 2, 0, "unpriced"),
        (3, 1, 1, 0.02, "$0.0200 and 1 unpriced"),
    ],
)
def test_what_has_no_price_is_not_said_to_cost_nothing(
    page: Page, calls: int, failed: int, unpriced: int, cost: float, shown: str
) -> None:
    usage = {"calls": calls, "failed_calls": failed, "unpriced_calls": unpriced, "cost_usd": cost}
    assert page.evaluate("usage => costOf(usage)", usage) == shown


def test_the_run_can_be_had_as_a_notebook(page: Page) -> None:
    ask(page, "a plain question")
    with page.expect_download() as download:
        page.get_by_role("button", name="Notebook (.ipynb)").click()
    made = nbformat.reads(Path(download.value.path()).read_text(), as_version=4)  # type: ignore[no-untyped-call]
    assert download.value.suggested_filename.endswith(".ipynb")
    assert "a plain question" in made.cells[0].source


def test_a_run_is_stopped(page: Page, agent: AgentProcess, oracle: Oracle) -> None:
    oracle.replies["page-for-ever"] = in_turn(code("print('begun')\nwhile True: pass"))
    ask(page, "page-for-ever")
    expect(page.locator(".output")).to_have_text("begun\n")
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#state")).to_have_text("stopped")
    ended = (
        "fetch('/runs').then(a => a.json()).then(r => r.runs.every(x => x.status !== 'running'))"
    )
    page.wait_for_function(f"() => {ended}")


def test_files_are_the_text(page: Page, oracle: Oracle, tmp_path: Path) -> None:
    oracle.replies["names-of-files"] = in_turn(code("FINAL(sorted(context))"))
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(name)
    page.locator("#files").set_input_files([tmp_path / f"{name}.txt" for name in "abc"])
    page.get_by_role("button", name="Remove b.txt").click()
    ask(page, "names-of-files", "and a pasted text")
    expect(page.locator("#answer-text")).to_have_text("['a.txt', 'c.txt', 'pasted text']")


def test_what_a_run_shows_is_text_and_nothing_else(page: Page, oracle: Oracle) -> None:
    attack = "<img src=x onerror=\"document.title='attacked'\"><script>document.title=1</script>"
    oracle.replies["attacking"] = in_turn(
        f"{attack}\n" + code(f"print({attack!r})"), f"FINAL({attack!r})"
    )
    ask(page, "attacking", attack)
    expect(page.locator("#answer-text")).to_have_text(attack)
    expect(page.locator(".output")).to_have_text(f"{attack}\n")
    expect(page.locator(".prose").first).to_have_text(attack)
    assert page.title() == "rlm-kernel: ask about a text"
    assert page.locator("main img, main script").count() == 0


def test_what_fails_is_said(page: Page, oracle: Oracle) -> None:
    ask(page, "x")
    expect(page.locator("#answer-text")).to_have_text("yes")
    page.get_by_text("Options").click()
    page.get_by_label("Turns at most").fill("1000")
    ask(page, "x")
    expect(page.locator("#state")).to_have_text("max_iterations: at most 50 here")
    expect(page.locator("#answer")).to_be_hidden()


def test_the_token_is_asked_for_and_sent(
    browser: Browser, manager: ManagerProcess, oracle: Oracle
) -> None:
    environment = {"RLM_KERNEL_AGENT_TOKEN": TOKEN, "RLM_KERNEL_TOKEN": manager.token}
    with AgentProcess(manager.url, oracle.base_url, environment=environment) as agent:
        page = browser.new_context().new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(agent.url)
        ask(page, "may I?")
        expect(page.locator("#state")).to_contain_text("send the token")
        page.get_by_label("Token of this service").fill(TOKEN)
        ask(page, "may I?")
        expect(page.locator("#answer-text")).to_have_text("yes")
        assert TOKEN not in page.content()
        page.context.close()
        page = browser.new_context().new_page()
        page.goto(f"{agent.url}/?token={TOKEN}")
        assert TOKEN not in page.url
        ask(page, "and with a link?")
        expect(page.locator("#answer-text")).to_have_text("yes")
        page.context.close()


def test_everything_has_a_name_and_can_be_reached_by_keys(page: Page) -> None:
    expect(page.locator("#health")).to_contain_text("ready")
    unnamed = page.evaluate(
        "[...document.querySelectorAll('input, textarea, select, button')]"
        ".filter(e => !(e.labels?.length || e.textContent.trim())).map(e => e.id)"
    )
    assert unnamed == []
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert reached[:4] == ["context", "files", "query", "SUMMARY"]
    assert re.search("^(start|stop)$", reached[4])
    page.get_by_label("Question").fill("by keys")
    page.get_by_label("Question").press("Control+Enter")
    expect(page.locator("#answer-text")).to_have_text("yes")
