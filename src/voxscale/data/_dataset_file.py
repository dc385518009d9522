"""A data set from a Python file of one's own: run once, with the files beside it importable."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any

from voxscale import plugins
from voxscale.data._files import FilePath, kind_of
from voxscale.errors import DataError, VoxscaleError, did_you_mean

__all__ = ["DatasetFile", "dataset_name", "find_dataset", "is_dataset_file"]

_ENDING = ".py"
_loaded: dict[Path, DatasetFile] = {}  # those that this process has run
_one_at_a_time = RLock()  # sys.path and sys.modules belong to the whole process


def is_dataset_file(name: FilePath) -> bool:
    """Tell whether a data set is meant by its file, not by its name."""
    return str(name).endswith(_ENDING)


def dataset_name(name: FilePath) -> str:
    """Return what a data set is called: its name, or that of its file without folder and ending.

    Examples
    --------
    >>> dataset_name("demo"), dataset_name("studies/mystories.py")
    ('demo', 'mystories')
    """
    return Path(name).stem if is_dataset_file(name) else str(name)


def find_dataset(name: FilePath) -> Any:
    """Load a data set's plugin: by name, or from a file, which is run once in a process.

    Raises
    ------
    DataError
        If there is none of that name, no such file, or the file cannot be run.
    """
    if not is_dataset_file(name):
        return plugins.find("datasets", str(name))
    path, kind = kind_of(name)
    if kind != "file":
        raise DataError(_absent(path, kind))
    path = path.resolve()
    with _one_at_a_time:
        if path not in _loaded:
            _loaded[path] = DatasetFile(path)
        return _loaded[path]


class DatasetFile:
    """A data set that a Python file makes, with ``SUBJECTS`` and ``load`` as any plugin has.

    While the file is run, and while its ``load`` is, the files beside it can be imported. They
    are its own: of two folders, each may have its ``helpers.py``.

    Parameters
    ----------
    path : Path
        Absolute.

    Raises
    ------
    DataError
        If the file raises an error, which is told with its line, or lacks ``SUBJECTS`` or
        ``load``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._siblings: dict[str, ModuleType] = {}
        self._module = self._run()
        self.SUBJECTS = self._subjects()

    def __repr__(self) -> str:
        return f"<data set of {self._path}>"

    def load(self, subject: str, root: Path | None = None) -> Any:
        """Call the file's ``load``; its own mistakes are told with their line."""
        with self._siblings_importable(), self._told(f"load({subject!r}, …)"):
            return self._module.load(subject, root)

    def _run(self) -> ModuleType:
        tag = sha256(str(self._path).encode()).hexdigest()[:12]
        name = f"_voxscale_dataset_{tag}_{self._path.stem}"
        spec = importlib.util.spec_from_file_location(name, self._path)
        if spec is None or spec.loader is None:
            msg = f"{self._path} cannot be run as Python; expected a Python file."
            raise DataError(msg)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # classes of the file are looked up there
        try:
            with self._siblings_importable(), self._told("it"):
                spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module

    def _subjects(self) -> tuple[str, ...]:
        """Return the file's subjects, once it is known to be a data set."""
        subjects = getattr(self._module, "SUBJECTS", None)
        is_list = isinstance(subjects, list | tuple) and all(isinstance(s, str) for s in subjects)
        lacking = [] if is_list and subjects else ["SUBJECTS, a tuple of one or more names"]
        if not callable(getattr(self._module, "load", None)):
            lacking.append("load(subject, root)")
        if lacking:
            msg = (
                f"{self._path} is no data set: it lacks {' and '.join(lacking)}; see 'A data set "
                "from a file' in docs/data.md."
            )
            raise DataError(msg)
        return tuple(subjects or ())

    @contextmanager
    def _siblings_importable(self) -> Iterator[None]:
        """Let the files of the folder be imported, and only here; put all back as it was."""
        folder = self._path.parent
        with _one_at_a_time:
            if folder in {Path(one).resolve() for one in sys.path}:
                yield  # as in a notebook: they are everybody's
                return
            path, before = list(sys.path), dict(sys.modules)
            _hide_namesakes(folder)
            sys.modules.update(self._siblings)
            sys.path.insert(0, str(folder))
            importlib.invalidate_caches()  # a file may be newer than what Python has listed
            try:
                yield
            finally:
                sys.path[:] = path
                for one, module in list(sys.modules.items()):
                    if before.get(one) is not module and _is_sibling(one, module, folder):
                        self._siblings[one] = sys.modules.pop(one)
                for one in before.keys() - sys.modules.keys():
                    sys.modules[one] = before[one]

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Say of whatever the user's file raises where it was raised."""
        try:
            yield
        except VoxscaleError:
            raise
        # What a user's file may raise is not known beforehand; a script may end the program.
        except (Exception, SystemExit) as error:
            where = _where(error, self._path)
            first = (str(error).splitlines() or [""])[0]
            reason = f"{type(error).__name__}: {first}" if first else type(error).__name__
            msg = (
                f"{self._path}: {what} failed at {where}: {reason}; mend it "
                "(VOXSCALE_DEBUG=1 shows the traceback)."
            )
            raise DataError(msg) from error


def _absent(path: Path, kind: str) -> str:
    what = {"folder": "is a folder", "link": "is a link that leads nowhere"}
    near = [one.name for one in path.parent.glob(f"*{_ENDING}")] if path.parent.is_dir() else []
    hint = did_you_mean(path.name, near)
    return (
        f"{path} {what.get(kind, 'does not exist')}; expected the Python file of a data set{hint}."
    )


def _hide_namesakes(folder: Path) -> None:
    """Forget modules from elsewhere that are called as those of a folder are."""
    roots = _roots(folder)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in roots and not _lies_in(module, folder):
            del sys.modules[name]


def _roots(folder: Path) -> set[str]:
    """List the modules and packages that lie in a folder."""
    return {one.stem for one in folder.glob(f"*{_ENDING}")} | {
        one.parent.name for one in folder.glob(f"*/__init__{_ENDING}")
    }


def _lies_in(module: Any, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve().is_relative_to(folder)


def _is_sibling(name: str, module: Any, folder: Path) -> bool:
    return name.partition(".")[0] in _roots(folder) and _lies_in(module, folder)


def _where(error: BaseException, path: Path) -> str:
    """Name the deepest line of the user's own files that an error came through."""
    if isinstance(error, SyntaxError) and error.filename:
        return _line(Path(error.filename), error.lineno, path)
    found, trace = _line(path, None, path), error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(path.parent):
            found = _line(file, trace.tb_lineno, path)
        trace = trace.tb_next
    return found


def _line(file: Path, line: int | None, path: Path) -> str:
    of_file = "" if file == path else f"{file.name}, "
    return f"{of_file}line {line}" if line else f"{of_file}an unknown line"
