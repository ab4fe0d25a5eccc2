"""A person in JupyterLab looks into sessions that programs created, and takes part."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo
from playwright.sync_api import expect

from tests.browser.lab import Lab

pytestmark = pytest.mark.timeout(300)

FURNISH = """
from rlm_kernel.guest import rlm
rlm.install(get_ipython(), sub_calls=True, recursion=False)
"""
HOSTILE = """
from IPython.display import HTML, Javascript
display(HTML("<script>window.ran = 'a script'</script>"
             "<img src=x onerror=\\"window.ran = 'a handler'\\">"
             "<img src='http://elsewhere.example/?data'>"
             "<b>shown</b>"))
display(Javascript("window.ran = 'javascript'"))
"""


def test_a_notebook_and_a_program_share_variables(lab: Lab) -> None:
    lab.run("x = 41")
    cells = lab.open_notebook("x", "x += 1; print('changed')")
    lab.press_run(cells.nth(0))
    expect(cells.nth(0).locator(".jp-OutputArea-output")).to_have_text("41")
    lab.press_run(cells.nth(1))
    expect(cells.nth(1).locator(".jp-OutputArea-output")).to_have_text("changed")
    assert lab.run("x")["result"] == "42"


def test_the_toolbar_interrupts_a_cell(lab: Lab) -> None:
    [cell] = lab.open_notebook("print('running')\nwhile True: pass").all()
    lab.press_run(cell)
    expect(cell.locator(".jp-OutputArea-output").first).to_have_text("running")
    lab.page.locator(".jp-NotebookPanel [data-jp-item-name='interrupt']").click()
    expect(cell.locator(".jp-OutputArea-output").last).to_contain_text("KeyboardInterrupt")
    assert lab.run("1 + 1")["result"] == "2"


def test_a_person_answers_in_the_place_of_a_model(lab: Lab) -> None:
    lab.run(FURNISH)
    [cell] = lab.open_notebook("'they say: ' + llm_query('what is the answer?')").all()
    lab.press_run(cell)
    expect(cell.locator(".jp-Stdin-prompt")).to_contain_text("what is the answer?")
    cell.locator(".jp-Stdin-input").fill("forty-two")
    cell.locator(".jp-Stdin-input").press("Enter")
    expect(cell.locator(".jp-OutputArea-executeResult")).to_contain_text("they say: forty-two")


def test_a_console_shows_what_a_program_ran_and_runs(lab: Lab) -> None:
    lab.run("print('be' + 'fore')")
    console = lab.open_console()
    expect(console).to_contain_text("before")
    lab.run("y = 6 * 7; print('y is', y)")
    expect(console).to_contain_text("y = 6 * 7")
    expect(console).to_contain_text("y is 42")
    choice = lab.open_context_menu(console).get_by_text("Show All Kernel Activity")
    expect(choice.locator("xpath=..")).to_have_class(re.compile("lm-mod-toggled"))


def test_a_browser_and_a_jupyter_client_see_the_same(lab: Lab) -> None:
    console = lab.open_console()
    attached = Event()
    # The browser's driver has the event loop of this thread.
    with ThreadPoolExecutor(1) as elsewhere:
        seen = elsewhere.submit(asyncio.run, take_part(lab.connection(), attached))
        assert attached.wait(60)
        lab.run("print('to' + ' all')")
        expect(console).to_contain_text("to all")
        expect(console).to_contain_text("from afar")
        assert seen.result() == ["to all\n", "from afar\n"]


async def take_part(connection: KernelConnectionInfo, attached: Event) -> list[str]:
    """A Jupyter client that runs a cell once it has seen an output; all outputs that it sees."""
    client = AsyncKernelClient()
    client.load_connection_info(connection)
    client.start_channels(hb=False)
    await client.get_iopub_msg(timeout=60)  # its welcome
    attached.set()
    first = await next_output(client)
    client.execute("print('from' + ' afar')")
    outputs = [first, await next_output(client)]
    client.stop_channels()
    return outputs


async def next_output(client: AsyncKernelClient) -> str:
    while (message := await client.get_iopub_msg(timeout=60))["msg_type"] != "stream":
        continue
    return str(message["content"]["text"])


def test_what_a_session_displays_runs_nothing_in_the_browser(lab: Lab) -> None:
    asked: list[str] = []
    lab.page.route("http://elsewhere.example/**", lambda route: asked.append(route.request.url))
    [cell] = lab.open_notebook(HOSTILE).all()
    lab.press_run(cell)
    expect(cell.locator(".jp-OutputArea")).to_contain_text("shown")
    expect(cell.locator(".jp-InputPrompt")).to_have_text("[1]:")
    lab.page.wait_for_load_state("networkidle")
    assert lab.page.evaluate("window.ran") is None
    assert asked == []
