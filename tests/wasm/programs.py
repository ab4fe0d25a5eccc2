"""Random valid programs that use legacy exception handling in every way it can be nested."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from rlm_kernel.wasm import FunctionType
from rlm_kernel.wasm.types import I32, I64, ValueTypes
from tests.wasm.assembler import Block, Catch, Function, Node, Plain, Program, assemble

TAGS = {"a": "", "b": "i32", "c": "i32 i64"}
TAG_TYPES: tuple[ValueTypes, ...] = ((), (I32,), (I32, I64))

LOCALS = 3
"""The locals 0 to 2 of every generated function are i32, the first two its parameters."""

FRAME = {
    # Throws by its argument: nothing, $a, $b or $c.
    "maybe": (
        "(param i32)",
        "",
        """
        block $c
          block $b
            block $a
              block $none
                local.get 0
                i32.const 3
                i32.and
                br_table $none $a $b $c
              end
              return
            end
            throw $a
          end
          local.get 0
          throw $b
        end
        local.get 0
        i64.const 7
        throw $c
        """,
    ),
    # Calls the last generated function and logs what comes of it.
    "main": (
        "(param i32 i32)",
        "",
        """
        try $outcome
          local.get 0
          local.get 1
          call $top
          call $log
          i32.const 1000
          call $log
        catch $a
          i32.const 1001
          call $log
        catch $b
          call $log
          i32.const 1002
          call $log
        catch $c
          i32.wrap_i64
          call $log
          call $log
          i32.const 1003
          call $log
        end
        """,
    ),
}


def random_program(seed: int) -> Program:
    """Exports `main`, with two i32 parameters, and logs all it does."""
    random = Random(seed)
    kind = FunctionType((I32, I32), (I32,))
    empty = ("(param i32 i32) (result i32)", "", "unreachable")
    names = ("bottom", "middle", "top")
    program = assemble(
        TAGS, {"maybe": FRAME["maybe"], **dict.fromkeys(names, empty), "main": FRAME["main"]}
    )
    functions = dict(program.functions)
    for index, name in enumerate(names):
        callees = tuple(range(2, 2 + index))
        functions[name] = Function(kind, _Writer(random, callees).function(kind), (I32,))
    return Program(program.tags, functions)


@dataclass(frozen=True, slots=True)
class _Label:
    types: ValueTypes
    handler: bool = False


class _Writer:
    """Writes the body of one function, with the types of the operands in mind."""

    def __init__(self, random: Random, callees: tuple[int, ...]) -> None:
        self._random = random
        self._callees = callees
        self._budget = 40
        self._labels: list[_Label] = []

    def function(self, kind: FunctionType) -> tuple[Node, ...]:
        self._labels = [_Label(kind.results)]
        return self.sequence((), kind.results)

    def sequence(self, params: ValueTypes, results: ValueTypes) -> tuple[Node, ...]:
        run = _Run(list(params))
        for _ in range(self._random.randint(1, 5)):
            self._budget -= 1
            if self._budget < 0:
                break
            self._random.choice(self._ACTIONS)(self, run)
        self._finish(run, results)
        return tuple(run.nodes)

    def _finish(self, run: _Run, results: ValueTypes) -> None:
        while tuple(run.stack) != results[: len(run.stack)]:
            run.add("drop")
            run.stack.pop()
        if run.dead and not run.stack and self._random.random() < 0.5:
            return
        for kind in results[len(run.stack) :]:
            self._push(run, kind)

    def _push(self, run: _Run, kind: bytes) -> None:
        if self._random.random() < 0.4:
            run.add("local.get", self._random.randrange(LOCALS))
        else:
            run.add("i32.const", self._random.randint(-3, 9))
        if kind == I64:
            run.add("i64.extend_i32_s")
        run.stack.append(kind)

    def _take(self, run: _Run, types: ValueTypes) -> None:
        """Has operands of these types on the stack, and takes them from it."""
        there = tuple(run.stack[len(run.stack) - len(types) :]) == types
        if not (there and self._random.random() < 0.6):
            if run.dead and not run.stack and self._random.random() < 0.5:
                return  # after a branch any operand is there
            for kind in types:
                self._push(run, kind)
        del run.stack[len(run.stack) - len(types) :]

    def _some_types(self) -> ValueTypes:
        return tuple(
            self._random.choice((I32, I64)) for _ in range(self._random.choice((0, 0, 1, 2)))
        )

    def _log(self, run: _Run) -> None:
        self._take(run, (I32,))
        run.add("call", 0)

    def _set(self, run: _Run) -> None:
        self._take(run, (I32,))
        run.add("local.set", self._random.randrange(LOCALS))

    def _add(self, run: _Run) -> None:
        kind = self._random.choice((I32, I64))
        self._take(run, (kind, kind))
        run.add("i32.add" if kind == I32 else "i64.add")
        run.stack.append(kind)

    def _maybe(self, run: _Run) -> None:
        self._take(run, (I32,))
        run.add("call", 1)

    def _call(self, run: _Run) -> None:
        if self._callees:
            self._take(run, (I32, I32))
            run.add("call", self._random.choice(self._callees))
            run.stack.append(I32)

    def _throw(self, run: _Run) -> None:
        tag = self._random.randrange(len(TAG_TYPES))
        self._take(run, TAG_TYPES[tag])
        run.add("throw", tag)
        run.end()

    def _rethrow(self, run: _Run) -> None:
        depths = [depth for depth, label in enumerate(self._labels[::-1]) if label.handler]
        if depths:
            run.add("rethrow", self._random.choice(depths))
            run.end()

    def _branch(self, run: _Run) -> None:
        depth = self._random.randrange(len(self._labels))
        types = self._labels[-1 - depth].types
        name = self._random.choice(("br", "br_if", "br_if", "br_table"))
        self._take(run, types)
        if name != "br":
            self._push(run, I32)
            run.stack.pop()
        if name == "br_table":
            same = [d for d, label in enumerate(self._labels[::-1]) if label.types == types]
            run.add(name, *self._random.choices(same, k=self._random.randint(1, 3)))
        else:
            run.add(name, depth)
        if name == "br_if":
            run.stack += types
        else:
            run.end()

    def _return(self, run: _Run) -> None:
        if self._random.random() < 0.3:
            self._take(run, self._labels[0].types)
            run.add("return")
            run.end()

    def _block(self, run: _Run) -> None:
        kind = self._random.choice(("block", "loop", "if"))
        type_ = FunctionType(self._some_types(), self._some_types())
        self._take(run, type_.params)
        if kind == "if":
            self._push(run, I32)
            run.stack.pop()
        label = _Label(type_.params if kind == "loop" else type_.results)
        body = self._inside(label, type_.params, type_.results)
        other = self._inside(label, type_.params, type_.results) if kind == "if" else None
        run.nodes.append(Block(kind, type_, body, other))
        run.stack += type_.results

    def _try(self, run: _Run) -> None:
        type_ = FunctionType(self._some_types(), self._some_types())
        self._take(run, type_.params)
        body = self._inside(_Label(type_.results), type_.params, type_.results)
        if self._random.random() < 0.3:
            target = self._random.randrange(len(self._labels))
            run.nodes.append(Block("try", type_, body, delegate=target))
        else:
            run.nodes.append(Block("try", type_, body, catches=self._catches(type_.results)))
        run.stack += type_.results

    def _catches(self, results: ValueTypes) -> tuple[Catch, ...]:
        tags: list[int | None] = [*self._random.sample(range(3), self._random.randint(0, 2))]
        if self._random.random() < 0.5:
            tags.append(None)
        label = _Label(results, handler=True)
        return tuple(
            Catch(tag, self._inside(label, () if tag is None else TAG_TYPES[tag], results))
            for tag in tags
        )

    def _inside(self, label: _Label, params: ValueTypes, results: ValueTypes) -> tuple[Node, ...]:
        self._labels.append(label)
        nodes = self.sequence(params, results)
        self._labels.pop()
        return nodes

    _ACTIONS = (_log, _log, _set, _add, _maybe, _maybe, _maybe, _call, _throw, _rethrow, _branch)
    _ACTIONS += (_branch, _return, _block, _block, _try, _try, _try, _try)  # type: ignore[assignment]


class _Run:
    """Straight code being written: what is on the stack above the block's floor, and whether
    the end of the code can be reached."""

    def __init__(self, stack: list[bytes]) -> None:
        self.nodes: list[Node] = []
        self.stack = stack
        self.dead = False

    def add(self, name: str, *operands: int) -> None:
        self.nodes.append(Plain(name, operands))

    def end(self) -> None:
        self.dead = True
        self.stack.clear()
