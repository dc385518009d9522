"""What a study reads: checked before any work, hashed once."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale import data, plugins
from voxscale.arrays import Array, TRSeries
from voxscale.data import Dataset, Transcript
from voxscale.errors import AlignmentError, ConfigError, DataError, VoxscaleWarning
from voxscale.features import Extractor, SpeechExtractor, extractor
from voxscale.store import hash_array, hash_file, key_of
from voxscale.study._checks import blamed
from voxscale.study._speech_inputs import need_sounds, speech_extractor
from voxscale.study._stories import load_subject
from voxscale.study._sweeps import Grid, grids_of

if TYPE_CHECKING:
    from voxscale.study._config import Study

__all__ = ["Inputs", "SubjectFacts"]

_HASHES: dict[tuple[Any, ...], str] = {}  # of memory maps and sounds that this process has read


@dataclass(frozen=True)
class SubjectFacts:
    """What the names of results need to know of one subject; small, unlike the data.

    Parameters
    ----------
    subject : str
    train, test : tuple of str
    tr_s : float, in seconds
    n_voxels : int
    transcripts : mapping of run to Transcript
    tr_times : mapping of run to array of shape (n_run_trs,), in seconds
    trs : mapping of run to tuple of range
        The TRs that its responses cover, and those of each trial where it was repeated.
    hashes : mapping of run to dict
        Of its words, TR times, responses, and (None without) its trials.
    sounds : mapping of run to str
        Hash of each run's audio, where a baseline or a speech model needs it; empty unless all
        have some.
    no_sound : str
        What keeps a baseline from being made of it, where some audio is there.
    """

    subject: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    tr_s: float
    n_voxels: int
    transcripts: Mapping[str, Transcript]
    tr_times: Mapping[str, Array]
    trs: Mapping[str, tuple[range, ...]]
    hashes: Mapping[str, dict[str, str | None]]
    sounds: Mapping[str, str] = field(default_factory=dict)
    no_sound: str = ""

    def inputs_of(self, run: str) -> dict[str, str | None]:
        """Return what the numbers of one run depend on."""
        return {"run": run, **self.hashes[run]}

    def repeated(self) -> tuple[str, ...]:
        """Return the test runs with repeats."""
        return tuple(run for run in self.test if self.hashes[run]["trials"])


class Inputs:
    """The data and the extractors of one study, loaded when asked for.

    Parameters
    ----------
    study : Study
    device : str, optional
        For the extractors.

    Raises
    ------
    ConfigError
        If the data set or a subject is unknown.
    """

    def __init__(self, study: Study, device: str | None = None) -> None:
        self.study = study
        self._device = device
        self._facts: dict[str, SubjectFacts] = {}
        self._extractors: dict[str, Extractor] = {}
        self._identities: dict[str, Mapping[str, Any]] = {}
        self.feature_keys: dict[tuple[str, str, str, int, int], str] = {}  # those named so far
        self._latest: tuple[str, Dataset] | None = None
        self.subjects = _subjects_of(study)

    def extractor(self, model: str) -> Extractor:
        """Return what turns words into features; a language model is not loaded yet."""
        if model not in self._extractors:
            self._extractors[model] = self._extractor(model)
        return self._extractors[model]

    def _extractor(self, model: str) -> Extractor:
        study = self.study
        # A plugin takes no protocol: then it is that of the design alone.
        is_plugin = model in plugins.names("extractors")
        protocol = None if is_plugin else study.design.protocol
        with blamed(study, self.field_of(model)):
            found = extractor(
                model,
                device=self._device,
                dtype=None if study.features.dtype == "float32" else study.features.dtype,
                policy=study.features.policy,
                word_vector=study.features.word_vector,
                protocol=protocol,
            )
            n_layers = getattr(found, "n_layers", None)
        if n_layers is not None:
            self._check_layers(model, n_layers)
        return found

    def _check_layers(self, model: str, n_layers: int) -> None:
        for grid in self.grids:
            if max(grid.layers.get(model, (0,))) >= n_layers:
                msg = (
                    f"{self.study.where('layers', grid.table)}{grid.label('layers')} "
                    f"has {max(grid.layers[model])}; model {model!r} has layers 0 to "
                    f"{n_layers - 1}; leave out those above."
                )
                raise ConfigError(msg)

    @cached_property
    def grids(self) -> tuple[Grid, ...]:
        """The grids of the study."""
        return tuple(grids_of(self.study))

    def release(self, model: str) -> None:
        """Let go of a model's weights; they are loaded again when asked for."""
        self._extractors.pop(model, None)

    def field_of(self, model: str) -> str:
        """Return the field of a study file that names a model."""
        return "model" if model == self.study.model else "models"

    def identity(self, model: str) -> Mapping[str, Any]:
        """Return what of an extractor can change the numbers."""
        if model not in self._identities:
            found = self.extractor(model)
            with blamed(self.study, self.field_of(model)):
                self._identities[model] = found.identity
        return self._identities[model]

    @cached_property
    def speech(self) -> SpeechExtractor | None:
        """What turns sounds into features, not loaded yet; None in a study without it."""
        return speech_extractor(self.study, self._device)

    @cached_property
    def speech_identity(self) -> Mapping[str, Any] | None:
        """What of the speech model and its windows can change the numbers."""
        if self.speech is None:
            return None
        with blamed(self.study, "model", "speech"):
            return self.speech.identity

    def check_model(self) -> None:
        """Find out whether the models and their layers exist, before any data are read."""
        for model in self.study.models:
            self.identity(model)
        _ = self.speech_identity

    def dataset(self, subject: str) -> Dataset:
        """Load a subject; only the latest one is kept."""
        if self._latest is None or self._latest[0] != subject:
            self._latest = None  # lets go of the other before this one is read
            self._latest = subject, load_subject(self.study, subject)
        return self._latest[1]

    def facts(self, subject: str) -> SubjectFacts:
        """Check and hash a subject's inputs, once.

        Raises
        ------
        DataError
            If there is nothing to train or to test on, a run has no TR times, its words were not
            heard while it was scanned or go on after a sound that a speech model is to hear, or
            its responses are no numbers or infinite.
        ConfigError
            If a speech model is to hear a run without sound.
        """
        if subject not in self._facts:
            dataset = self.dataset(subject)
            found = _facts_of(dataset, subject)
            has_band = any("sound" in one for grid in self.grids for one in grid.bands)
            if self.study.baselines.sound or has_band or self.study.speech is not None:
                sounds, no_sound = _hash_sounds(dataset)
                if self.study.speech is not None and not sounds:
                    need_sounds(self.study, dataset, no_sound)
                if has_band and not sounds:
                    raise ConfigError(_no_sound_for_bands(self.study, dataset, no_sound))
                if self.study.speech is not None:
                    for run in sounds:
                        data.check_heard(run, dataset.words[run], dataset.audio[run])
                found = replace(found, sounds=sounds, no_sound=no_sound)
            self._facts[subject] = found
        return self._facts[subject]


