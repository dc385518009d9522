"""Folders of a BIDS data set: pipelines, and where what belongs to a recording may lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voxscale.data._bids_names import Recording, subjects_in
from voxscale.data._brain_images import tr_s_of
from voxscale.data._files import kind_of
from voxscale.errors import DataError

__all__ = ["common_tr_s", "pipeline_of", "places_of"]


def common_tr_s(label: str, recordings: Sequence[Recording], places: Sequence[Path]) -> float:
    """Return the one TR of recordings, from side files of json or headers, in seconds.

    Raises
    ------
    DataError
        If it is not known, or not the same.
    """
    found = {one.stem: _tr_of(one, places) for one in recordings}
    known = sorted({value for value in found.values() if value is not None})
    if not known:
        msg = (
            f"{label}: the TR of its recordings is not known; expected RepetitionTime in a "
            "side file of json; pass tr_s=."
        )
        raise DataError(msg)
    if known[-1] - known[0] > 0.01 * known[0]:
        told = ", ".join(f"{one}: {value}" for one, value in found.items())
        msg = f"{label}: recordings of several TRs ({told}); expected one; pass task=."
        raise DataError(msg)
    return known[0]


def _tr_of(one: Recording, places: Sequence[Path]) -> float | None:
    beside = [_side_file(file) for file in one.files]
    no_run = "_".join(part for part in one.stem.split("_") if not part.startswith("run-"))
    for folder in places:
        func = folder / one.stem.split("_")[0] / "func"
        beside += [func / f"{one.stem}_bold.json", func / f"{no_run}_bold.json"]
        beside += [folder / f"task-{one.task}_bold.json"]
    return tr_s_of(one.files, beside)


def pipeline_of(root: Path) -> Path:
    """Find the folder with the subjects' processed recordings."""
    if kind_of(root)[1] != "folder":
        msg = f"root is {str(root)!r}, which is not a folder; expected BIDS derivatives."
        raise DataError(msg)
    inside = [one for one in sorted((root / "derivatives").glob("*")) if subjects_in(one)]
    if subjects_in(root / "derivatives"):
        inside = [root / "derivatives"]
    if len(inside) > 1:
        names = ", ".join(one.name for one in inside)
        msg = (
            f"{root}: several pipelines in derivatives ({names}); expected one; pass root= the "
            "folder of one of them."
        )
        raise DataError(msg)
    if inside:
        return inside[0]
    if not subjects_in(root):
        msg = (
            f"{root}: no recordings of subjects; expected sub-…/func/ in it, or in a folder of "
            "derivatives/; pass root= another folder, or fetch them."
        )
        raise DataError(msg)
    return root


def places_of(root: Path, pipeline: Path) -> tuple[Path, ...]:
    """List the folders in which events, words and sounds may lie, nearest first."""
    above = [pipeline, *pipeline.parents[:2]]
    holds = [one for one in above if one.parent.name != "derivatives" and one.name != "derivatives"]
    is_bids = [one for one in holds if (one / "dataset_description.json").is_file()]
    return tuple(dict.fromkeys([pipeline, root, *is_bids]))


def _side_file(path: Path) -> Path:
    name = path.name
    for ending in (".nii.gz", ".nii", ".func.gii"):
        name = name.removesuffix(ending)
    return path.with_name(f"{name}.json")
