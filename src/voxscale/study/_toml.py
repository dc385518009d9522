"""Read a study file, and say what is wrong with it by field and line."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxscale.errors import ConfigError
from voxscale.study._settings import sweep_heading
from voxscale.study._wrong_values import as_toml, reason_of

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

__all__ = ["TABLES", "explain", "flattened", "line_of", "read_study_file"]

_TABLE = re.compile(r"\s*\[{1,2}([^\[\]]+)\]{1,2}\s*(?:#.*)?$")
_NAME = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_FIELD = re.compile(rf"\s*({_NAME}(?:\s*\.\s*{_NAME})*)\s*=")
# What tomllib says in words of its own, and what it means here.
_PLAINLY = {"Cannot overwrite a value": "this field is given twice"}
_TWICE = re.compile(r"Cannot declare \(.*\) twice")
TABLES = ("stories", "design", "features", "fit", "baselines", "evaluate", "speech", "sweep")
_ARRAY = ("sweep",)  # of which there may be several
_BRACKETS = {"sweep": "[[sweep]], in double brackets"}


def read_study_file(path: Path) -> tuple[str, dict[str, Any]]:
    """Read a TOML file: its text, and its tables.

    Raises
    ------
    ConfigError
        If it cannot be read, or is not TOML; names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        msg = f"study file {path} cannot be read: {error.strerror}; check its name and folder."
        raise ConfigError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"study file {path} is not text in UTF-8; expected TOML; save it as UTF-8."
        raise ConfigError(msg) from error
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        reason = re.sub(r"\s*\(at .*\)$", "", str(error))
        remedy = "text needs quotes, lists [ ]"
        if reason in _PLAINLY or _TWICE.match(reason):
            reason, remedy = _PLAINLY.get(reason, "this table is given twice"), "leave one out"
        given = (text.splitlines() or [""])[line - 1 : line]
        shown = f"; the line is {given[0].strip()!r}" if given else ""
        msg = f"{path.name}, line {line}: not TOML: {reason}{shown}; {remedy}."
        raise ConfigError(msg) from error


def line_of(text: str, path: Sequence[str]) -> int | None:
    """Find the line (from 1) where a field is set, or the closest thing above it.

    A table of an array of tables, [[sweep]], is called by its number: ("sweep", "0", "hours").
    """
    wanted = tuple(path)
    table: tuple[str, ...] = ()
    counts: Counter[str] = Counter()
    best: tuple[int, int] | None = None  # parts that match, line
    for number, line in enumerate(text.splitlines(), start=1):
        if heading := _TABLE.match(line):
            table = here = _parts(heading[1])
            if table == _ARRAY and len(wanted) > 1:
                table = here = (*table, str(counts[heading[1]]))
                counts[heading[1]] += 1
        elif field := _FIELD.match(line):
            here = (*table, *_parts(field[1]))
        else:
            continue
        if here == wanted[: len(here)] and (best is None or len(here) > best[0]):
            best = (len(here), number)
    return None if best is None else best[1]


def flattened(tables: Mapping[str, Any], name: str, text: str) -> dict[str, Any]:
    """Put the fields of [study] beside the other tables, as the model has them."""
    known = ("study", *TABLES)
    for table in tables:
        if table not in known:
            line = line_of(text, [table])
            msg = (
                f"{name}, line {line}: {table!r} is not known there; expected only the tables "
                f"{', '.join(f'[{one}]' for one in known)}; put fields below one of them."
            )
            raise ConfigError(msg)
    for table, fields in tables.items():
        if table == "sweep" and isinstance(fields, list):
            continue
        if table == "sweep" or not isinstance(fields, dict):
            msg = (
                f"{name}, line {line_of(text, [table])}: {table!r} is not a table; expected "
                f"{_BRACKETS.get(table, f'[{table}] once, in single brackets')}, and its fields "
                "below it."
            )
            raise ConfigError(msg)
    for field in tables.get("study", {}):
        if field in TABLES:
            msg = (
                f"{name}, line {line_of(text, ['study', field])}: [study] has no field {field!r}; "
                f"expected a table of its own, {_BRACKETS.get(field, f'[{field}]')}."
            )
            raise ConfigError(msg)
    if "study" not in tables:
        msg = f"{name}, line 1: there is no table [study]; expected one with name, dataset, model."
        raise ConfigError(msg)
    return {**tables["study"], **{one: tables[one] for one in known[1:] if one in tables}}


