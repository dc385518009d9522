"""A miniature of the published folder: its names, classes and compressions, made-up content."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from voxscale.arrays import Array
from voxscale.data import read_pycortex_subject
from voxscale.data.antonello2023 import REPEATED
from voxscale.store import cache_folder, write_aside
from voxscale.synthetic._published_content import (
    HZ,
    UNHEARD,
    MiniatureContent,
    MiniatureTruth,
)
from voxscale.synthetic._published_pickles import dump
from voxscale.synthetic._small_cortex import write_pycortex_subject

__all__ = ["MiniatureTruth", "kept_miniature", "write_antonello2023"]

_RECIPE = 1  # raised by hand whenever the content would differ
_ABOUT = "miniature.json"
_HALF_MM = (62.0, 46.0)


def write_antonello2023(
    root: str | Path, *, subject: str = "UTS03", seed: int = 0, n_across: int = 41
) -> MiniatureTruth:
    """Write a miniature of the data set ``antonello2023``, for tests, examples and the manual.

    Beside the published folders there is ``pycortex-db`` with the subject's made-up cortex, and
    ``models/opt-tiny``, a language model with random weights.

    Parameters
    ----------
    root : path
    subject : {"UTS01", "UTS02", "UTS03"}
    seed : int
    n_across : int
        Vertices across a hemisphere; 41 make about 2,000 voxels.

    Returns
    -------
    MiniatureTruth

    Raises
    ------
    StoreError
        If it cannot be written.
    VoxscaleError
        If nibabel is not installed.
    """
    root = Path(root)
    cortex = root / "pycortex-db" / subject
    write_pycortex_subject(cortex, n_across=n_across)
    made = MiniatureContent(
        np.random.default_rng(seed), _positions(cortex), root / "models" / "opt-tiny"
    )
    number = subject[-1]
    stories = [*made.n_trs, *UNHEARD]
    dump(made.grids, root / "story_data" / "grids_huge.jbl", ("zlib", 3))
    dump(made.tr_files, root / "story_data" / "trfiles_huge.jbl", ("gzip", 3))
    dump(made.features, root / "semantic_features" / "opt33b_layer33.jbl", ("lzma", 1))
    dump(made.weights, root / "ridge_weights" / f"opt33b_layer33_S0{number}.jbl", ("zlib", 1))
    responses = {story: made.responses[story] for story in stories}
    dump(responses, root / "story_responses" / f"{subject}_responses.jbl")
    name = f"tensessions_{REPEATED}_S0{number}.jbl"
    dump(made.repeats, root / "responses" / name)
    for story, samples in made.sounds.items():
        _write_sound(samples, root / "story_data" / "story_audio" / f"{story}.flac")
    stacked = root / "stacked_regression"
    dump(made.residual_covariances, stacked / f"residual_covariance_S0{number}.jbl", ("bz2", 3))
    for i, prediction in enumerate(made.speech_predictions):
        layer = f"whisper-large_encoder.{2 * (i + 1)}_S0{number}.jbl"
        dump(prediction, stacked / layer, ("xz", 1) if i == 0 else 0)
    dump(made.language_prediction, stacked / f"llama-30b_layer18_S0{number}.jbl", ("zlib", 3))
    dump(made.test_responses, stacked / f"test_responses_S0{number}.jbl")
    about = {"recipe": _RECIPE, "seed": seed, "subject": subject, "n_across": n_across}
    with write_aside(root / _ABOUT) as temporary:  # the last: without it nothing is complete
        temporary.write_text(json.dumps(about), encoding="utf-8")
    return made.truth


def kept_miniature(subject: str = "UTS03") -> Path:
    """Return a miniature in the user's cache folder; it is written where it is not there.

    Parameters
    ----------
    subject : {"UTS01", "UTS02", "UTS03"}

    Returns
    -------
    Path
        Its root. What an older version of this package wrote is written anew.

    Raises
    ------
    StoreError
        If it cannot be written.
    VoxscaleError
        If nibabel is not installed.
    """
    root = cache_folder() / f"antonello2023-miniature-{subject}-{_RECIPE}"
    if not (root / _ABOUT).is_file():
        write_antonello2023(root, subject=subject)
    return root


def _write_sound(samples: Array, path: Path) -> None:
    import soundfile

    with write_aside(path) as temporary:
        soundfile.write(temporary, samples, HZ, format="FLAC")


def _positions(cortex: Path) -> Array:
    """Return where each voxel of the mask lies on the disc of its hemisphere, (n_voxels, 2)."""
    from scipy.spatial import cKDTree

    subject = read_pycortex_subject(cortex)
    scan = subject.transform()
    middle = np.concatenate([mesh.points for mesh in subject.surface("fiducial")])
    sheets = [mesh.points[:, :2] / _HALF_MM for mesh in subject.surface("flat")]
    sheets[1][:, 0] *= -1  # so that the same region has the same place on both
    voxels = np.argwhere(subject.mask())[:, ::-1]
    nearest = cKDTree(scan.voxel_coordinates(middle)).query(voxels)[1]
    return np.asarray(np.concatenate(sheets)[nearest])
