"""What a session inherits is made so that using it costs no memory of its own."""

from __future__ import annotations

from rlm_kernel.sandbox import Sandbox

STARTED_WITH = "import sys, IPython; run = IPython.get_ipython().run_cell.__func__"


def test_what_a_session_starts_with_is_immortal_and_what_it_makes_is_not(
    shared_box: Sandbox,
) -> None:
    parts = "[run, run.__code__, run.__code__.co_consts, IPython, vars(IPython)]"
    inherited = shared_box.execute(f"{STARTED_WITH}; [sys._is_immortal(o) for o in {parts}]")
    assert inherited.result == str([True] * 5)
    assert shared_box.execute("class New: pass\nsys._is_immortal(New)").result == "False"


def test_what_a_session_makes_goes_when_the_last_reference_goes(shared_box: Sandbox) -> None:
    code = (
        "import gc, weakref\n"
        "class Node: pass\n"
        "plain, cycle = Node(), Node()\n"
        "cycle.me = cycle\n"
        "gone = [weakref.ref(plain), weakref.ref(cycle)]\n"
        "del plain, cycle\n"
        "gc.unfreeze(); gc.collect()\n"
        "[ref() for ref in gone]"
    )
    assert shared_box.execute(code).result == "[None, None]"


def test_a_session_cannot_have_objects_made_immortal(shared_box: Sandbox) -> None:
    code = (
        "import array, fcntl, os\n"
        "line = os.open('/dev/owner', os.O_RDWR)\n"
        "try: fcntl.ioctl(line, 2, array.array('I', [1, id(line)]))\n"
        "except OSError as error: print(error.errno == __import__('errno').ENOTTY)\n"
        "os.close(line)"
    )
    assert shared_box.execute(code).stdout == "True\n"


def test_what_a_session_makes_lies_beyond_what_it_inherited(box: Sandbox) -> None:
    code = (
        "import sys\n"
        "inherited = max(map(id, sys.modules['rlm_kernel.guest.settling']._filling))\n"
        "class New: pass\n"
        "makers = (object, New, lambda: float('1.5'), lambda: [1], lambda: {1: 2}, bytearray)\n"
        "made = [[make() for _ in range(200)] for make in makers]\n"
        "[sum(id(one) > inherited for one in kind) >= 150 for kind in made]"
    )
    assert box.execute(code).result == str([True] * 6)
