"""Brains that models of growing size predict by planted laws.

Latent features drive the responses; a model is a noisy view of them, the less noisy the larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array, TRSeries
from voxscale.design import double_gamma_hrf
from voxscale.synthetic._planting import _smooth_maps, expected_correlation
from voxscale.synthetic._scaling_noise import COLORS, coloured_noise

__all__ = ["BrainTruth", "PlantedLaw", "ScalingBrains"]

_HRF_S = 30.0
_VOXEL_MM = 3.0
_N_NOISE_MAPS = 8
# What each stream of random numbers is for: each has a seed of its own, so that drawing more of
# one thing changes no other.
_LATENTS, _VIEW, _UNSEEN, _MAPS, _PERSON, _NOISE = range(6)
_KINDS = ("train", "test")


@dataclass(frozen=True)
class PlantedLaw:
    """``asymptote − coefficient · size^(−exponent)``: the correlation of a model with a signal.

    Parameters
    ----------
    asymptote, coefficient, exponent : float
    """

    asymptote: float
    coefficient: float
    exponent: float

    def reach(self, sizes: ArrayLike) -> Array:
        """Evaluate the law, of the shape of the sizes.

        Raises
        ------
        ValueError
            If it leaves 0 … 1, where a correlation must be.
        """
        reach = self.asymptote - self.coefficient * np.asarray(sizes, np.float64) ** -self.exponent
        if not ((reach >= 0) & (reach <= 1)).all():
            msg = (
                f"{self} is {np.min(reach):.3g} … {np.max(reach):.3g} over the sizes; expected 0 "
                "… 1: choose a smaller coefficient, or larger sizes."
            )
            raise ValueError(msg)
        return np.asarray(reach)


@dataclass(frozen=True, eq=False)
class BrainTruth:
    """What was planted in one subject.

    Parameters
    ----------
    signal_share : array of shape (n_voxels,)
        Share of a single response's variance that the stimulus drives.
    region : array of int of shape (n_voxels,)
        Which of the laws.
    asymptotes, coefficients, exponents : arrays of shape (n_voxels,)
        Law of the correlation with the noiseless signal.
    reach : array of shape (n_sizes, n_voxels)
        That correlation, at each size.
    """

    signal_share: Array
    region: Array
    asymptotes: Array
    coefficients: Array
    exponents: Array
    reach: Array

    def ceiling(self, n_repeats: int = 1) -> Array:
        """Correlation of the noiseless signal with a mean of repeats, (n_voxels,)."""
        return expected_correlation(self.signal_share, n_repeats)

    def attainable(self, n_repeats: int = 1) -> Array:
        """Best correlation of a model with a mean of repeats, (n_sizes, n_voxels)."""
        return np.asarray(self.reach * self.ceiling(n_repeats))


@dataclass(frozen=True, eq=False)
class ScalingBrains:
    """Subjects, stories and models with planted laws; nothing is drawn before it is asked for.

    The same seed gives the same numbers, and more subjects, sizes, stories or repeats leave the
    others as they are.

    Parameters
    ----------
    sizes : sequence of float
        Of the models. Views of different sizes err independently.
    n_subjects, n_train, n_test : int
        Subjects, training stories, test stories.
    n_repeats : int
        How often a test story is heard.
    n_trs : int
        TRs with responses in each story.
    tr_s : float
    laws : sequence of PlantedLaw
        A region each: stripes of as many voxels along the first coordinate.
    n_latents : int
        Of each region.
    coordinates : array of shape (n_voxels, 3), in mm, optional
        Default: a sheet of 12 by 12 voxels of 3 mm.
    signal_share : tuple of float
        Least and most, on a smooth map.
    smoothness_mm : float
        Wavelength scale of the maps.
    unreachable : float
        A subject's share of signal that no model of any size knows is drawn evenly between 0
        and this; it lowers asymptote and coefficient alike.
    exponent_sd : float
        Standard deviation of exponents over subjects, who agree at the geometric mean of the
        sizes. Above 0 a subject's signal holds some of what each model of ``sizes`` errs by, so
        that other sizes have no such law, and responses depend on which sizes there are.
    hrf_sd_s : float, in seconds
        Standard deviation of the peak of the haemodynamic response over subjects.
    noise : {"ar1", "white", "1/f"}
    autocorrelation : float
        Of "ar1".
    noise_smoothness : float
        Share of the noise's variance that neighbouring voxels have in common, on smooth maps of
        the subject with time courses of each run. At 0 the noise of voxels is independent.
    seed : int

    Examples
    --------
    >>> brains = ScalingBrains(sizes=[1e8, 1e9, 1e10], n_subjects=3, n_trs=60)
    >>> brains.features(1e9)["train-01"].values.shape
    (74, 8)
    >>> brains.responses(0)["train-01"].first_tr
    14
    >>> brains.truth(0).reach[:, 0].round(3)
    array([0.402, 0.519, 0.601])
    """

    sizes: Sequence[float]
    n_subjects: int = 3
    n_train: int = 4
    n_test: int = 1
    n_repeats: int = 5
    n_trs: int = 300
    tr_s: float = 2.0
    laws: Sequence[PlantedLaw] = (PlantedLaw(0.8, 6.3, 0.15), PlantedLaw(0.6, 20.0, 0.25))
    n_latents: int = 4
    coordinates: Array | None = field(default=None, repr=False)
    signal_share: tuple[float, float] = (0.1, 0.5)
    smoothness_mm: float = 12.0
    unreachable: float = 0.0
    exponent_sd: float = 0.0
    hrf_sd_s: float = 0.0
    noise: str = "ar1"
    autocorrelation: float = 0.4
    noise_smoothness: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for law in self.laws:
            law.reach(self.sizes)
        if not 0 <= self.exponent_sd < np.inf:
            msg = f"exponent_sd is {self.exponent_sd}; expected a standard deviation, 0 or more."
            raise ValueError(msg)
        low, high = self.signal_share
        if not 0 <= low <= high <= 1:
            msg = f"signal_share is {self.signal_share}; expected least and most, within 0 … 1."
            raise ValueError(msg)
        if not 0 <= self.unreachable < 1:
            msg = f"unreachable is {self.unreachable}; expected a share from 0 to below 1."
            raise ValueError(msg)
        if not 0 <= self.noise_smoothness <= 1:
            msg = f"noise_smoothness is {self.noise_smoothness}; expected a share from 0 to 1."
            raise ValueError(msg)
        if self.noise not in COLORS:
            msg = f"noise {self.noise!r} is unknown; choose one of {', '.join(COLORS)}."
            raise ValueError(msg)

    @property
    def n_taps(self) -> int:
        """TRs that a response lasts: delays from 0 to one less capture it whole."""
        return int(np.ceil(_HRF_S / self.tr_s))

    @property
    def hours(self) -> float:
        """Hours of training responses of a subject."""
        return self.n_train * self.n_trs * self.tr_s / 3600

    @property
    def places(self) -> Array:
        """Where voxels lie, (n_voxels, 3), in mm."""
        if self.coordinates is not None:
            return np.asarray(self.coordinates, np.float64)
        steps = np.arange(12) * _VOXEL_MM
        return np.stack([*np.meshgrid(steps, steps), np.zeros((12, 12))], axis=-1).reshape(-1, 3)

    def features(self, size: float) -> dict[str, TRSeries]:
        """Draw what a model of that size makes of each story, before any haemodynamic response.

        Parameters
        ----------
        size : float
            Any that the laws allow, whether or not among ``sizes``.

        Returns
        -------
        dict of story to TRSeries of shape (n_taps - 1 + n_trs, n_laws · n_latents)
            Of unit variance. They begin with TR 0; responses begin later, when the first TR of
            the story no longer matters (``first_tr``). Join both by TR number.
        """
        reach = np.repeat([float(law.reach(size)) for law in self.laws], self.n_latents)
        views = {}
        for name, key in self._stories(_KINDS):
            latents = self._latents(_LATENTS, key)
            other = self._error(size, key)
            views[name] = TRSeries(reach * latents + np.sqrt(1 - reach**2) * other, name, 0)
        return views

    def responses(self, subject: int) -> dict[str, TRSeries]:
        """Draw what a subject answers to the training stories, (n_trs, n_voxels) each."""
        return {
            name: self._series(self._heard(subject, key, 0), name)
            for name, key in self._stories(("train",))
        }

    def trials(self, subject: int) -> dict[str, list[TRSeries]]:
        """Draw what a subject answers to each repeat of the test stories."""
        return {
            name: [self._series(self._heard(subject, key, i), name) for i in range(self.n_repeats)]
            for name, key in self._stories(("test",))
        }

    def truth(self, subject: int) -> BrainTruth:
        """Tell what was planted in a subject."""
        own = self._own_laws(subject)
        laws = [own[i] for i in self._region]
        known = self._known(subject)
        return BrainTruth(
            signal_share=self._shares(subject),
            region=self._region,
            asymptotes=known * np.array([law.asymptote for law in laws]),
            coefficients=known * np.array([law.coefficient for law in laws]),
            exponents=np.array([law.exponent for law in laws]),
            reach=known * np.stack([law.reach(self.sizes) for law in laws], axis=1),
        )

    def signal(self, subject: int, story: str) -> Array:
        """Return the noiseless response to a story, (n_trs, n_voxels), of population variance 1."""
        return self._signal(subject, dict(self._stories(_KINDS))[story])

    @property
    def _region(self) -> Array:
        order = np.argsort(self.places[:, 0], kind="stable")
        region = np.empty(len(order), np.intp)
        for i, part in enumerate(np.array_split(order, len(self.laws))):
            region[part] = i
        return region

    def _stories(self, kinds: Sequence[str]) -> list[tuple[str, tuple[int, int]]]:
        counts = {"train": self.n_train, "test": self.n_test}
        return [
            (f"{kind}-{i + 1:02d}", (_KINDS.index(kind), i))
            for kind in kinds
            for i in range(counts[kind])
        ]

    def _latents(self, stream: int, key: tuple[int, int]) -> Array:
        shape = (self.n_taps - 1 + self.n_trs, len(self.laws) * self.n_latents)
        return np.random.default_rng([self.seed, stream, *key]).standard_normal(shape)

    def _error(self, size: float, key: tuple[int, int]) -> Array:
        """Draw what a model of that size takes for latents and is not, of the latents' shape."""
        shape = (self.n_taps - 1 + self.n_trs, len(self.laws) * self.n_latents)
        bits = int(np.float64(size).view(np.uint64))
        return np.random.default_rng([self.seed, _VIEW, *key, bits]).standard_normal(shape)

    def _own_laws(self, subject: int) -> list[PlantedLaw]:
        """Turn the laws about the geometric mean of the sizes, by the subject's exponent."""
        if self.exponent_sd == 0:
            return list(self.laws)
        rng = np.random.default_rng([self.seed, _PERSON, subject, 2])
        shift = self.exponent_sd * rng.standard_normal()
        center = float(np.exp(np.log(np.asarray(self.sizes, np.float64)).mean()))
        return [
            PlantedLaw(law.asymptote, law.coefficient * center**shift, law.exponent + shift)
            for law in self.laws
        ]

    def _loads(self, subject: int) -> Array:
        """Load a subject's drive on latents, and on the error of each size: (1 + n_sizes, n_laws).

        With a on latents and b on the errors, a model of reach r correlates with the drive by
        a·r + b·sqrt(1 - r²), which is the subject's law; a leaves the least variance.
        """
        known = self._known(subject)
        reach = np.stack([law.reach(self.sizes) for law in self.laws], axis=1)
        wanted = known * np.stack([law.reach(self.sizes) for law in self._own_laws(subject)], 1)
        rest = np.maximum(1 - reach**2, 1e-12)
        latent = (wanted * reach / rest).sum(axis=0) / (1 + (reach**2 / rest).sum(axis=0))
        loads = np.concatenate([latent[None], (wanted - latent * reach) / np.sqrt(rest)])
        if (loads**2).sum(axis=0).max() > 1:
            msg = (
                f"subject {subject} would know more than there is; choose a smaller exponent_sd "
                f"than {self.exponent_sd}, or lower asymptotes."
            )
            raise ValueError(msg)
        return np.asarray(loads)

    def _drive(self, subject: int, key: tuple[int, int]) -> Array:
        """Draw what drives a subject's responses, of unit variance, of the latents' shape."""
        if self.exponent_sd > 0:
            loads = np.repeat(self._loads(subject), self.n_latents, axis=1)
            drive = loads[0] * self._latents(_LATENTS, key)
            for load, size in zip(loads[1:], self.sizes, strict=True):
                drive = drive + load * self._error(size, key)
            return np.asarray(
                drive + np.sqrt(1 - (loads**2).sum(axis=0)) * self._latents(_UNSEEN, key)
            )
        known = self._known(subject)
        drive = known * self._latents(_LATENTS, key)
        if known < 1:
            drive = drive + np.sqrt(1 - known**2) * self._latents(_UNSEEN, key)
        return np.asarray(drive)

    def _known(self, subject: int) -> float:
        """Correlation of what models can know with the signal of a subject."""
        share = self.unreachable * np.random.default_rng([self.seed, _PERSON, subject]).random()
        return float(np.sqrt(1 - share))

    def _kernel(self, subject: int) -> Array:
        """Sample a subject's haemodynamic response, with a sum of squares of 1."""
        shift = np.random.default_rng([self.seed, _PERSON, subject, 1]).standard_normal()
        times = np.arange(self.n_taps) * self.tr_s
        response = double_gamma_hrf(times, peak_s=6.0 + self.hrf_sd_s * shift)
        return np.asarray(response / np.sqrt(response @ response))

    def _weights(self, subject: int) -> Array:
        """Weights of the latents, (n_latents of all laws, n_voxels): each voxel knows its law's."""
        rng = np.random.default_rng([self.seed, _MAPS, subject])
        maps = _smooth_maps(self.places, self.n_latents, self.smoothness_mm, rng)
        maps = maps / np.linalg.norm(maps, axis=0)
        is_own = self._region == np.arange(len(self.laws))[:, None]
        return np.asarray((is_own[:, None] * maps).reshape(-1, maps.shape[1]))

    def _shares(self, subject: int) -> Array:
        rng = np.random.default_rng([self.seed, _MAPS, subject, 1])
        smooth = _smooth_maps(self.places, 1, self.smoothness_mm, rng)[0]
        low, high = self.signal_share
        return np.asarray(low + (high - low) / (1 + np.exp(-2 * smooth)))

    def _signal(self, subject: int, key: tuple[int, int]) -> Array:
        driven = self._drive(subject, key) @ self._weights(subject)
        windows = np.lib.stride_tricks.sliding_window_view(driven, self.n_taps, axis=0)
        return np.asarray(windows @ self._kernel(subject)[::-1])

    def _heard(self, subject: int, key: tuple[int, int], repeat: int) -> Array:
        share = self._shares(subject)
        noise = self._noise(subject, key, repeat, len(share))
        return np.asarray(np.sqrt(share) * self._signal(subject, key) + np.sqrt(1 - share) * noise)

    def _noise(self, subject: int, key: tuple[int, int], repeat: int, n_voxels: int) -> Array:
        """Draw noise of variance 1, (n_trs, n_voxels), of which a share is smooth over voxels."""
        options: dict[str, Any] = {"color": self.noise, "autocorrelation": self.autocorrelation}
        stream = [self.seed, _NOISE, subject, *key, repeat]
        own = coloured_noise(self.n_trs, n_voxels, np.random.default_rng(stream), **options)
        if self.noise_smoothness == 0:
            return own
        rng = np.random.default_rng([self.seed, _MAPS, subject, 2])
        maps = _smooth_maps(self.places, _N_NOISE_MAPS, self.smoothness_mm, rng)
        maps = maps / np.linalg.norm(maps, axis=0)
        rng = np.random.default_rng([*stream, 1])
        common = coloured_noise(self.n_trs, _N_NOISE_MAPS, rng, **options) @ maps
        share = self.noise_smoothness
        return np.asarray(np.sqrt(1 - share) * own + np.sqrt(share) * common)

    def _series(self, values: Array, story: str) -> TRSeries:
        return TRSeries(values, story, self.n_taps - 1)
