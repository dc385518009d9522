"""Sounds by story: which can be read, how many windows they have, and going through them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxscale.data import audio_duration_s
from voxscale.data._audio import check_as_it_is
from voxscale.data._files import present
from voxscale.errors import DataError
from voxscale.features import SpeechExtractor
from voxscale.store import hash_file

if TYPE_CHECKING:
    from voxscale.features import SpeechClip
    from voxscale.features._speech_windows import WindowPlan

__all__ = ["Sounds", "SpeechProgress", "all_or_error", "told_duration_s"]

# Given a story, its clip, what is missing of it, and what to call after every batch.
Write = Callable[[str, "SpeechClip", Any, Callable[[int, int], None]], None]


@dataclass(frozen=True)
class SpeechProgress:
    """How far an extraction of speech states is; what a progress callable is given.

    Parameters
    ----------
    story : str
    n_stories_done, n_stories : int
    n_windows_done, n_windows : int
        Of all stories that had to be run.
    seconds : float
        Since the first sound was begun.
    """

    story: str
    n_stories_done: int
    n_stories: int
    n_windows_done: int
    n_windows: int
    seconds: float

    @property
    def windows_per_s(self) -> float:
        """Windows run in a second."""
        return self.n_windows_done / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long the rest may take; None before the first batch is done."""
        if not self.n_windows_done:
            return None
        left = max(0, self.n_windows - self.n_windows_done)
        return self.seconds / self.n_windows_done * left


class Sounds:
    """Sounds by story, and the model that hears them.

    Parameters
    ----------
    audio : mapping of story to path
    model : SpeechExtractor, or str or path
    """

    def __init__(
        self,
        audio: Mapping[str, str | os.PathLike[str]],
        model: SpeechExtractor | str | os.PathLike[str],
    ) -> None:
        if not isinstance(audio, Mapping):
            msg = f"audio is of type {type(audio).__name__}; expected a mapping of story to path."
            raise TypeError(msg)
        if not audio:
            msg = "there is no sound; name at least one."
            raise ValueError(msg)
        self.paths = {str(story): _path(str(story), one) for story, one in audio.items()}
        self.extractor = model if isinstance(model, SpeechExtractor) else SpeechExtractor(model)

    @cached_property
    def hashes(self) -> dict[str, str]:
        """The sha256 of each sound that can be used: neither ``absent`` nor ``unfit``."""
        return {
            story: hash_file(self.paths[story])
            for story in self.paths
            if story not in self.absent and story not in self.unfit
        }

    @cached_property
    def absent(self) -> dict[str, DataError]:
        """Sounds that are not there, or empty, or not fetched; and how that is said."""
        absent = {}
        for story, path in self.paths.items():
            try:
                present(path)
            except DataError as error:
                absent[story] = error
        return absent

    @cached_property
    def unfit(self) -> dict[str, DataError]:
        """Sounds that would have to be resampled and must not, by their headers.

        Those whose header cannot be read are left to the run.
        """
        if self.extractor.resamples:
            return {}
        unfit = {}
        for story in self.paths:
            if story not in self.absent and self.duration_s(story):
                try:
                    check_as_it_is(self.paths[story], self.extractor.hz)
                except DataError as error:
                    unfit[story] = error
        return unfit

    def duration_s(self, story: str) -> float:
        """Say how long a sound is by its header, in seconds; see :func:`told_duration_s`."""
        return told_duration_s(self.paths[story])

    def n_windows(self, story: str) -> int:
        """Count the windows over a sound; 0 where its header cannot be read. Loads the model."""
        return len(self.plan(story))

    def plan(self, story: str) -> WindowPlan:
        """Lay windows over a sound of which no more than the header is known."""
        model = self.extractor.load()
        n_samples = round(self.duration_s(story) * model.hz)
        return self.extractor.windows.plan(n_samples, model.hz, model.front.fewest)

    def run(
        self,
        missing: Mapping[str, Any],
        write: Write,
        progress: Callable[[SpeechProgress], None] | None,
    ) -> dict[str, DataError]:
        """Read the sounds that something is missing of, one by one.

        Returns
        -------
        dict of story to DataError
            Those that could not be read; the others are done.
        """
        if not callable(progress) and progress is not None:
            msg = f"progress is {progress!r}; expected something that can be called, or None."
            raise TypeError(msg)
        failed = {**self.absent, **self.unfit}
        n_done = len(self.paths) - len(missing) - len(failed)
        told = _Told(self, progress, n_done, missing)
        for story, parts in missing.items():
            try:
                write(story, self.extractor.read(self.paths[story]), parts, told.of(story))
            except DataError as error:
                failed[story] = error
            else:
                told.end(story)
        return failed


def told_duration_s(path: Path) -> float:
    """Say how long a sound is by its header; 0 where it cannot be read, as a run will tell."""
    try:
        return audio_duration_s(path)
    except DataError:
        return 0.0


def all_or_error(failed: Mapping[str, DataError], n_stories: int) -> None:
    """Raise one error that lists the sounds that failed, if any did."""
    if not failed:
        return
    if n_stories == 1:
        raise next(iter(failed.values()))
    listed = "\n".join(f"  {story}: {error}" for story, error in failed.items())
    rest = "the others are done" if len(failed) < n_stories else "nothing was done"
    msg = f"{len(failed)} of {n_stories} sounds cannot be used; {rest}:\n{listed}"
    raise DataError(msg)


def _path(story: str, path: str | os.PathLike[str]) -> Path:
    if isinstance(path, str | os.PathLike):
        return Path(path).expanduser()
    msg = (
        f"the sound of story {story!r} is of type {type(path).__name__}; expected a path: what is "
        "kept is known by its file."
    )
    raise TypeError(msg)


class _Told:
    """Counts windows and tells somebody."""

    def __init__(
        self,
        sounds: Sounds,
        progress: Callable[[SpeechProgress], None] | None,
        n_done: int,
        missing: Mapping[str, Any],
    ) -> None:
        self._progress, self._n_done, self._n_stories = progress, n_done, len(sounds.paths)
        is_told = progress is not None
        self._n_windows = sum(map(sounds.n_windows, missing)) if is_told else 0
        self._n_before = self._n_now = 0
        self._began = time.monotonic()

    def of(self, story: str) -> Callable[[int, int], None]:
        """Return what is called after every batch of a story."""
        self._n_before, self._n_now = self._n_before + self._n_now, 0

        def add(n_windows: int, _: int) -> None:
            self._n_now = n_windows
            self._tell(story)

        return add

    def end(self, story: str) -> None:
        self._n_done += 1
        self._tell(story)

    def _tell(self, story: str) -> None:
        if self._progress is None:
            return
        n_windows_done = self._n_before + self._n_now
        self._progress(
            SpeechProgress(
                story,
                self._n_done,
                self._n_stories,
                n_windows_done,
                max(self._n_windows, n_windows_done),
                time.monotonic() - self._began,
            )
        )
