"""ctypes in a session: functions of the guest's C code, called and calling back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rlm_kernel.emscripten.closures import CLOSURES_MAX
from rlm_kernel.sandbox import Event, Sandbox, Zygote
from tests.sandbox.conftest import SMALL
from tests.sandbox.sessions import run, session, until_standby


@pytest.fixture(scope="module")
def source() -> Iterator[Sandbox]:
    with Sandbox(SMALL) as box:
        yield box


@pytest.fixture
def box(source: Sandbox) -> Iterator[Sandbox]:
    with source.fork() as box:
        yield box


TYPES = """
import ctypes, math, sys, _ctypes
from ctypes import *
unary = CFUNCTYPE(c_int, c_int)
move = CFUNCTYPE(c_void_p, c_void_p, c_void_p, c_size_t)(_ctypes._memmove_addr)
class Pair(Structure):
    _fields_ = [("first", c_int8), ("second", c_double)]
"""


def passes(box: Sandbox, code: str) -> str:
    """What it printed to stderr; it must end without an error."""
    result = box.execute(TYPES + code)
    assert result.error is None, "\n".join(result.error.traceback)
    return result.stderr


def test_every_type_goes_through_a_callback_and_back(shared_box: Sandbox) -> None:
    code = """
for kind in (c_int8, c_int16, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64):
    for value in (kind(-1).value, kind(1 << 8 * sizeof(kind) - 1).value, 7):
        assert CFUNCTYPE(kind, kind)(lambda x: x)(value) == value, (kind, value)
for kind, value in ((c_float, -1.5), (c_double, math.pi), (c_longdouble, math.pi),
                    (c_void_p, 0xFFFF0000), (c_bool, True), (c_char, b"x")):
    assert CFUNCTYPE(kind, kind)(lambda x: x)(value) == value, kind
assert CFUNCTYPE(c_longdouble, c_longdouble, c_int8, c_float)(lambda *a: sum(a))(1.5, -1, 2) == 2.5
keep = {"by": "identity"}
assert CFUNCTYPE(py_object, py_object)(lambda x: x)(keep) is keep
"""
    assert passes(shared_box, code) == ""


def test_structures_go_by_value_and_by_pointer(shared_box: Sandbox) -> None:
    code = """
def by_value(pair, scale):
    pair.first += 1
    return pair.first + pair.second * scale
pair = Pair(1, 2.5)
assert CFUNCTYPE(c_double, Pair, c_double)(by_value)(pair, 2) == 7
assert (pair.first, pair.second) == (1, 2.5)
def by_pointer(pair): pair.contents.first = 9
CFUNCTYPE(None, POINTER(Pair))(by_pointer)(pair)
assert pair.first == 9
copy = Pair()
move(addressof(copy), addressof(pair), sizeof(Pair))
assert (copy.first, copy.second) == (9, 2.5)
class Boxed(Structure): _fields_ = [("only", c_float)]
assert CFUNCTYPE(c_float, Boxed)(lambda boxed: boxed.only)(Boxed(1.5)) == 1.5
class Text(Structure): _fields_ = [("text", c_char * 100)]
assert CFUNCTYPE(c_int, Text, c_int)(lambda text, n: len(text.text) + n)(Text(b"abc"), 4) == 7
"""
    assert passes(shared_box, code) == ""


def test_callbacks_call_callbacks(shared_box: Sandbox) -> None:
    code = """
def down(n): return 0 if n == 0 else 1 + step(n - 1)
step = unary(down)
assert step(30) == 30
"""
    assert passes(shared_box, code) == ""


def test_an_error_in_a_callback_is_printed_and_its_result_is_zero(shared_box: Sandbox) -> None:
    printed = passes(shared_box, "assert unary(lambda x: 1 / 0)(5) == 0")
    assert "Exception ignored while calling ctypes callback function" in printed
    assert "ZeroDivisionError: division by zero" in printed
    assert "SystemExit: 3" in passes(shared_box, "unary(lambda x: sys.exit(3))(5)")


def test_callbacks_that_are_gone_leave_room_for_others(shared_box: Sandbox) -> None:
    code = f"""
for i in range({CLOSURES_MAX + 100}): last = unary(lambda x: x + i)
assert last(1) == i + 1
"""
    assert passes(shared_box, code) == ""


def test_calls_that_do_not_fit_are_errors_with_the_reason(shared_box: Sandbox) -> None:
    code = """
def reason(call):
    try: call()
    except SystemError as error: return str(error.__cause__)
address = cast(move, c_void_p).value
text = reason(lambda: CFUNCTYPE(c_double, c_double)(address)(1))
assert text.endswith("(i32, i32, i32) -> i32, and it is called as (f64) -> f64"), text
assert "there is no function at" in reason(lambda: unary(1 << 31)(1))
assert "there is no function at" in reason(lambda: unary(10**6)(1))
assert reason(lambda: unary(address)(1)).endswith("it is called as (i32) -> i32")
"""
    assert passes(shared_box, code) == ""


def test_an_interrupt_ends_a_callback(box: Sandbox) -> None:
    def interrupt(event: Event) -> None:
        if event.kind == "stream" and event.content["text"] == "spinning":
            box.interrupt()

    code = """
