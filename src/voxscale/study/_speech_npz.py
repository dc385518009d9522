"""Speech states as npz files, in the folders of the published scripts."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from voxscale.errors import DataError, StoreError, VoxscaleWarning
from voxscale.features._models import short_name
from voxscale.store import check_writable, key_of, remove_left
from voxscale.study._npz_rows import NpzRows, key_in, read_npz, writing_npz
from voxscale.study._sounds import Sounds, SpeechProgress
from voxscale.study._speech_stream import Sink, hear

if TYPE_CHECKING:
    from voxscale.arrays import Array
    from voxscale.features import SpeechClip, SpeechExtractor
    from voxscale.features._reading import Layers

__all__ = ["SpeechNpz"]

RECIPE = 1  # raised by hand whenever what is written would differ

_FEATURES, _FINAL, _TIMES = "features", "final", "times"
_OF_A_LAYER = re.compile(r"(encoder|layer)\.\d+/")  # folders that are not for stories
_CLOSE_S = 1e-3  # float32 keeps times of hours to less than that

Part = int | str  # a layer, "final" or "times"


class SpeechNpz:
    """Speech states of many stories as npz files, as the published scripts lay them out.

    ::

        OUT/features_cnk0.1_ctx16.0/MODEL[/stride_S]/
            layer.K/STORY.npz      features (n_windows, n_dims); encoder.K for Whisper
            STORY.npz              features of the last layer, after the norm
            STORY_times.npz        times (n_windows, 2), start and end of each window in seconds

    All are float32. A file that is there is complete and kept; what is missing is computed in one
    pass over each sound. Each file knows what it was made from.

    Parameters
    ----------
    audio : mapping of story to path
        The name of a story may have folders: "book/chapter1".
    model : SpeechExtractor, or str or path
        An extractor brings its own windows and options.
    out : path
    layers : "all" or sequence of int
        The last layer is written as STORY.npz even if it is not among them.
    chunk_s : float, optional, in seconds
        What the published scripts call chunk, where windows step by something else: the folder
        is named by it, and has a folder for the stride. Default: the stride.
    overwrite : bool
        Compute anew what is there.

    Raises
    ------
    DataError, ValueError, TypeError
        If the arguments cannot be used.

    Attributes
    ----------
    sounds : Sounds
        With those that are ``absent``, and ``n_windows`` of each.
    failed : dict of story to DataError
        Sounds that the last run could not use.

    Notes
    -----
    The name of the folder has one decimal, as it always had, so that strides of 0.1 and 0.12 s
    share a folder. Files that were made with another stride, model or sound are told apart by
    what they know, and are an error.
    """

    parts = "files"  # what there is several of for each story

    def __init__(
        self,
        audio: Mapping[str, str | os.PathLike[str]],
        model: SpeechExtractor | str | os.PathLike[str],
        out: str | Path,
        *,
        layers: Layers = "all",
        chunk_s: float | None = None,
        overwrite: bool = False,
    ) -> None:
        self.sounds = Sounds(audio, model)
        self.sounds.extractor.check_window()
        self._extractor = self.sounds.extractor
        chosen = sorted(self._extractor.choose_layers(layers))
        self._parts: list[Part] = [*chosen, _FINAL, _TIMES]
        self._overwrite = overwrite
        self.folder = Path(out) / _folder_name(self._extractor, chunk_s)
        _check_names(self.sounds.paths)
        self.failed: dict[str, DataError] = {}

    def path(self, story: str, part: Part) -> Path:
        """Tell where a file is, or would be.

        Parameters
        ----------
        story : str
        part : int or str
            A layer, "final" or "times".
        """
        if part == _FINAL:
            return self.folder / f"{story}.npz"
        if part == _TIMES:
            return self.folder / f"{story}_times.npz"
        return self.folder / f"{self._extractor.layer_prefix}.{part}" / f"{story}.npz"

    @property
    def missing(self) -> dict[str, list[Part]]:
        """Files that are to be made, by story; sounds that are not there have none.

        Raises
        ------
        StoreError
            If a file was made from something else.
        """
        found = {story: self._missing_of(story) for story in self.sounds.hashes}
        return {story: parts for story, parts in found.items() if parts}

    def check(self) -> None:
        """Find out whether what is missing can be run, as far as that can be known.

        Raises
        ------
        DataError, ValueError, StoreError
            If the model cannot be loaded, the folder not be written, or it holds something else;
            sounds that cannot be read are left to the run.
        """
        missing = self.missing
        self._warn_of_others()
        if missing:
            self._extractor.load()
            check_writable(self.folder)

    def run(self, progress: Callable[[SpeechProgress], None] | None = None) -> dict[str, Path]:
        """Write what is missing, and return the path of each story's last layer.

        What killed runs on this machine left half-written, in any layer, is removed.
        Sounds that cannot be used raise nothing: they are in ``failed``.

        Parameters
        ----------
        progress : callable, optional
            Given a `SpeechProgress` after every batch.

        Raises
        ------
        DataError, ValueError, StoreError
            As :meth:`check`; or if the disk is full.
        """
        self.check()
        remove_left(self.folder)
        self.failed = self.sounds.run(self.missing, self._write, progress)
        return {
            story: self.path(story, _FINAL)
            for story in self.sounds.paths
            if story not in self.failed
        }

    @cached_property
    def _keys(self) -> dict[str, str]:
        """What each story's files are made from."""
        identity = dict(self._extractor.identity)
        return {
            story: key_of({"recipe": RECIPE, "extractor": identity, "sound": sound})
            for story, sound in self.sounds.hashes.items()
        }

    def _missing_of(self, story: str) -> list[Part]:
        if self._overwrite:
            self._check_left_over(story)
            return self._parts
        keys = {part: key_in(self.path(story, part)) for part in self._parts}
        for part, key in keys.items():
            if key not in (None, "", self._keys[story]):
                msg = (
                    f"{self.path(story, part)} was made from another sound, by another model or "
                    "with other windows or options; choose another folder, or overwrite it."
                )
                raise StoreError(msg)
        return [part for part, key in keys.items() if key is None]

    def _check_left_over(self, story: str) -> None:
        """Refuse to leave layers of something else beside files that are computed anew."""
        prefix = self._extractor.layer_prefix
        asked = {self.path(story, part) for part in self._parts}
        for path in sorted(self.folder.glob(f"{prefix}.*/{story}.npz")):
            if path not in asked and key_in(path) != self._keys[story]:
                msg = (
                    f"{path} was made from something else than what would be beside it; overwrite "
                    "its layer too, or delete it."
                )
                raise StoreError(msg)

    def _warn_of_others(self) -> None:
        """Say that some files are kept though nobody knows what they were made from."""
        paths = [self.path(story, part) for story in self.sounds.hashes for part in self._parts]
        n_others = 0 if self._overwrite else sum(key_in(path) == "" for path in paths)
        if n_others:
            msg = (
                f"{n_others} files in {self.folder} do not say what they were made from (older "
                "scripts wrote them?); they are kept; overwrite them if in doubt."
            )
            warnings.warn(msg, VoxscaleWarning, stacklevel=4)

    def _write(
        self, story: str, clip: SpeechClip, parts: list[Part], told: Callable[[int, int], None]
    ) -> None:
        times = np.stack([clip.plan.start_times, clip.plan.times], axis=1)
        if _TIMES not in parts:
            self._check_times(story, times)
        sinks: dict[int, list[Sink]] = {}
        with ExitStack() as stack:
            # Finished in the opposite order: layers, the last one, times. The published scripts
            # take a story with times for done.
            for part in reversed(parts):
                name = _TIMES if part == _TIMES else _FEATURES
                n_dims = 2 if part == _TIMES else self._extractor.n_dims
                path, shape = self.path(story, part), (len(times), n_dims)
                rows = stack.enter_context(writing_npz(path, name, shape, self._keys[story]))
                if part == _TIMES:
                    rows.append(times)
                else:
                    layer = self._extractor.n_layers - 1 if part == _FINAL else int(part)
                    sinks.setdefault(layer, []).append(_sink(rows))
            hear(self._extractor, clip, sinks, told)

    def _check_times(self, story: str, times: Array) -> None:
        """Refuse to add layers to what another script wrote for other windows."""
        path = self.path(story, _TIMES)
        try:
            held = read_npz(path, _TIMES)
        except StoreError as error:  # of this story alone: the others go on
            raise DataError(str(error)) from error
        if held.shape != times.shape or np.abs(held - times).max() > _CLOSE_S:
            msg = (
                f"{path} is of {len(held)} other windows than the {len(times)} of its sound; "
                "layers would not fit together; choose another folder, or overwrite it."
            )
            raise DataError(msg)


