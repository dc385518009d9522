"""Lines of a drawing: the paths and transforms of SVG as points."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import DataError

__all__ = ["affine_of", "lines_of"]

_PER_CURVE = 12  # straight pieces of a curve
_TOKEN = re.compile(r"[A-Za-z]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_CALL = re.compile(r"(\w+)\s*\(([^)]*)\)")
# How many numbers each command takes, and what it draws.
_N_NUMBERS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}


def lines_of(path: str) -> list[tuple[Array, bool]]:
    """Turn the ``d`` of an SVG path into lines of points.

    Parameters
    ----------
    path : str
        With the commands M, L, H, V, C, S, Q, T, A and Z, or their relative forms.

    Returns
    -------
    list of (points of shape (n, 2), whether the line is closed)
        One for each part of the path; a closed one ends where it began. A curve becomes 12
        straight pieces, an arc one for each 7.5 degrees or less.

    Raises
    ------
    DataError
        If a command is not known or has too few numbers.

    References
    ----------
    W3C 2018, Scalable Vector Graphics 2, sections 9.3 and B.2.

    Examples
    --------
    >>> [(points, is_closed)] = lines_of("m 1,1 h 2 v 1 z")
    >>> points.tolist(), is_closed
    ([[1.0, 1.0], [3.0, 1.0], [3.0, 2.0], [1.0, 1.0]], True)
    """
    lines: list[tuple[Array, bool]] = []
    points: list[Array] = []
    start = pen = np.zeros(2)
    last, handle = "", pen  # what a smooth curve mirrors
    for command, numbers in _commands(path):
        kind, origin = command.upper(), pen if command.islower() else np.zeros(2)
        if kind in "MZ":
            if kind == "Z" and points:
                points.append(start)
            if len(points) > 1:
                lines.append((np.array(points), kind == "Z"))
            start = pen = origin + numbers if kind == "M" else start
            points = [pen]
            last, handle = kind, pen
            continue
        if kind in "CSQT":
            ends = list(numbers.reshape(-1, 2) + origin)
            if kind in "ST":
                ends.insert(0, 2 * pen - handle if last in tuple(_LIKE[kind]) else pen)
            handle = ends[-2]
            piece = _curve(np.array([pen, *ends]))
        else:
            piece = _STRAIGHT[kind](pen, numbers, origin)
            handle = piece[-1]
        points.extend(piece)
        pen, last = np.asarray(piece[-1]), kind
    if len(points) > 1:
        lines.append((np.array(points), False))
    return lines


def affine_of(text: str | None) -> Array:
    """Turn the ``transform`` of an SVG element into an affine of shape (3, 3).

    Raises
    ------
    DataError
        If a part of it is not known or has a wrong number of numbers.

    Examples
    --------
    >>> affine_of("translate(3, 4) scale(2)") @ [1, 1, 1]
    array([5., 6., 1.])
    """
    whole = np.eye(3)
    for name, inside in _CALL.findall(text or ""):
        numbers = [float(token) for token in _TOKEN.findall(inside) if not token.isalpha()]
        if name not in _AFFINES or len(numbers) not in _AFFINES[name][0]:
            msg = (
                f"transform {name}({inside.strip()}) is not known; expected one of "
                f"{', '.join(_AFFINES)} with its numbers; save the drawing again."
            )
            raise DataError(msg)
        whole = whole @ _AFFINES[name][1](numbers)
    return whole


def _commands(path: str) -> Iterator[tuple[str, Array]]:
    """Yield each command with its numbers; those that repeat are told apart."""
    tokens = _TOKEN.findall(path)
    command, at = "", 0
    while at < len(tokens):
        if tokens[at].isalpha():
            command, at = tokens[at], at + 1
        elif command.upper() in ("", "Z"):
            break
        n = _N_NUMBERS.get(command.upper(), -1)
        numbers = tokens[at : at + n] if n >= 0 else []
        if n < 0 or len(numbers) < n or any(token.isalpha() for token in numbers):
            break
        yield command, np.array(numbers, dtype=np.float64)
        at += n
        command = {"M": "L", "m": "l"}.get(command, command)  # what follows a move are lines
    else:
        return
    told = " ".join([command, *tokens[at : at + 3]]).strip()
    msg = (
        f"path has {told!r}, which is no command of SVG with "
        f"all its numbers; expected {', '.join(_N_NUMBERS)}; save the drawing again."
    )
    raise DataError(msg)


def _curve(controls: Array) -> list[Array]:
    """Walk along a curve of Bézier by de Casteljau's means; its begin is left out."""
    t = np.linspace(0.0, 1.0, _PER_CURVE + 1)[1:, None, None]
    level = np.broadcast_to(controls, (_PER_CURVE, *controls.shape))
    while level.shape[1] > 1:
        level = (1 - t) * level[:, :-1] + t * level[:, 1:]
    return list(level[:, 0])


