"""Go through a pickle, one step after the other, without ever calling what it names.

A pickle is a program for a machine with a stack. What it names becomes a `Global`, which is a
word; the steps that would call it look the word up in a table of what voxscale builds itself,
and a word that is not there ends the reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from voxscale.data._released._arrays import FoundArray
from voxscale.data._released._known import BUILDERS, CALLS, CLASSES, NOT_A_CLASS, known_as
from voxscale.data._released._source import Source
from voxscale.data._released._values import (
    Begun,
    Global,
    StandIn,
    Wrong,
    printable,
    refuse,
)

__all__ = ["Machine", "Nested", "Stop"]

_LONGEST_NAME = 400
_DEEPEST = 8  # pickles within pickles: arrays of objects that hold such arrays
# What a step may meet on a stack that is not what it expects.
_ODD = (
    IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, MemoryError,
    EOFError, RuntimeError, ArithmeticError, AssertionError,
)  # fmt: skip


class Stop(Exception):
    """The end of a pickle."""


class Nested(Exception):
    """A whole pickle follows: the objects of an array."""


@dataclass
class Tally:
    """What is counted over a whole file."""

    n_arrays: int = 0
    n_tuple_keys: int = 0
    n_columns: int = 0


class Machine:
    """The stack and the memo of one pickle.

    Parameters
    ----------
    source : Source
    steps : mapping of int to function
        What each byte does.
    depth : int
    tally : Tally, optional
        Shared with the pickles within.
    """

    def __init__(
        self, source: Source, steps: dict[int, Any], depth: int = 0, tally: Tally | None = None
    ) -> None:
        self.source, self.steps, self.depth = source, steps, depth
        self.tally = Tally() if tally is None else tally
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Iterator[FoundArray]:
        """Go through the pickle; yield each array, whose ``value`` must be set by whoever takes it.

        What the pickle holds is then the last of ``stack``.

        Raises
        ------
        DataError
        """
        source, steps, budget = self.source, self.steps, self.source.budget
        read = source.read
        code = b""
        try:
            while True:
                budget.n_steps += 1
                if budget.n_steps & 0xFF == 0 and budget.n_steps > budget.steps():
                    what = f"the pickle has more than {budget.n_steps - 1} steps"
                    refuse(what, *budget.remedy(budget.held, "to be held"))
                code = read(1)
                if not code:
                    raise source.ended(1)
                step = steps.get(code[0])
                if step is None:
                    refuse(f"no pickle has a step {code!r}", "a step of a pickle")
                try:
                    found = step(self)
                except Nested:
                    yield from self._nested()
                    continue
                if found is not None:
                    yield found
                    found.skip()
                    self._settle(found)
        except Stop:
            if len(self.stack) != 1 or self.marks:
                many = Wrong("the pickle ends with more or less than one object", "one object")
                raise source.told(many) from None
        except Wrong as wrong:
            raise source.told(wrong) from wrong
        except _ODD as error:
            reason = f"{type(error).__name__}: {error}"[:200]
            odd = Wrong(f"step {code!r} does not fit what is before it ({reason})", "a pickle")
            raise source.told(odd) from error

    def pop_mark(self) -> list[Any]:
        """Return what was put since the last mark."""
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def named(self, module: Any, name: Any) -> Global:
        """Return the word for a class or function, or refuse it."""
        if not isinstance(module, str) or not isinstance(name, str):
            refuse("a class or function without a name", "the names of a module and a class")
        if len(module) + len(name) > _LONGEST_NAME:
            refuse("a class or function with a long name", f"at most {_LONGEST_NAME} letters")
        known = known_as(module, name)
        if known is None:
            full = f"{module}.{name}"
            refuse(
                f"the file names {full!r}, which was not run",
                "arrays, numbers, text, lists, dicts, tables of pandas, TextGrids, TRFiles and "
                "DataSequences",
                "ask who made it to save these alone, or load it with joblib where you trust it "
                "with your account",
            )
        return Global(known, printable(f"{module}.{name}"))

    def call(self, function: Any, args: Any) -> Any:
        """Build what a function would return."""
        if not isinstance(function, Global) or not isinstance(args, tuple):
            refuse("something that is no function is called", "a function by its name")
        maker = CALLS.get(function.known)
        if maker is None:
            if function.known in CLASSES and not args:
                return self.new(function, args)
            refuse(f"{function.name} is called, and was not", "what needs no call")
        return maker(self, *args)

    def new(self, cls: Any, args: Any) -> Any:
        """Begin an object of a class."""
        if not isinstance(cls, Global) or cls.known not in CLASSES:
            what = f"an object of {getattr(cls, 'name', type(cls).__name__)} is made, and was not"
            refuse(what, NOT_A_CLASS)
        if args:
            refuse(f"an object of {cls.name} is made of arguments", "one whose state follows")
        if cls.known[0] == "*":
            return StandIn(cls.known[1], cls.name.rpartition(".")[0], {})
        return Begun(cls.known)

    def build(self, state: Any) -> FoundArray | None:
        """Give the last object its state."""
        target = self.stack[-1]
        if isinstance(target, StandIn):
            _add_attributes(self, target, state)
            return None
        if not isinstance(target, Begun):
            kind = getattr(target, "name", type(target).__name__)
            refuse(f"a state is given to {kind}", "an object that has one")
        made = BUILDERS[target.known](self, target, state)
        if isinstance(made, FoundArray):
            return made
        self._replace(target, made)
        return None

    def next_number(self) -> int:
        """Count an array."""
        self.tally.n_arrays += 1
        return self.tally.n_arrays - 1

    def _nested(self) -> Iterator[FoundArray]:
        if self.depth >= _DEEPEST:
            refuse("arrays of objects are nested too deeply", f"at most {_DEEPEST} levels")
        inner = Machine(self.source, self.steps, self.depth + 1, self.tally)
        yield from inner.run()
        self._replace(self.stack[-1], inner.stack[-1])

    def _settle(self, found: FoundArray) -> None:
        if found.begun is None:
            self.stack[-1] = found.value
        else:
            self._replace(found.begun, found.value)

    def _replace(self, begun: Begun, made: Any) -> None:
        """Put what was made in the place of what was begun, in the memo too."""
        self.stack[-1] = made
        for place in begun.places:
            if self.memo.get(place) is begun:
                self.memo[place] = made
                if isinstance(made, Begun):
                    made.places.append(place)


def _add_attributes(machine: Machine, target: StandIn, state: Any) -> None:
    """Put a state into the attributes; a state with slots is a pair of tables."""
    tables = state if isinstance(state, tuple) else (state,)
    held: Any = target.attributes
    for table in tables:
        if table is None:
            continue
        if type(table) is not dict:
            refuse(f"a {target.kind} whose state is no table", "its attributes by name")
        machine.source.budget.take(100 * len(table))
        for name, value in table.items():
            key = name.decode("latin-1") if isinstance(name, bytes) else name
            is_name = isinstance(key, str) and key.isprintable() and len(key) <= _LONGEST_NAME
            if not is_name or key.startswith("__"):
                refuse(f"a {target.kind} with an attribute {key!r:.80}", "attributes by name")
            held[key] = value