def explain(
    error: ValidationError, model: type[BaseModel], data: Mapping[str, Any], source: tuple[str, str]
) -> str:
    """Say what is wrong with each field: file, line, value, what was expected, what to do."""
    name, text = source
    told: dict[tuple[str, ...], tuple[int, str]] = {}
    n_sweeps = len(data["sweep"]) if isinstance(data.get("sweep"), list) else 0
    for one in error.errors(include_url=False):
        absent = one["type"] in ("extra_forbidden", "missing") and isinstance(one["loc"][-1], str)
        if _follows_from_another(one, data, absent=absent):
            continue
        path = _path_in(data, one["loc"], keep_last=absent)
        if one["type"] == "of_one_sweep":
            path += tuple(one["ctx"]["at"].split("."))
        if path not in told:
            line = line_of(text, _file_path(path)) or line_of(text, ["study"]) or 1
            sentence = _sentence(one, path, model, n_sweeps, absent=absent)
            told[path] = line, f"{name}, line {line}: {sentence}"
    return "\n".join(sentence for _, sentence in sorted(told.values()))


def _follows_from_another(one: Mapping[str, Any], data: Mapping[str, Any], *, absent: bool) -> bool:
    """Tell whether an error is about what was made of another field, which has its own error."""
    field = one["loc"][0] if one["loc"] else ""
    return field not in data and (not absent or (field == "model" and "models" in data))


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _path_in(data: Mapping[str, Any], loc: Sequence[Any], *, keep_last: bool) -> tuple[str, ...]:
    """Keep the parts of a pydantic location that the file knows; it also names unions."""
    path: list[str] = []
    here: Any = data
    for i, part in enumerate(loc):
        if isinstance(here, Mapping) and part in here:
            here = here[part]
            path.append(str(part))
        elif i == 1 and path == ["sweep"] and isinstance(here, list):
            here = here[int(part)]
            path.append(str(part))
        elif keep_last and i == len(loc) - 1:
            path.append(str(part))
    return tuple(path)


def _file_path(path: tuple[str, ...]) -> tuple[str, ...]:
    """Where a field stands in the file: those of the study itself are in [study]."""
    return path if path and path[0] in TABLES else ("study", *path)


def _owner(
    model: type[BaseModel], path: tuple[str, ...], n_sweeps: int
) -> tuple[type[BaseModel], str, str]:
    """Find the model that holds a field, what its table is called in messages, and the field.

    A table that is a value, such as that of layers, belongs to the name of the field.
    """
    owner = model
    named = [part for i, part in enumerate(path) if not (i == 1 and path[0] in _ARRAY)]
    depth = 0
    while depth < len(named) - 1 and (inner := _inner_model(owner, named[depth])) is not None:
        owner, depth = inner, depth + 1
    table = ".".join(_file_path(path[:1])[:1] + tuple(named[1:depth])) if path else "study"
    heading = f"[{table}]"
    if path and path[0] in _ARRAY:
        is_one = len(path) > 1 and path[1].isdigit()
        heading = sweep_heading(int(path[1]), n_sweeps) if is_one else "[[sweep]]"
    return owner, heading, ".".join(named[depth:])


def _inner_model(model: type[BaseModel] | None, field: str) -> type[BaseModel] | None:
    from pydantic import BaseModel

    def models(kind: Any) -> list[type[BaseModel]]:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return [kind]
        return [one for part in getattr(kind, "__args__", ()) for one in models(part)]

    if model is None or field not in model.model_fields:
        return None
    return next(iter(models(model.model_fields[field].annotation)), None)


def _sentence(
    one: Mapping[str, Any],
    path: tuple[str, ...],
    model: type[BaseModel],
    n_sweeps: int,
    *,
    absent: bool,
) -> str:
    owner, heading, field = _owner(model, path, n_sweeps)
    fields = owner.model_fields
    of_field = field.split(".")[0]
    expected = fields[of_field].description if of_field in fields else None
    if absent and one["type"] == "missing":
        return f"{heading} lacks {field!r}; expected {expected or 'a value'}; add it."
    if absent:
        known = [name for name in fields if name not in TABLES]
        return (
            f"{heading} has no field {field!r}; expected one of {', '.join(known)}; "
            f"{_hint(field, known, model)}"
        )
    reason = reason_of(one)
    if one["type"] == "of_one_sweep":
        return f"{reason}."
    if len(path) == 1 + (path[:1] == _ARRAY and len(path) > 1) and path[0] in TABLES:
        return f"{heading} {reason}."  # of a whole table, whose fields do not go together
    wanted = f"; expected {expected}" if expected else ""
    return f"{heading} {field} cannot be {as_toml(one['input'])}: {reason}{wanted}."


def _hint(field: str, known: Sequence[str], model: type[BaseModel]) -> str:
    if field in model.model_fields and field not in (*known, *TABLES):
        return "it belongs to [study]."
    for table in TABLES:
        inner = _inner_model(model, table)
        if inner is not None and field in inner.model_fields and field not in known:
            return f"it belongs to [{table}]."
    close = difflib.get_close_matches(field, known, n=1)
    return f"did you mean {close[0]!r}?" if close else "remove it."
