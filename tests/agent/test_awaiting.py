"""Sub-calls that a session's code awaits: at once, in one request, and stopped like any other."""

from __future__ import annotations

import asyncio

from rlm_kernel.agent import RLM_REPL, RunOptions, SidecarREPLFactory, SubCallStarted
from rlm_kernel.testing import ChatRequest, ScriptedModelServer, Stall, Step
from tests.agent.runs import code, collect, model_of, run_script
from tests.agent.test_subcalls import Meeting, answering


def test_what_is_awaited_at_once_runs_at_once(factory: SidecarREPLFactory) -> None:
    cell = (
        "import asyncio\n"
        "async def ask(n):\n    return await allm_query(str(n))\n"
        "FINAL(await asyncio.gather(*(ask(n) for n in range(6))))"
    )

    async def run() -> None:
        model = Meeting(6, [code(cell)])
        rlm = RLM_REPL(model, repl_factory=factory)
        assert await rlm.acompletion() == str([str(n) for n in range(6)])
        assert model.most == 6

    asyncio.run(run())


def test_what_one_reply_leads_to_is_asked_afterwards(factory: SidecarREPLFactory) -> None:
    cell = (
        "import asyncio\n"
        "async def twice(word):\n    return await allm_query(await allm_query(word) + '!')\n"
        "FINAL(await asyncio.gather(twice('a'), twice('b')))"
    )
    record = run_script(factory, answering([code(cell)]))
    assert record.answer.text == "['A!', 'B!']"
    assert [e.function for e in record.events if isinstance(e, SubCallStarted)] == ["llm_query"] * 4


def test_each_failure_is_raised_where_its_call_is_awaited(factory: SidecarREPLFactory) -> None:
    cell = (
        "import asyncio\n"
        "r = await asyncio.gather(allm_query('a'), allm_query('fail'), return_exceptions=True)\n"
        "print(r[0], type(r[1]).__name__, r[1].code)"
    )
    record = run_script(factory, answering([code(cell), "FINAL(1)"]))
    assert record.told[-1] == "Output:\nA LLMQueryError model_failed"


def test_the_code_goes_on_while_replies_are_awaited(factory: SidecarREPLFactory) -> None:
    """Were the loop held up, the second task could not ask for what the first one waits for."""
    cell = (
        "import asyncio\n"
        "async def count():\n"
        "    for n in range(3):\n        await asyncio.sleep(0.01)\n    print('counted', n + 1)\n"
        "reply = asyncio.create_task(allm_query('x'))\n"
        "await count()\n"
        "print(await reply)"
    )
    record = run_script(factory, answering([code(cell), "FINAL(1)"]))
    assert record.told[-1] == "Output:\ncounted 3\nX"


def test_calls_that_wait_and_calls_that_are_awaited_do_not_mix_up_their_replies(
    factory: SidecarREPLFactory,
) -> None:
    cell = (
        "import asyncio\n"
        "later = asyncio.create_task(allm_query('later'))\n"
        "await asyncio.sleep(0.05)\n"
        "print(llm_query('now'), await later, llm_query_batched(['then']))"
    )
    record = run_script(factory, answering([code(cell), "FINAL(1)"]))
    assert record.told[-1] == "Output:\nNOW LATER ['THEN']"


def test_one_call_given_up_leaves_the_others_alone(factory: SidecarREPLFactory) -> None:
    cell = (
        "import asyncio\n"
        "kept, dropped = (asyncio.create_task(allm_query(word)) for word in ('kept', 'dropped'))\n"
        "await asyncio.sleep(0)\n"
        "dropped.cancel()\n"
        "print(await kept, dropped.cancelled())"
    )
    record = run_script(factory, answering([code(cell), "FINAL(1)"]))
    assert record.told[-1] == "Output:\nKEPT True"


def test_a_cell_out_of_time_stops_what_it_awaits_and_the_next_asks_anew(
    factory: SidecarREPLFactory,
) -> None:
    awaiting = (
        "x = 1\nimport asyncio\nawait asyncio.gather(allm_query('stall'), allm_query('stall'))"
    )
    replies = iter([code(awaiting), code("FINAL([x, await allm_query('again'), llm_query('b')])")])

    def reply(request: ChatRequest) -> Step:
        if len(request.messages) > 1:
            return next(replies)
        return Stall() if request.last == "stall" else request.last.upper()

    with ScriptedModelServer(reply) as server:
        options = RunOptions(cell_timeout_s=1.0)
        rlm = RLM_REPL(model_of(server), repl_factory=factory, options=options)
        assert rlm.completion() == "[1, 'AGAIN', 'B']"
        server.wait_for_hangups(2)