def _arc(pen: Array, numbers: Array, origin: Array) -> list[Array]:
    """Walk along an elliptical arc; its begin is left out."""
    radii, turn, (is_large, is_forward) = np.abs(numbers[:2]), np.deg2rad(numbers[2]), numbers[3:5]
    end = origin + numbers[5:]
    if not radii.all() or np.array_equal(pen, end):
        return [end]
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    half = axes.T @ (pen - end) / 2 / radii  # on the unit circle's plane
    reach = float(half @ half)
    radii, half = radii * max(1.0, np.sqrt(reach)), half / max(1.0, np.sqrt(reach))
    away = np.sqrt(max(0.0, 1.0 / min(reach, 1.0) - 1.0)) * np.array([half[1], -half[0]])
    centre = -away if bool(is_large) == bool(is_forward) else away
    first, final = (np.arctan2(*(point - centre)[::-1]) for point in (half, -half))
    sweep = (final - first) % (2 * np.pi) if is_forward else -((first - final) % (2 * np.pi))
    n = max(2, int(np.ceil(abs(sweep) / np.deg2rad(7.5))))
    angles = first + sweep * np.linspace(0.0, 1.0, n + 1)[1:]
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1) + centre
    return [*((circle * radii) @ axes.T + (pen + end) / 2)[:-1], end]


# What is drawn from the pen; numbers of relative commands count from ``origin``.
_STRAIGHT: dict[str, Callable[[Array, Array, Array], list[Array]]] = {
    "L": lambda pen, numbers, origin: [origin + numbers],
    "H": lambda pen, numbers, origin: [np.array([origin[0] + numbers[0], pen[1]])],
    "V": lambda pen, numbers, origin: [np.array([pen[0], origin[1] + numbers[0]])],
    "A": _arc,
}
# After which commands a curve mirrors the last handle.
_LIKE = {"C": "", "Q": "", "S": "CS", "T": "QT"}


def _turned(numbers: list[float]) -> Array:
    cosine, sine = np.cos(np.deg2rad(numbers[0])), np.sin(np.deg2rad(numbers[0]))
    x, y = numbers[1:] or (0.0, 0.0)
    turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(_moved([x, y]) @ turn @ _moved([-x, -y]))


def _moved(numbers: list[float]) -> Array:
    x, y = [*numbers, 0.0][:2]
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


# How many numbers each transform may have, and its affine.
_AFFINES: dict[str, tuple[tuple[int, ...], Callable[[list[float]], Array]]] = {
    "matrix": ((6,), lambda m: np.array([m[::2], m[1::2], [0.0, 0.0, 1.0]])),
    "translate": ((1, 2), _moved),
    "scale": ((1, 2), lambda s: np.diag([s[0], s[-1], 1.0])),
    "rotate": ((1, 3), _turned),
    "skewX": ((1,), lambda a: np.array([[1, np.tan(np.deg2rad(a[0])), 0], [0, 1, 0], [0, 0, 1]])),
    "skewY": ((1,), lambda a: np.array([[1, 0, 0], [np.tan(np.deg2rad(a[0])), 1, 0], [0, 0, 1]])),
}
