"""Steps that put a number, bytes, text or an empty container on the stack."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any

from voxscale.data._released._machine import Machine
from voxscale.data._released._values import Blob, refuse

__all__ = ["LITERALS", "Step", "number", "push"]

_LARGEST_INT = 1024  # bytes
_ESCAPED = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b"'": b"'", b'"': b'"'}

Step = Callable[[Machine], Any]


def number(layout: str, then: Callable[[Machine, Any], Any]) -> Step:
    """Make a step that reads a number of a fixed length."""
    packed = struct.Struct(layout)

    def step(machine: Machine) -> Any:
        return then(machine, packed.unpack(machine.source.exactly(packed.size))[0])

    return step


def push(machine: Machine, value: Any) -> None:
    machine.stack.append(value)


def _value(made: Callable[[], Any]) -> Step:
    return lambda machine: machine.stack.append(made())


def _integer(machine: Machine, n: int) -> None:
    if not 0 <= n <= _LARGEST_INT:
        refuse(f"a whole number of {n} bytes", f"at most {_LARGEST_INT}")
    machine.stack.append(int.from_bytes(machine.source.exactly(n), "little", signed=True))


def _text_integer(machine: Machine) -> None:
    line = machine.source.line()
    if line in (b"00", b"01"):
        machine.stack.append(line == b"01")
    else:
        machine.stack.append(int(line.decode("ascii").rstrip("L")))


def _text_float(machine: Machine) -> None:
    machine.stack.append(float(machine.source.line()))


def _bytes(machine: Machine, n: int) -> None:
    found = machine.source.content(n)
    machine.stack.append(found if isinstance(found, Blob) else bytes(found))


def _bytearray(machine: Machine, n: int) -> None:
    found = machine.source.content(n)
    machine.stack.append(found if isinstance(found, Blob) else bytearray(found))


def _text(machine: Machine, n: int) -> None:
    found = machine.source.content(n, is_text=True)
    if isinstance(found, Blob):
        machine.stack.append(found)
        return
    if not found.isascii():
        machine.source.budget.take(4 * n)  # one rare letter makes all of them four bytes wide
    machine.stack.append(str(found, "utf-8", "surrogatepass"))


def _line_of_text(machine: Machine) -> None:
    machine.stack.append(str(machine.source.long_line(), "raw-unicode-escape"))


def _old_text(machine: Machine, n: int) -> None:
    """Text of Python 2, which may be bytes: it is text where it is ASCII."""
    if n < 0:
        refuse(f"text of {n} bytes", "0 or more")
    found = machine.source.content(n)
    is_text = not isinstance(found, Blob) and found.isascii()
    if is_text:
        machine.stack.append(bytes(found).decode("ascii"))  # type: ignore[arg-type]
    else:
        machine.stack.append(found if isinstance(found, Blob) else bytes(found))


def _old_line(machine: Machine) -> None:
    """Text of Python 2 in quotes, as its repr."""
    line = machine.source.long_line()
    if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
        refuse("text without quotes", "text in quotes")
    found = _ESCAPED.sub(_unescaped, line[1:-1])
    machine.stack.append(found.decode("ascii") if found.isascii() else found)


def _unescaped(match: re.Match[bytes]) -> bytes:
    letter = match[1]
    if letter.startswith(b"x"):
        return bytes([int(letter[1:], 16)])
    return _ESCAPES.get(letter, match[0])


LITERALS: dict[int, Step] = {
    ord("F"): _text_float,
    ord("I"): _text_integer,
    ord("L"): _text_integer,
    ord("J"): number("<i", push),
    ord("K"): number("B", push),
    ord("M"): number("<H", push),
    ord("N"): _value(lambda: None),
    ord("S"): _old_line,
    ord("T"): number("<i", _old_text),
    ord("U"): number("B", _old_text),
    ord("V"): _line_of_text,
    ord("X"): number("<I", _text),
    ord("}"): _value(dict),
    ord("]"): _value(list),
    ord(")"): _value(tuple),
    ord("G"): number(">d", push),
    0x88: _value(lambda: True),
    0x89: _value(lambda: False),
    0x8A: number("B", _integer),
    0x8B: number("<i", _integer),
    ord("B"): number("<I", _bytes),
    ord("C"): number("B", _bytes),
    0x8C: number("B", _text),
    0x8D: number("<Q", _text),
    0x8E: number("<Q", _bytes),
    0x8F: _value(set),
    0x96: number("<Q", _bytearray),
}
