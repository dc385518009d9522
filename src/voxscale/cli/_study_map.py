"""Maps of a study: arrays of the cell where its sweeps meet, one value a voxel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import ConfigError, DataError, did_you_mean

if TYPE_CHECKING:
    from voxscale.study import Cell, Results

__all__ = ["StudyMaps", "study_maps"]

_R = "r"
_N_FSAVERAGE5 = 20_484
_ROOM, _CEILING, _REACHED = "room", "cc_max", "cc_abs"
_MEANINGS = {
    "r": "correlation, all test stories",
    "r2": "share of variance explained, all test stories",
    "r_validation": "correlation, validation stories",
    "cv_score": "validation score at the alpha chosen",
    "best_alpha": "the alpha chosen",
    "cc_max": "noise ceiling, repeated stories",
    "cc_abs": "correlation, repeated stories",
    "cc_norm": "share of the noise ceiling reached",
    "spe": "share of signal power explained",
    "p_value": "of r, by permutation",
    "p_family": "of r, all voxels together",
    _ROOM: "room for improvement, cc_max \N{MINUS SIGN} cc_abs",
}


@dataclass(frozen=True, eq=False)
class StudyMaps:
    """What a study found of one subject where its sweeps meet."""

    path: Path
    results: Results
    cell: Cell

    @property
    def title(self) -> str:
        """Whose values they are, and of which fit."""
        cell = self.cell
        if not cell.has_language:
            return f"{cell.subject}: {cell.bands}"
        return f"{cell.subject}: {cell.model}, layer {cell.layer}, context {cell.context}"

    def values(self, column: str | None = None) -> Array:
        """Read an array that has one value a voxel, "r" by default; "room" is a difference.

        Raises
        ------
        DataError
            If there is no such array; the message has those that there are.
        """
        name = _R if column is None else column
        parts = (_CEILING, _REACHED) if name == _ROOM else (name,)
        held = self.results.held(self.cell, {*parts, _R})
        found = [held[one] for one in parts if one in held]
        if len(found) < len(parts) or found[0].shape != held[_R].shape:
            self._refuse(name)
        values = np.asarray(found[0], dtype=np.float64)
        return values - found[1] if name == _ROOM else values

    def surface(self) -> Any:
        """Find what the subject's values are drawn on: fsaverage5, or the data set's cortex.

        Raises
        ------
        ConfigError
            If the data set names no cortex, and there are not as many values as fsaverage5 has
            vertices.
        """
        from voxscale.data import read_pycortex_subject
        from voxscale.study._stories import load_subject

        n_voxels = self.values().size
        if n_voxels == _N_FSAVERAGE5:
            return self.cell.subject
        cortex = load_subject(self.results.study, self.cell.subject).cortex
        if cortex is None:
            msg = (
                f"{self.path} has {n_voxels:,} voxels of subject {self.cell.subject!r}, and the "
                f"data set names no cortex of theirs; expected one, or {_N_FSAVERAGE5:,} values of "
                "fsaverage5; name the filestore with the subject's own surface."
            )
            raise ConfigError(msg)
        return read_pycortex_subject(cortex)

    def _refuse(self, name: str) -> None:
        """Tell which arrays could be drawn; all are read for it, as only their shapes tell."""
        arrays = self.results.arrays(self.cell)
        shape = arrays[_R].shape
        known = [one for one, array in arrays.items() if array.shape == shape]
        if _CEILING in known and _REACHED in known:
            known.append(_ROOM)
        known = [*[one for one in _MEANINGS if one in known], *sorted({*known} - {*_MEANINGS})]
        told = ", ".join(f"{one} ({_MEANINGS[one]})" if one in _MEANINGS else one for one in known)
        what = "is not one value a voxel" if name in arrays else "is not there"
        msg = (
            f"{self.path}, {self.title}: {name!r} {what}{did_you_mean(name, known)}; expected one "
            f"of: {told}."
        )
        raise DataError(msg)


def study_maps(path: Path, subject: str | None = None, out: str | None = None) -> StudyMaps:
    """Find what a study has of a subject.

    Parameters
    ----------
    path : Path
        The study file.
    subject : str, optional
        Default: the only one with results.
    out : str, optional
        Folder of the results, instead of that of the file.

    Raises
    ------
    ConfigError
        If there is no such subject, or none is named where there are several.
    StoreError
        If the cell where the sweeps meet is not done.
    """
    from voxscale.study import Study, results

    found = results(Study.from_toml(path, out=out))
    known = found.subjects
    name = known[0] if subject is None and len(known) == 1 else subject
    if name is None or name not in known:
        hint = did_you_mean(name, known) if name else ""
        told = ", ".join(known) or "none"
        msg = f"{path} has no results of subject {name!r}{hint}; expected one of: {told}."
        raise ConfigError(msg)
    return StudyMaps(path, found, found.reference(name))
