"""How somebody did it: settings that a study takes over by one name, and may overrule."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from voxscale.errors import ConfigError, did_you_mean
from voxscale.study._fit_settings import Fit
from voxscale.study._settings import (
    Count,
    Design,
    Evaluate,
    Features,
    Flag,
    OfProtocol,
    SettingsTable,
    Share,
    StoryLists,
    Text,
    Whole,
)
from voxscale.study._toml import explain, read_study_file

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from voxscale.arrays import Array
    from voxscale.design import DesignRecipe

__all__ = ["Protocol", "with_protocol"]

_TABLES = ("stories", "design", "features", "fit", "evaluate")


class _About(SettingsTable):
    """What a protocol is, and where it was published."""

    name: Text = Field(description="a name")
    citation: Text = Field(description="what to cite")
    differs: tuple[Text, ...] = Field((), description="a list of what cannot be known, or differs")


class _OfStudy(SettingsTable):
    """Fields of [study] that belong to a protocol."""

    model: Text | None = Field(None, description="the name of a model")
    layers: tuple[Whole, ...] | None = Field(None, description="a list of layers of that model")
    contexts: tuple[Count, ...] | None = Field(None, description="a list of numbers of words")


class _Ceiling(SettingsTable):
    """How a noise ceiling is taken; a study has its own."""

    story: Text | None = Field(None, description="the name of a story that was repeated")
    unit_power: Flag = Field(default=False, description="true or false")
    above: Share | None = Field(None, description="a ceiling above which voxels are shown")


class _Stacking(SettingsTable):
    """How models are stacked; a study has its own."""

    leave_out: tuple[Whole, ...] = Field((), description="a list of numbers of models, from 0")
    test: tuple[Text, ...] = Field((), description="a list of stories to score, in their order")
    validation: tuple[Text, ...] = Field((), description="a list of stories to choose by")
    min_gain: Share = Field(0.05, description="a correlation by which the mix must be better")


class Protocol(SettingsTable):
    """A protocol file: tables of a study file, and [protocol], which says whose they are.

    A study takes over ``study``, ``stories``, ``design``, ``features``, ``fit`` and ``evaluate``;
    what else a publication did is in ``ceiling`` and ``stacking``.
    """

    protocol: _About = Field(description="the table [protocol]")
    study: _OfStudy = Field(_OfStudy(), description="the table [study]")
    stories: StoryLists = Field(StoryLists(), description="the table [stories]")
    design: Design = Field(Design(), description="the table [design]")
    features: Features = Field(Features(), description="the table [features]")
    fit: Fit = Field(Fit(), description="the table [fit]")
    evaluate: Evaluate = Field(Evaluate(), description="the table [evaluate]")
    ceiling: _Ceiling = Field(_Ceiling(), description="the table [ceiling]")
    stacking: _Stacking = Field(_Stacking(), description="the table [stacking]")

    def recipe(self, test: Sequence[str] | None = None) -> DesignRecipe:
        """Return how features become a design matrix.

        Parameters
        ----------
        test : sequence of str, optional
            Runs that are trimmed as test runs. Default: those of ``stories``.
        """
        from voxscale.study._features import recipe_of

        return recipe_of(self, (self.stories.test or ()) if test is None else test)

    def splits(self, run_lengths: Sequence[int], *, seed: int = 0) -> list[tuple[Array, Array]]:
        """Choose which rows train and which validate, (train_rows, validation_rows) each.

        Parameters
        ----------
        run_lengths : sequence of int, in TRs
            Of the training runs, in their order.
        seed : int
        """
        from voxscale.study._subject_data import splits_of  # brings torch

        return splits_of(self, run_lengths, seed=seed)

    @classmethod
    def named(cls, name: str, base: Path | None = None) -> Protocol:
        """Read a protocol that comes with voxscale, or a file.

        Parameters
        ----------
        name : str
            Such as "huth2023", or a TOML file, "./mine.toml".
        base : path, optional
            The folder that a relative path counts from. Default: the current one.

        Returns
        -------
        Protocol

        Raises
        ------
        ConfigError
            If there is none of that name, or a field is unknown, missing or cannot be used.
        """
        return cls._read(name, base)[0]

    @classmethod
    def _read(cls, name: str, base: Path | None) -> tuple[Protocol, dict[str, Any]]:
        if name.endswith(".toml"):
            path = (base or Path.cwd()) / Path(name).expanduser()
            text, tables = read_study_file(path)
        else:
            path = Path(f"{name}.toml")
            text = _shipped(name).read_text(encoding="utf-8")
            tables = tomllib.loads(text)
        try:
            return cls.model_validate(tables), tables
        except ValidationError as error:
            raise ConfigError(explain(error, cls, tables, (path.name, text))) from None


def with_protocol(fields: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Put a protocol's settings below those of a study that names one.

    A field that the study has itself stays; tables are put together field by field. The layers
    of a protocol are those of its own model.

    Parameters
    ----------
    fields : mapping
        Of a study, as its constructor takes them.
    base : path
        The folder of the study file.

    Returns
    -------
    dict

    Raises
    ------
    ConfigError
        As :meth:`Protocol.named`.
    """
    name = fields.get("protocol")
    if not isinstance(name, str):
        return dict(fields)
    tables = Protocol._read(name, base)[1]
    lists = {field: OfProtocol(one) for field, one in tables.get("stories", {}).items()}
    tables = {**tables, "stories": lists} if lists else tables
    of_study = dict(tables.get("study", {}))
    if fields.get("model") is not None or fields.get("models"):
        of_study.pop("layers", None)  # which are those of the protocol's own model
        of_study.pop("model", None)
    made = {**of_study, **fields}
    for table in _TABLES:
        own = fields.get(table, {})
        if isinstance(own, SettingsTable):
            own = own.model_dump(exclude_unset=True)
        if table in tables and isinstance(own, Mapping):
            made[table] = {**tables[table], **own}
    return made


def _shipped(name: str) -> Traversable:
    folder = files("voxscale.study") / "protocols"
    known = sorted(one.name.removesuffix(".toml") for one in folder.iterdir())
    if name not in known:
        msg = (
            f"protocol {name!r} is unknown; expected one of {', '.join(known)}, or a file such as "
            f'"./mine.toml"{did_you_mean(name, known)}.'
        )
        raise ConfigError(msg)
    return folder / f"{name}.toml"
