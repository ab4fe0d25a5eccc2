"""A small assembler for modules with legacy exception handling, which no engine's text has.

The text is WebAssembly's linear text: one instruction per line, `$names` for labels, functions
and tags, `;;` for comments. Every function is exported; function 0 is the import `log`, which
takes an i32.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rlm_kernel.wasm import FunctionType, Module, Section, SectionId
from rlm_kernel.wasm.leb128 import signed, unsigned
from rlm_kernel.wasm.types import F64, I32, I64

VALUE_TYPES = {"i32": I32, "i64": I64, "f64": F64, "externref": b"\x6f"}

# Mnemonic -> opcode and what its operands are.
INSTRUCTIONS: Mapping[str, tuple[bytes, str]] = {
    "unreachable": (b"\x00", ""),
    "nop": (b"\x01", ""),
    "throw": (b"\x08", "tag"),
    "rethrow": (b"\x09", "label"),
    "br": (b"\x0c", "label"),
    "br_if": (b"\x0d", "label"),
    "br_table": (b"\x0e", "labels"),
    "return": (b"\x0f", ""),
    "call": (b"\x10", "function"),
    "drop": (b"\x1a", ""),
    "select": (b"\x1b", ""),
    "local.get": (b"\x20", "index"),
    "local.set": (b"\x21", "index"),
    "i32.load8_u": (b"\x2d\x00", "index"),
    "i32.const": (b"\x41", "number"),
    "i64.const": (b"\x42", "number"),
    "i32.eqz": (b"\x45", ""),
    "i32.eq": (b"\x46", ""),
    "i32.add": (b"\x6a", ""),
    "i32.sub": (b"\x6b", ""),
    "i32.and": (b"\x71", ""),
    "i32.wrap_i64": (b"\xa7", ""),
    "i64.extend_i32_s": (b"\xac", ""),
    "i64.add": (b"\x7c", ""),
    "ref.null": (b"\xd0", "heap"),
    "br_on_null": (b"\xd5", "label"),
    "br_on_non_null": (b"\xd6", "label"),
}
HEAP_TYPES = {"extern": b"\x6f", "any": b"\x6e"}
OPENERS = {"block": b"\x02", "loop": b"\x03", "if": b"\x04", "try": b"\x06"}


@dataclass(frozen=True, slots=True)
class Plain:
    """One instruction; names in its operands are already numbers."""

    name: str
    operands: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Catch:
    """A handler, of all exceptions where `tag` is None."""

    tag: int | None
    body: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A block, loop, if or try, whole."""

    kind: str
    type: FunctionType
    body: tuple[Node, ...] = ()
    otherwise: tuple[Node, ...] | None = None
    catches: tuple[Catch, ...] = ()
    delegate: int | None = None


