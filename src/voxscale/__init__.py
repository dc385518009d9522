"""Voxelwise encoding models of fMRI, and how they scale.

The root offers what a methods section names; everything else is one folder away.
Names load on first use, so that importing voxscale stays fast and free of torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from voxscale._version import __version__

# A row per public name: where it lives.
_HOMES = {
    "AlignmentError": "errors",
    "ConfigError": "errors",
    "DataError": "errors",
    "Dataset": "data",
    "DesignRecipe": "design",
    "EventSeries": "arrays",
    "FitError": "errors",
    "RidgeCV": "fit",
    "StoreError": "errors",
    "Study": "study",
    "TRSeries": "arrays",
    "Transcript": "data",
    "VoxscaleError": "errors",
    "chunk_holdout": "fit",
    "correlation": "evaluate",
    "datasets": "data",
    "delay": "design",
    "fit_scaling_law": "scaling",
    "flatmap": "reports",
    "lanczos": "design",
    "language_states": "features",
    "load": "data",
    "noise_ceiling": "evaluate",
    "permutation_test": "evaluate",
    "plan": "study",
    "r2": "evaluate",
    "read_responses": "data",
    "read_textgrid": "data",
    "read_tr_report": "data",
    "read_transcript": "data",
    "report": "reports",
    "results": "study",
    "run": "study",
    "scaling_curve": "reports",
    "signed_r2": "evaluate",
    "word_rate": "features",
    "zscore": "design",
}

__all__ = ["__version__", *sorted(_HOMES)]

if TYPE_CHECKING:
    from voxscale.arrays import EventSeries as EventSeries
    from voxscale.arrays import TRSeries as TRSeries


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module 'voxscale' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"voxscale.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
