"""What each step of a pickle does to the stack: a row each, for protocols 0 to 5."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from voxscale.data._released._arrays import FoundArray
from voxscale.data._released._keys import checked_key, filled
from voxscale.data._released._literals import LITERALS, Step, number, push
from voxscale.data._released._machine import Machine, Stop
from voxscale.data._released._values import Begun, refuse

__all__ = ["STEPS"]

_HIGHEST_PROTOCOL = 5


def _put(machine: Machine, place: int) -> None:
    value = machine.stack[-1]
    if place < 0:
        refuse(f"place {place} of the memo", "0 or more")
    machine.memo[place] = value
    if isinstance(value, Begun):
        value.places.append(place)


def _get(machine: Machine, place: int) -> None:
    if place not in machine.memo:
        refuse(f"place {place} of the memo, which is empty", "one that was filled before")
    machine.stack.append(machine.memo[place])


def _tuple_of(n: int) -> Step:
    def step(machine: Machine) -> None:
        items = [machine.stack.pop() for _ in range(n)]
        machine.stack.append(tuple(reversed(items)))

    return step


def _append(machine: Machine) -> None:
    value = machine.stack.pop()
    _list(machine).append(value)


def _appends(machine: Machine) -> None:
    items = machine.pop_mark()
    _list(machine).extend(items)


def _list(machine: Machine) -> list[Any]:
    target = machine.stack[-1]
    if type(target) is not list:
        refuse(f"something is put into a {type(target).__name__}", "a list")
    return target


def _set_item(machine: Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    filled(machine, machine.stack[-1], [key, value])


def _set_items(machine: Machine) -> None:
    items = machine.pop_mark()
    filled(machine, machine.stack[-1], items)


def _add_items(machine: Machine) -> None:
    items = machine.pop_mark()
    target = machine.stack[-1]
    if type(target) is not set:
        refuse(f"something is put into a {type(target).__name__}", "a set")
    target.update(checked_key(machine, one) for one in items)


def _dict(machine: Machine) -> None:
    items = machine.pop_mark()
    made: dict[Any, Any] = {}
    filled(machine, made, items)
    machine.stack.append(made)


def _frozen_set(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.stack.append(frozenset(checked_key(machine, one) for one in items))


def _from_mark(made: Callable[[list[Any]], Any]) -> Step:
    return lambda machine: push(machine, made(machine.pop_mark()))


def _mark(machine: Machine) -> None:
    machine.marks.append(machine.stack)
    machine.stack = []


def _pop(machine: Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()


def _global(machine: Machine) -> None:
    module, name = (machine.source.line().decode("utf-8") for _ in range(2))
    machine.stack.append(machine.named(module, name))


def _stack_global(machine: Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(machine.named(module, name))


def _reduce(machine: Machine) -> Any:
    args = machine.stack.pop()
    return _placed(machine, machine.call(machine.stack.pop(), args))


def _placed(machine: Machine, made: Any) -> Any:
    """Put what was made on the stack; an array is first handed on."""
    machine.stack.append(made)
    return made if isinstance(made, FoundArray) else None


def _new(machine: Machine) -> None:
    args = machine.stack.pop()
    machine.stack.append(machine.new(machine.stack.pop(), args))


def _new_with_names(machine: Machine) -> None:
    names, args = machine.stack.pop(), machine.stack.pop()
    if names != {}:
        refuse("an object is made of named arguments", "one whose state follows")
    machine.stack.append(machine.new(machine.stack.pop(), args))


def _instance(machine: Machine) -> None:
    args = tuple(machine.pop_mark())
    module, name = (machine.source.line().decode("ascii") for _ in range(2))
    machine.stack.append(machine.new(machine.named(module, name), args))


def _object(machine: Machine) -> None:
    cls, *args = machine.pop_mark()
    machine.stack.append(machine.new(cls, tuple(args)))


def _build(machine: Machine) -> Any:
    return machine.build(machine.stack.pop())


def _protocol(machine: Machine, number: int) -> None:
    if number > _HIGHEST_PROTOCOL:
        refuse(f"protocol {number}", f"0 to {_HIGHEST_PROTOCOL}", "save it with an older one")


def _stop(machine: Machine) -> None:
    raise Stop


def _refused(what: str) -> Step:
    def step(machine: Machine, *_: Any) -> None:
        refuse(f"the pickle names {what}, which was not looked up", "data alone")

    return step


def _text_place(then: Callable[[Machine, int], None]) -> Step:
    return lambda machine: then(machine, int(machine.source.line()))


def _as_they_are(machine: Machine, *_: Any) -> None:
    """Nothing is done: frames are a matter of reading fast, and what is read is not changed."""


STEPS: dict[int, Step] = {
    **LITERALS,
    ord("("): _mark,
    ord("."): _stop,
    ord("0"): _pop,
    ord("1"): lambda machine: _push_nothing(machine.pop_mark()),
    ord("2"): lambda machine: machine.stack.append(machine.stack[-1]),
    ord("P"): _refused("a persistent object"),
    ord("Q"): _refused("a persistent object"),
    ord("R"): _reduce,
    ord("a"): _append,
    ord("b"): _build,
    ord("c"): _global,
    ord("d"): _dict,
    ord("e"): _appends,
    ord("g"): _text_place(_get),
    ord("h"): number("B", _get),
    ord("i"): _instance,
    ord("j"): number("<I", _get),
    ord("l"): _from_mark(list),
    ord("o"): _object,
    ord("p"): _text_place(_put),
    ord("q"): number("B", _put),
    ord("r"): number("<I", _put),
    ord("s"): _set_item,
    ord("t"): _from_mark(tuple),
    ord("u"): _set_items,
    0x80: number("B", _protocol),
    0x81: _new,
    0x82: _refused("an object of the extension registry"),
    0x83: _refused("an object of the extension registry"),
    0x84: _refused("an object of the extension registry"),
    0x85: _tuple_of(1),
    0x86: _tuple_of(2),
    0x87: _tuple_of(3),
    0x90: _add_items,
    0x91: _frozen_set,
    0x92: _new_with_names,
    0x93: _stack_global,
    0x94: lambda machine: _put(machine, len(machine.memo)),
    0x95: number("<Q", _as_they_are),
    0x97: _refused("a buffer outside of the file"),
    0x98: _as_they_are,
}


def _push_nothing(_: list[Any]) -> None:
    """Let go what was put since the mark."""