def _sink(rows: NpzRows) -> Sink:
    return lambda _, values: rows.append(values)


def _folder_name(extractor: SpeechExtractor, chunk_s: float | None) -> Path:
    windows = extractor.windows
    stride_s, context_s = windows.stride_s, windows.context_s
    if chunk_s is not None:
        context_s = round(windows.window_s - chunk_s, 9)
        if not (chunk_s > 0 and context_s >= 0):
            msg = (
                f"chunk_s is {chunk_s}; expected seconds above 0, and no more than the "
                f"{windows.window_s:g} s of a window."
            )
            raise ValueError(msg)
    chunk_s = stride_s if chunk_s is None else chunk_s
    model = short_name(extractor.identity["model"])
    folder = Path(f"features_cnk{chunk_s:.1f}_ctx{context_s:.1f}", model)
    return folder if chunk_s == stride_s else folder / f"stride_{float(stride_s)}"


def _check_names(stories: Iterable[str]) -> None:
    """Refuse names of stories that cannot be those of files."""
    known = set(stories)
    for story in known:
        parts = PurePosixPath(story).parts
        is_plain = str(PurePosixPath(story)) == story and not _OF_A_LAYER.match(story)
        if not parts or parts[0] == "/" or ".." in parts or not is_plain:
            msg = f"story {story!r} cannot name a file; expected a name such as 'book/chapter1'."
            raise ValueError(msg)
        if f"{story}_times" in known:
            msg = (
                f"stories {story!r} and '{story}_times' would share the file {story}_times.npz; "
                "rename one."
            )
            raise ValueError(msg)