def _subjects_of(study: Study) -> tuple[str, ...]:
    try:
        known = data.dataset_subjects(study.dataset, study.root)
    except DataError as error:
        msg = f"{study.where('dataset')}{error}"
        raise ConfigError(msg) from error
    with blamed(study, "subjects"):
        for subject in study.subjects or ():
            data.check_subject(study.dataset_name, subject, known)
    return study.subjects or known


def _facts_of(dataset: Dataset, subject: str) -> SubjectFacts:
    label = f"dataset {dataset.name!r}, subject {subject!r}"
    for split in ("train", "test"):
        if not getattr(dataset, split):
            msg = (
                f"{label}: no {split} runs; a study needs runs to train on and others to test on; "
                "name some."
            )
            raise DataError(msg)
    tr_times, trs, hashes = {}, {}, {}
    n_voxels = 0
    repeated = set(dataset.trials).intersection(dataset.test)
    for run in (*dataset.train, *dataset.test):
        response = dataset.responses[run]
        if response.tr_times is None:
            msg = (
                f"{label}, run {run!r}: its responses carry no TR times, so words cannot be "
                "placed; read them with tr_times=."
            )
            raise AlignmentError(msg)
        data.check_run(dataset.words[run], response, dataset.audio.get(run))
        n_voxels = response.values.shape[1]
        tr_times[run] = response.tr_times
        trials = dataset.trials[run] if run in repeated else ()
        repeats = {f"{label}, repeat {i}": one for i, one in enumerate(trials, start=1)}
        trs[run] = tuple(one.trs for one in (response, *trials))
        hashes[run] = {
            "words": _hash_words(dataset.words[run]),
            "tr_times": hash_array(response.tr_times),
            "responses": _hash_series({label: response}),
            "trials": _hash_series(repeats) if repeats else None,
        }
    return SubjectFacts(
        subject=subject,
        train=dataset.train,
        test=dataset.test,
        tr_s=dataset.tr_s,
        n_voxels=n_voxels,
        transcripts={run: dataset.words[run] for run in tr_times},
        tr_times=tr_times,
        trs=trs,
        hashes=hashes,
    )