Node = Plain | Block


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the module: its type, the types of its locals, and its code."""

    type: FunctionType
    body: tuple[Node, ...]
    locals: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """What is assembled: tags and functions by name, in the order of their indices."""

    tags: Mapping[str, FunctionType]
    functions: Mapping[str, Function]

    def encode(self) -> bytes:
        return _Encoder(self).encode()


LOG_TYPE = FunctionType((I32,))


def assemble(tags: Mapping[str, str], functions: Mapping[str, tuple[str, str, str]]) -> Program:
    """A program of `tags` (name -> the types of its values) and `functions`
    (name -> signature, types of the locals, code)."""
    tag_types = {name: FunctionType(_value_types(values)) for name, values in tags.items()}
    names = {"log": 0} | {name: index + 1 for index, name in enumerate(functions)}
    tag_names = {name: index for index, name in enumerate(tags)}
    return Program(
        tag_types,
        {
            name: Function(
                _signature(signature), _Parser(code, names, tag_names).parse(), _value_types(extra)
            )
            for name, (signature, extra, code) in functions.items()
        },
    )


def _value_types(text: str) -> tuple[bytes, ...]:
    return tuple(VALUE_TYPES[word] for word in text.split())


def _signature(text: str) -> FunctionType:
    """The type written as `(param i32) (result i64 i32)`."""
    groups = dict(re.findall(r"\((param|result) ([^)]*)\)", text))
    return FunctionType(
        _value_types(groups.get("param", "")), _value_types(groups.get("result", ""))
    )


@dataclass(slots=True)
class _Parser:
    """Reads code into nodes by recursive descent over its lines."""

    code: str
    functions: Mapping[str, int]
    tags: Mapping[str, int]
    labels: list[str] = field(default_factory=lambda: ["$function"])
    lines: list[str] = field(default_factory=list)

    def parse(self) -> tuple[Node, ...]:
        stripped = (line.split(";;")[0].strip() for line in self.code.splitlines())
        self.lines = [line for line in stripped if line]
        self.lines.append("end")
        nodes = self._sequence()
        assert self.lines == ["end"], self.lines
        return nodes

    def _sequence(self) -> tuple[Node, ...]:
        nodes: list[Node] = []
        while (word := self.lines[0].split()[0]) not in _CLOSERS:
            nodes.append(self._block() if word in OPENERS else self._plain())
        return tuple(nodes)

    def _plain(self) -> Plain:
        name, *operands = self.lines.pop(0).split()
        return Plain(name, tuple(self._operand(INSTRUCTIONS[name][1], text) for text in operands))

    def _operand(self, kind: str, text: str) -> int:
        if kind == "heap":
            return HEAP_TYPES[text][0]
        if not text.startswith("$"):
            return int(text)
        if kind in ("label", "labels"):
            return self.labels[::-1].index(text)
        return (self.functions if kind == "function" else self.tags)[text[1:]]

    def _block(self) -> Block:
        line = self.lines.pop(0)
        named = re.search(r"\$\w+", line)
        self.labels.append(named.group() if named else "")
        block = Block(line.split()[0], _signature(line), self._sequence())
        while not self.lines[0].startswith(("end", "delegate")):
            block = self._clause(block, self.lines.pop(0).split())
        self.labels.pop()
        word, *target = self.lines.pop(0).split()
        return (
            block if word == "end" else replace(block, delegate=self._operand("label", target[0]))
        )

    def _clause(self, block: Block, words: list[str]) -> Block:
        if words[0] == "else":
            return replace(block, otherwise=self._sequence())
        tag = self._operand("tag", words[1]) if words[0] == "catch" else None
        return replace(block, catches=(*block.catches, Catch(tag, self._sequence())))


_CLOSERS = ("end", "else", "catch", "catch_all", "delegate")


class _Encoder:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._types: list[FunctionType] = []

    def encode(self) -> bytes:
        functions = self._program.functions
        log = b"\x03env\x03log\x00" + self._type(LOG_TYPE)
        tags = [b"\0" + self._type(kind) for kind in self._program.tags.values()]
        indices = [self._type(function.type) for function in functions.values()]
        exports = [
            _sized(name.encode()) + b"\0" + unsigned(index + 1)
            for index, name in enumerate(functions)
        ]
        bodies = [self._body(function) for function in functions.values()]
        sections = {
            SectionId.TYPE: [kind.encode() for kind in self._types],
            SectionId.IMPORT: [log],
            SectionId.FUNCTION: indices,
            SectionId.MEMORY: [b"\0\1"],
            SectionId.TAG: tags,
            SectionId.EXPORT: exports,
            SectionId.CODE: [_sized(body) for body in bodies],
        }
        return Module(tuple(Section(id, vector(items)) for id, items in sections.items())).encode()

    def _type(self, kind: FunctionType) -> bytes:
        if kind not in self._types:
            self._types.append(kind)
        return unsigned(self._types.index(kind))

    def _body(self, function: Function) -> bytes:
        groups = vector([b"\1" + kind for kind in function.locals])
        return groups + self._nodes(function.body) + b"\x0b"

    def _nodes(self, nodes: Sequence[Node]) -> bytes:
        return b"".join(
            self._block(node) if isinstance(node, Block) else _plain(node) for node in nodes
        )

    def _block(self, block: Block) -> bytes:
        code = OPENERS[block.kind] + self._block_type(block.type) + self._nodes(block.body)
        if block.otherwise is not None:
            code += b"\x05" + self._nodes(block.otherwise)
        for catch in block.catches:
            code += b"\x19" if catch.tag is None else b"\x07" + unsigned(catch.tag)
            code += self._nodes(catch.body)
        return code + (b"\x0b" if block.delegate is None else b"\x18" + unsigned(block.delegate))

    def _block_type(self, kind: FunctionType) -> bytes:
        if kind.params or len(kind.results) > 1:
            return self._type(kind)
        return kind.results[0] if kind.results else b"\x40"


def _plain(node: Plain) -> bytes:
    opcode, kind = INSTRUCTIONS[node.name]
    if kind == "labels":
        return opcode + unsigned(len(node.operands) - 1) + b"".join(map(unsigned, node.operands))
    if kind == "heap":
        return opcode + bytes(node.operands)
    write = signed if kind == "number" else unsigned
    return opcode + b"".join(map(write, node.operands))


def vector(items: Sequence[bytes]) -> bytes:
    """The items with their number in front."""
    return unsigned(len(items)) + b"".join(items)


def _sized(data: bytes) -> bytes:
    return unsigned(len(data)) + data