def spin(x):
    print("spinning", end="", flush=True)
    while True: pass
assert unary(spin)(1) == 0
"""
    result = box.execute(TYPES + code, on_event=interrupt)
    assert "KeyboardInterrupt" in result.stderr
    assert (result.error, result.state) == (None, "kept")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("unary(lambda x: __import__('os')._exit(3))(1)", "exit 3"),
        ("unary(lambda x: __import__('os').abort())(1)", "abort"),
        ("move(0xF0000000, 0, 100)", "out of bounds memory access"),
    ],
)
def test_what_ends_the_process_ends_only_this_session(box: Sandbox, code: str, reason: str) -> None:
    result = box.execute(TYPES + code)
    assert result.error is not None
    assert (result.error.ename, result.state) == ("SessionDied", "lost")
    assert reason in result.error.evalue
    assert box.execute("1 + 1").result == "2"


def test_a_fork_has_its_own_callbacks(box: Sandbox) -> None:
    code = """
total = 0
def add(x):
    global total
    total += x
    return total
f = unary(add)
"""
    passes(box, code)
    with box.fork() as copy:
        passes(copy, "g = unary(lambda x: -x)\nassert (f(1), g(2)) == (1, -2)")
        passes(box, "assert f(5) == 5\nassert f(5) == 10")
        passes(copy, "assert f(1) == 2")


LIBC = """
libc = CDLL(None)
compare = CFUNCTYPE(c_int, POINTER(c_int), POINTER(c_int))
class Quotient(Structure):
    _fields_ = [("quot", c_int), ("rem", c_int)]
"""


def test_functions_of_the_c_library_are_called_by_name(shared_box: Sandbox) -> None:
    code = """
assert (libc.strlen(b"hello"), libc.abs(-3), libc.toupper(ord("a"))) == (5, 3, ord("A"))
libc.pow.restype, libc.pow.argtypes = c_double, [c_double, c_double]
assert libc.pow(2, 10) == 1024
libc.getenv.restype = c_char_p
assert libc.getenv(b"HOME") == b"/home/user"
libc.div.restype = Quotient
result = libc.div(17, 5)
assert (result.quot, result.rem) == (3, 2)
libc.llabs.restype, libc.llabs.argtypes = c_int64, [c_int64]
assert libc.llabs(-(1 << 60)) == 1 << 60
try: libc.no_such_function
except AttributeError: pass
else: raise AssertionError
"""
    assert passes(shared_box, LIBC + code) == ""


def test_variable_arguments_need_the_types_of_the_fixed_ones(shared_box: Sandbox) -> None:
    code = """
libc.snprintf.argtypes = [c_char_p, c_size_t, c_char_p]
text = create_string_buffer(100)
given = 42, b"abc", c_double(3.25), c_int64(1 << 40), ord("c"), c_double(0.5)
assert libc.snprintf(text, 100, b"%d %s %.2f %lld %c %g", *given) == 33
assert text.value == b"42 abc 3.25 1099511627776 c 0.5", text.value
"""
    code = code.replace("== 33", "== len(text.value)")
    assert passes(shared_box, LIBC + code) == ""


def test_the_c_library_calls_back(shared_box: Sandbox) -> None:
    code = """
numbers = (c_int * 200)(*[n * 7919 % 1009 for n in range(200)])
libc.qsort(numbers, 200, 4, compare(lambda a, b: a[0] - b[0]))
assert list(numbers) == sorted(numbers)
inner = compare(lambda a, b: b[0] - a[0])
def outer(a, b):
    pair = (c_int * 2)(a[0], b[0])
    libc.qsort(pair, 2, 4, inner)
    return -1 if pair[0] == b[0] else 1
libc.qsort(numbers, 20, 4, compare(outer))
assert sorted(numbers[:20]) == list(numbers[:20])
"""
    assert passes(shared_box, LIBC + code) == ""


def test_python_is_called_through_its_own_interface(shared_box: Sandbox) -> None:
    code = """
pythonapi.PyUnicode_FromFormat.restype = py_object
pythonapi.PyUnicode_FromFormat.argtypes = [c_char_p]
assert pythonapi.PyUnicode_FromFormat(b"%d-%s", 5, b"x") == "5-x"
assert pythonapi.PyLong_AsLong(py_object(123)) == 123
try: pythonapi.PyLong_AsLong(py_object("text"))
except TypeError: pass
else: raise AssertionError
pythonapi.Py_IncRef(py_object(code := "kept"))
"""
    assert passes(shared_box, LIBC + code) == ""


async def test_a_standby_has_the_callbacks_that_there_were(zygote: Zygote) -> None:
    async with session(zygote) as one:
        await run(one, TYPES + "f = unary(lambda x: x + 1)")
        await until_standby(one)
        ended = await run(one, "unary(lambda x: __import__('os').abort())(1)")
        assert (ended.status, ended.state) == ("error", "rolled_back")
        assert (await run(one, "f(1), unary(lambda x: -x)(2)")).result == "(2, -2)"