def test_a_task_that_outlives_its_cell_cannot_hold_up_the_next(factory: SidecarREPLFactory) -> None:
    script = answering(
        [
            code("import asyncio\nlate = asyncio.create_task(allm_query('late'))"),
            code("FINAL([await allm_query('now'), late.done()])"),
        ]
    )
    assert run_script(factory, script).answer.text == "['NOW', False]"


def test_many_are_awaited_at_once(factory: SidecarREPLFactory) -> None:
    cell = (
        "import asyncio\n"
        "r = await asyncio.gather(*(allm_query(str(n)) for n in range(200)))\n"
        "FINAL(r == [str(n) for n in range(200)])"
    )
    assert run_script(factory, answering([code(cell)])).answer.text == "True"


def test_without_depth_nothing_can_be_awaited_either(factory: SidecarREPLFactory) -> None:
    cell = (
        "from rlm_kernel.guest.host import acall, HostCallError\nimport asyncio\n"
        "for work in (acall('llm_query', {'prompt': 'x', 'model': None}),\n"
        "             acall('gather', {'calls': [1]})):\n"
        "    try:\n        await work\n"
        "    except HostCallError as error:\n        print(error.code)"
    )
    record = run_script(factory, [code(cell), "FINAL(1)"], max_depth=0)
    assert record.told[-1] == "Output:\nnot_available\nnot_available"


def test_a_wrong_batch_is_an_error_of_its_own_items(factory: SidecarREPLFactory) -> None:
    cell = (
        "from rlm_kernel.guest.host import call\n"
        "calls = [{'name': 'gather', 'args': {}}, {'name': 'x', 'args': {}}, 5,\n"
        "         {'name': 'llm_query', 'args': {'prompt': 'a', 'model': None}}]\n"
        "print([list(outcome) for outcome in call('gather', {'calls': calls})])"
    )
    record = run_script(factory, answering([code(cell), "FINAL(1)"]))
    assert record.told[-1] == "Output:\n[['error'], ['error'], ['error'], ['ok']]"


def test_a_failure_of_the_transport_reaches_all_who_await(factory: SidecarREPLFactory) -> None:
    cell = (
        "import asyncio\n"
        "big = 'x' * (9 << 20)\n"
        "r = await asyncio.gather(allm_query(big), allm_query('a'), return_exceptions=True)\n"
        "print([isinstance(each, Exception) for each in r])\n"
        "print(await allm_query('b'))"
    )
    record = run_script(factory, answering([code(cell), "FINAL(1)"]))
    assert record.told[-1] == "Output:\n[True, True]\nB"


def test_failures_do_not_warn_when_nobody_awaits_them(factory: SidecarREPLFactory) -> None:
    cell = (
        "import asyncio, gc\n"
        "task = asyncio.create_task(allm_query('fail'))\n"
        "await asyncio.sleep(0.3)\ntask.exception()\ndel task\ngc.collect()\nprint('quiet')"
    )
    script = answering([code(cell), "FINAL(1)"])
    with ScriptedModelServer(script) as server:
        rlm = RLM_REPL(model_of(server), repl_factory=factory)
        asyncio.run(collect(rlm, "", "?"))
        assert server.requests[-1].last == "Output:\nquiet"


def test_a_call_given_up_for_want_of_time_can_be_followed_by_another(
    factory: SidecarREPLFactory,
) -> None:
    cell = (
        "import asyncio\n"
        "try:\n"
        "    async with asyncio.timeout(0.05):\n        await allm_query('stall')\n"
        "except TimeoutError:\n    print(await allm_query('instead'))"
    )
    replies = iter([code(cell), "FINAL(1)"])

    def reply(request: ChatRequest) -> Step:
        if len(request.messages) > 1:
            return next(replies)
        return Stall() if request.last == "stall" else request.last.upper()

    record = run_script(factory, reply, cell_timeout_s=20.0)
    assert record.told[-1] == "Output:\nINSTEAD"
