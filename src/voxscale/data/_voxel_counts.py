"""Tell responses of another subject by their number of voxels."""

from __future__ import annotations

import warnings

from voxscale.data._card import DatasetCard
from voxscale.errors import DataError, VoxscaleWarning

__all__ = ["check_voxel_count"]


def check_voxel_count(subject: str, run: str, n_voxels: int, card: DatasetCard) -> None:
    """Check that responses have as many voxels as is known of the subject.

    Raises
    ------
    DataError
        If they have as many as another subject is known to have.

    Warns
    -----
    VoxscaleWarning
        If the number is neither: voxels may have been selected, and maps then do not fit.
    """
    expected = card.n_voxels.get(subject)
    if n_voxels == expected:
        return
    others = [one for one, count in card.n_voxels.items() if count == n_voxels]
    found = f"{card.name}, {subject}: run {run!r} has {n_voxels:,} voxels"
    if others:
        of = "an unknown number" if expected is None else f"{expected:,}"
        msg = (
            f"{found}, as many as {others[0]} has; expected {of}, those of {subject}; the files "
            f"of {others[0]} lie in its folder: fetch them again."
        )
        raise DataError(msg)
    if expected is not None:
        note = (
            f"{found}; {expected:,} are published of {subject}: were voxels selected? Its "
            "published masks and maps do not fit."
        )
        warnings.warn(note, VoxscaleWarning, stacklevel=3)