def _no_sound_for_bands(study: Study, dataset: Dataset, why: str) -> str:
    grids = [one for one in grids_of(study) if any("sound" in bands for bands in one.bands)]
    where = f"{study.where('bands', grids[0].table)}{grids[0].label('bands')}"
    reason = why or "no run has audio"
    return (
        f"{where} has sound, but of dataset {dataset.name!r}, subject {dataset.subject!r}, "
        f"{reason}; leave sound out, or give the data set its audio."
    )


def _hash_sounds(dataset: Dataset) -> tuple[dict[str, str], str]:
    """Hash the audio of every run; or none, and say which run lacks what others have."""
    runs = (*dataset.train, *dataset.test)
    absent = [run for run in runs if run not in dataset.audio]
    if len(absent) == len(runs):
        return {}, ""
    if absent:
        return {}, f"{len(absent)} of {len(runs)} runs have no audio, the first is {absent[0]!r}"
    hashes = {}
    for run in runs:
        try:
            data.audio_duration_s(dataset.audio[run])
        except DataError as error:
            return {}, f"run {run!r}: {error}"
        hashes[run] = _hash_sound(Path(dataset.audio[run]))
    return hashes, ""


def _hash_sound(path: Path) -> str:
    """Hash a sound, once in a process as long as its file stays what it is."""
    facts = path.stat()
    name = (str(path), facts.st_size, facts.st_mtime_ns)
    if name not in _HASHES:
        _HASHES[name] = hash_file(path)
    return _HASHES[name]


def _hash_words(transcript: Transcript) -> str:
    offsets = transcript.offset_s
    return key_of(
        {
            "words": transcript.words,
            "onset_s": hash_array(transcript.onset_s),
            "offset_s": None if offsets is None else hash_array(offsets),
        }
    )


def _hash_series(series: Mapping[str, TRSeries]) -> str:
    """Check and hash responses, given with what errors call them."""
    first_trs = [one.first_tr for one in series.values()]
    values = [_hash_checked(label, one) for label, one in series.items()]
    return key_of({"first_tr": first_trs, "values": values})


def _hash_checked(label: str, series: TRSeries) -> str:
    """Check and hash responses; a memory map only once, as long as its file stays what it is."""
    name = _name_in_file(series.values)
    if name in _HASHES:
        return _HASHES[name]
    with warnings.catch_warnings():  # of voxels that only score NaN the run tells, once for all
        warnings.simplefilter("ignore", VoxscaleWarning)
        try:
            data.check_responses(series)
        except DataError as error:
            msg = f"{label}, {error}"
            raise DataError(msg) from error
    found = hash_array(series.values)
    if name:
        _HASHES[name] = found
    return found


def _name_in_file(values: Array) -> tuple[Any, ...]:
    """Say which numbers of which file a memory map shows; empty for what is none."""
    whole: Any = values
    while isinstance(getattr(whole, "base", None), np.ndarray):
        whole = whole.base  # a slice of a map is a map too, with the offset of the whole
    if not isinstance(whole, np.memmap) or whole.filename is None:
        return ()
    facts = Path(whole.filename).stat()
    first = values.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    part = (whole.offset + first, values.shape, values.strides, values.dtype.str)
    return (str(whole.filename), facts.st_size, facts.st_mtime_ns, *part)
