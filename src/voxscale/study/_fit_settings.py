"""The table [fit] of a study file: penalties, and how one is chosen for each voxel."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from voxscale.study._settings import Count, Positive, SettingsTable, Whole, form_of

__all__ = ["AlphaRange", "ChunkCV", "Fit"]


class AlphaRange(SettingsTable):
    """Penalties spaced evenly in their logarithm."""

    low: Positive = Field(description="the smallest penalty, above 0")
    high: Positive = Field(description="the largest penalty")
    n: Count = Field(description="how many penalties, 1 or more")

    @field_validator("high")
    @classmethod
    def _above_low(cls, high: float, info: ValidationInfo) -> float:
        if high < info.data.get("low", 0):
            msg = f"it is below low = {info.data['low']:g}"
            raise ValueError(msg)
        return high


class ChunkCV(SettingsTable):
    """Random contiguous chunks are held out; see :func:`voxscale.chunk_holdout`."""

    chunk_len: Count = Field(description="TRs in a chunk, 1 or more")
    n_chunks: Count | None = Field(None, description="chunks held out each time, 1 or more")
    share: Annotated[float, Field(strict=True, gt=0, lt=1)] | None = Field(
        None, description="share of the TRs held out each time, such as 0.25, instead of n_chunks"
    )
    n_repeats: Count = Field(description="how many times, 1 or more")
    gap: Whole = Field(0, description="TRs beside a chunk that do not train, 0 or more")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.n_chunks is None) == (self.share is None):
            msg = "expected n_chunks, or share, a share of all TRs; give one of the two"
            raise ValueError(msg)
        return self

    def n_chunks_of(self, n_trs: int, *, protocol: str | None = None) -> int:
        """Return how many chunks of so many TRs are held out; the published code rounds down."""
        if self.n_chunks is not None:
            return self.n_chunks
        n_chunks = (self.share or 0) * n_trs / self.chunk_len
        return max(1, round(n_chunks) if protocol is None else int(n_chunks))


class Fit(SettingsTable):
    """Which penalties, and how one is chosen for each voxel."""

    alphas: Annotated[
        Annotated[AlphaRange, Tag("table")]
        | Annotated[tuple[Positive, ...], Field(min_length=1), Tag("value")],
        Discriminator(form_of),
    ] = Field(
        AlphaRange(low=1e1, high=1e6, n=11),
        description="a list of penalties above 0, or { low = 1e1, high = 1e6, n = 11 }",
    )
    scoring: Literal["r2", "correlation", "huth2023"] = Field(
        "r2", description='"r2", "correlation" or "huth2023"'
    )
    cv: Annotated[
        Annotated[ChunkCV, Tag("table")] | Annotated[Literal["leave-run-out"], Tag("value")],
        Discriminator(form_of),
    ] = Field(
        "leave-run-out",
        description='"leave-run-out", or { chunk_len = 20, share = 0.25, n_repeats = 3, gap = 4 }',
    )
    memory_gib: Positive | None = Field(
        None, description="working memory of a fit in GiB, above 0; it changes no numbers"
    )

    @property
    def penalties(self) -> tuple[float, ...]:
        """The penalties themselves."""
        if isinstance(self.alphas, AlphaRange):
            grid = np.geomspace(self.alphas.low, self.alphas.high, self.alphas.n)
            return tuple(map(float, grid))
        return self.alphas
