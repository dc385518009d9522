"""Where on the cortical sheet a planted signal lies, how strong, and how deep in the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import DataError

__all__ = ["REGION_NAMES", "Layout", "fsaverage5_coordinates", "language_network"]


@dataclass(frozen=True)
class Region:
    """A bump on the sheet: centre in mm, depth in the model (0 first … 1 last), height, width."""

    name: str
    x: float
    y: float
    z: float
    depth: float
    signal_share: float
    width_mm: float


# Centres near the classical language and default-mode regions, in MNI space: sound first, then
# along the temporal lobe to the parietal and frontal ends of the network.
_NETWORK = (
    Region("left auditory", -52, -18, 6, 0.0, 0.64, 16),
    Region("left superior temporal", -60, -32, 6, 0.35, 0.71, 16),
    Region("left anterior temporal", -56, -2, -16, 0.6, 0.64, 16),
    Region("left angular", -46, -62, 26, 0.9, 0.64, 16),
    Region("left inferior frontal", -50, 22, 12, 0.6, 0.58, 14),
    Region("left middle frontal", -42, 12, 44, 0.9, 0.51, 13),
    Region("left precuneus", -6, -60, 36, 1.0, 0.64, 16),
    Region("left medial frontal", -6, 50, 30, 1.0, 0.44, 14),
    Region("right auditory", 54, -14, 6, 0.0, 0.58, 16),
    Region("right superior temporal", 60, -26, 2, 0.35, 0.58, 14),
    Region("right anterior temporal", 54, 2, -18, 0.6, 0.51, 14),
    Region("right angular", 50, -58, 26, 0.9, 0.51, 14),
    Region("right inferior frontal", 50, 26, 10, 0.6, 0.31, 13),
    Region("right precuneus", 8, -58, 36, 1.0, 0.58, 16),
)
REGION_NAMES = tuple(region.name for region in _NETWORK)
_FLOOR = 0.1  # taken off every bump, so that the rest of the cortex holds no signal at all
_LEAST = 0.03
_MOST = 0.8


@dataclass(frozen=True, eq=False)
class Layout:
    """A map of planted truth.

    Attributes
    ----------
    signal_share : array of shape (n_vertices,)
        Share of a single response's variance that is signal; 0 outside the network.
    depth : array of shape (n_vertices,)
        0 for the first of the planted layers, 1 for the last; NaN where there is no signal.
    region : array of int, shape (n_vertices,)
        Which of ``REGION_NAMES`` sets the share of signal; -1 where there is none.
    """

    signal_share: Array
    depth: Array
    region: Array


def fsaverage5_coordinates() -> Array:
    """Return where the vertices of fsaverage5 lie on the pial surface.

    Returns
    -------
    array of shape (20484, 3), in mm
        The left hemisphere first.

    Raises
    ------
    DataError
        If nilearn, which bundles the surface, is not installed.
    """
    try:
        from nilearn.datasets import load_fsaverage
    except ImportError as error:
        msg = (
            "the planted cortex needs the surface fsaverage5, which nilearn bundles and which is "
            "not installed; run: pip install 'voxscale[brain]'."
        )
        raise DataError(msg) from error
    parts = load_fsaverage("fsaverage5")["pial"].parts
    return np.vstack([parts[side].coordinates for side in ("left", "right")])


def language_network(coordinates: Array, *, jitter_mm: float = 0.0, seed: int = 0) -> Layout:
    """Lay out a language network with a gradient from early to late layers.

    Parameters
    ----------
    coordinates : array of shape (n_vertices, 3), in mm
        First half left hemisphere, second half right.
    jitter_mm : float
        Standard deviation of each region's displacement: people differ.
    seed : int

    Returns
    -------
    Layout
    """
    regions = np.array(
        [(r.x, r.y, r.z, r.depth, r.signal_share, r.width_mm) for r in _NETWORK], dtype=np.float64
    )
    centres = regions[:, :3] + jitter_mm * np.random.default_rng(seed).standard_normal(
        (len(regions), 3)
    )
    depths, heights, widths = regions[:, 3:].T
    squared = ((coordinates[:, None] - centres) ** 2).sum(axis=2)
    bumps = np.exp(-squared / (2 * widths**2))
    is_right = np.arange(len(coordinates)) >= len(coordinates) // 2
    bumps[is_right[:, None] != (regions[:, 0] > 0)] = 0
    shares = 1.15 * heights * bumps
    share = np.clip(shares.max(axis=1) - _FLOOR, 0, _MOST)
    share[share < _LEAST] = 0
    total = bumps.sum(axis=1)
    depth = np.divide(bumps @ depths, total, out=np.full(len(total), np.nan), where=share > 0)
    return Layout(share, depth, np.where(share > 0, shares.argmax(axis=1), -1))
