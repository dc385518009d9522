"""Voxelwise encoding models of fMRI, and how they scale.

The root offers what a methods section names; everything else is one folder away.
Names load on first use, so that importing voxscale stays fast and free of torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from voxscale._version import __version__ as __version__

# A row per public name: where it lives.
_HOMES = {
    "AlignmentError": "errors",
    "BandedRidgeCV": "fit",
    "ConfigError": "errors",
    "DataError": "errors",
    "Dataset": "data",
    "DesignRecipe": "design",
    "EventSeries": "arrays",
    "FitError": "errors",
    "RidgeCV": "fit",
    "Stacking": "fit",
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
    "speech_states": "features",
    "stacking_weights": "fit",
    "word_rate": "features",
    "zscore": "design",
}

__all__ = sorted(["__version__", *_HOMES])

if TYPE_CHECKING:
    from voxscale.arrays import EventSeries as EventSeries
    from voxscale.arrays import TRSeries as TRSeries
    from voxscale.data import Dataset as Dataset
    from voxscale.data import Transcript as Transcript
    from voxscale.data import datasets as datasets
    from voxscale.data import load as load
    from voxscale.data import read_responses as read_responses
    from voxscale.data import read_textgrid as read_textgrid
    from voxscale.data import read_tr_report as read_tr_report
    from voxscale.data import read_transcript as read_transcript
    from voxscale.design import DesignRecipe as DesignRecipe
    from voxscale.design import delay as delay
    from voxscale.design import lanczos as lanczos
    from voxscale.design import zscore as zscore
    from voxscale.errors import AlignmentError as AlignmentError
    from voxscale.errors import ConfigError as ConfigError
    from voxscale.errors import DataError as DataError
    from voxscale.errors import FitError as FitError
    from voxscale.errors import StoreError as StoreError
    from voxscale.errors import VoxscaleError as VoxscaleError
    from voxscale.evaluate import correlation as correlation
    from voxscale.evaluate import noise_ceiling as noise_ceiling
    from voxscale.evaluate import permutation_test as permutation_test
    from voxscale.evaluate import r2 as r2
    from voxscale.evaluate import signed_r2 as signed_r2
    from voxscale.features import language_states as language_states
    from voxscale.features import speech_states as speech_states
    from voxscale.features import word_rate as word_rate
    from voxscale.fit import BandedRidgeCV as BandedRidgeCV
    from voxscale.fit import RidgeCV as RidgeCV
    from voxscale.fit import Stacking as Stacking
    from voxscale.fit import chunk_holdout as chunk_holdout
    from voxscale.fit import stacking_weights as stacking_weights
    from voxscale.reports import flatmap as flatmap
    from voxscale.reports import report as report
    from voxscale.reports import scaling_curve as scaling_curve
    from voxscale.scaling import fit_scaling_law as fit_scaling_law
    from voxscale.study import Study as Study
    from voxscale.study import plan as plan
    from voxscale.study import results as results
    from voxscale.study import run as run


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module 'voxscale' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"voxscale.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
