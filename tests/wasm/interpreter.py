"""What a program with legacy exception handling does, told in Python.

The second opinion for the translation: it knows the legacy instructions by their definition and
nothing of try_table. It covers the instructions that `programs` makes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.wasm.assembler import Block, Function, Node, Plain, Program


class Thrown(Exception):
    """A WebAssembly exception on its way."""

    def __init__(self, tag: int, values: tuple[int, ...]) -> None:
        self.tag = tag
        self.values = values


class TooLong(Exception):
    """The program was given up after its number of steps."""


class _Delegated(Exception):
    """An exception that passes by the handlers of `depth` more blocks."""

    def __init__(self, thrown: Thrown, depth: int) -> None:
        self.thrown = thrown
        self.depth = depth


class _Branch(Exception):
    def __init__(self, depth: int, stack: list[int]) -> None:
        self.depth = depth
        self.stack = stack


@dataclass(slots=True)
class Interpreter:
    """Runs functions of `program`; `logged` is what they gave to `log`."""

    program: Program
    steps: int = 20_000
    logged: list[int] = field(default_factory=list)

    def call(self, index: int, arguments: Sequence[int]) -> list[int]:
        if index == 0:
            self.logged.append(arguments[0])
            return []
        function = list(self.program.functions.values())[index - 1]
        return _Frame(self, function, list(arguments)).run()

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise TooLong


class _Frame:
    def __init__(self, machine: Interpreter, function: Function, arguments: list[int]) -> None:
        self._machine = machine
        self._function = function
        self._locals = arguments + [0] * len(function.locals)
        self._caught: list[Thrown | None] = [None]  # by label: what its handler has caught

    def run(self) -> list[int]:
        stack: list[int] = []
        try:
            self._sequence(self._function.body, stack)
        except _Branch as branch:
            stack = branch.stack
        except _Delegated as delegated:
            raise delegated.thrown from None
        return _top(stack, len(self._function.type.results))

    def _sequence(self, nodes: Sequence[Node], stack: list[int]) -> None:
        for node in nodes:
            self._machine.step()
            if isinstance(node, Block):
                self._block(node, stack)
            else:
                self._plain(node, stack)

    def _block(self, block: Block, stack: list[int]) -> None:
        body: Sequence[Node] = block.body
        if block.kind == "if" and not stack.pop():
            body = block.otherwise or ()
        inner = _pop(stack, len(block.type.params))
        while True:
            try:
                self._enclosed(block, body, inner)
                stack += inner
            except _Branch as branch:
                if branch.depth:
                    raise _Branch(branch.depth - 1, branch.stack) from None
                if block.kind == "loop":
                    inner = _top(branch.stack, len(block.type.params))
                    self._machine.step()
                    continue
                stack += _top(branch.stack, len(block.type.results))
            return

    def _enclosed(self, block: Block, body: Sequence[Node], inner: list[int]) -> None:
        """The inside of a block: its body, and for a try what becomes of an exception."""
        try:
            self._labelled(body, inner, None)
        except Thrown as thrown:
            self._handle(block, thrown, inner)
        except _Delegated as delegated:
            if delegated.depth:
                raise _Delegated(delegated.thrown, delegated.depth - 1) from None
            self._handle(block, delegated.thrown, inner)

    def _handle(self, block: Block, thrown: Thrown, inner: list[int]) -> None:
        if block.delegate is not None:
            raise _Delegated(thrown, block.delegate) from None
        for catch in block.catches:
            if catch.tag in (None, thrown.tag):
                inner[:] = thrown.values if catch.tag is not None else ()
                return self._handler(catch.body, inner, thrown)
        raise thrown

    def _handler(self, body: Sequence[Node], inner: list[int], thrown: Thrown) -> None:
        try:
            self._labelled(body, inner, thrown)
        except _Delegated as delegated:
            if delegated.depth:
                raise _Delegated(delegated.thrown, delegated.depth - 1) from None
            raise delegated.thrown from None

    def _labelled(self, body: Sequence[Node], inner: list[int], caught: Thrown | None) -> None:
        self._caught.append(caught)
        try:
            self._sequence(body, inner)
        finally:
            self._caught.pop()

    def _plain(self, node: Plain, stack: list[int]) -> None:
        simple = _SIMPLE.get(node.name)
        if simple:
            simple(stack)
            return
        operand = node.operands[0] if node.operands else 0
        match node.name:
            case "i32.const" | "i64.const":
                stack.append(operand)
            case "local.get":
                stack.append(self._locals[operand])
            case "local.set":
                self._locals[operand] = stack.pop()
            case "call":
                self._call(operand, stack)
            case "throw":
                kind = list(self._machine.program.tags.values())[operand]
                raise Thrown(operand, tuple(_pop(stack, len(kind.params))))
            case "rethrow":
                caught = self._caught[-1 - operand]
                assert caught is not None
                raise caught
            case _:
                self._branch(node, stack)

    def _call(self, index: int, stack: list[int]) -> None:
        functions = list(self._machine.program.functions.values())
        count = len(functions[index - 1].type.params) if index else 1
        stack += self._machine.call(index, _pop(stack, count))

    def _branch(self, node: Plain, stack: list[int]) -> None:
        match node.name:
            case "br":
                raise _Branch(node.operands[0], stack)
            case "br_if":
                if stack.pop():
                    raise _Branch(node.operands[0], stack)
            case "br_table":
                chosen = min(stack.pop() & 0xFFFFFFFF, len(node.operands) - 1)
                raise _Branch(node.operands[chosen], stack)
            case "return":
                raise _Branch(len(self._caught) - 1, stack)
            case _:
                raise AssertionError(node.name)


def _top(stack: list[int], count: int) -> list[int]:
    return stack[len(stack) - count :]


def _pop(stack: list[int], count: int) -> list[int]:
    taken = _top(stack, count)
    del stack[len(stack) - count :]
    return taken


def _wrapped(value: int, bits: int = 32) -> int:
    half = 1 << bits - 1
    return (value + half) % (1 << bits) - half


def _binary(operation: Callable[[int, int], int], bits: int) -> Callable[[list[int]], None]:
    def apply(stack: list[int]) -> None:
        right, left = stack.pop(), stack.pop()
        stack.append(_wrapped(operation(left, right), bits))

    return apply


def _unary(operation: Callable[[int], int]) -> Callable[[list[int]], None]:
    return lambda stack: stack.append(operation(stack.pop()))


_SIMPLE: dict[str, Callable[[list[int]], object]] = {
    "nop": lambda stack: None,
    "drop": list.pop,
    "i32.eqz": _unary(lambda value: int(value == 0)),
    "i32.eq": _binary(lambda left, right: int(left == right), 32),
    "i32.sub": _binary(lambda left, right: left - right, 32),
    "i32.wrap_i64": _unary(_wrapped),
    "i64.extend_i32_s": _unary(lambda value: value),
    "i32.add": _binary(lambda left, right: left + right, 32),
    "i32.and": _binary(lambda left, right: left & right, 32),
    "i64.add": _binary(lambda left, right: left + right, 64),
}
