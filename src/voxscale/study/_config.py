"""A study: what is compared, and every setting that can change the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from voxscale.errors import ConfigError
from voxscale.study._toml import explain, line_of, read_study_file

__all__ = ["AlphaRange", "ChunkCV", "Design", "Evaluate", "Features", "Fit", "Study"]

Count = Annotated[int, Field(strict=True, ge=1)]
Whole = Annotated[int, Field(strict=True, ge=0)]
Penalty = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(strict=True, min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Design(_Table):
    """How features become a design matrix; see :class:`voxscale.DesignRecipe`."""

    delays: tuple[Annotated[int, Field(strict=True)], ...] = Field(
        (1, 2, 3, 4), min_length=1, description="delays in TRs, such as [1, 2, 3, 4]"
    )
    trim: tuple[Whole, Whole] = Field(
        (10, 5), description="TRs left out at the start and the end of a run, such as [10, 5]"
    )
    normalize: Flag = Field(default=False, description="true or false")
    word_rate: Flag = Field(default=True, description="true or false")
    protocol: Literal["huth2023"] | None = Field(None, description='"huth2023", or leave it out')

    @field_validator("delays")
    @classmethod
    def _differ(cls, delays: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(delays)) < len(delays):
            msg = "a delay is given twice"
            raise ValueError(msg)
        return delays


class Features(_Table):
    """How a language model is read; see :func:`voxscale.language_states`."""

    policy: Literal["growing", "sliding", "full", "sentence"] = Field(
        "growing", description='"growing", "sliding", "full" or "sentence"'
    )
    word_vector: Literal["last", "first", "mean"] = Field(
        "last", description='"last", "first" or "mean"'
    )
    dtype: Literal["float32", "float16", "bfloat16"] = Field(
        "float32", description='"float32", "float16" or "bfloat16"'
    )


class AlphaRange(_Table):
    """Penalties spaced evenly in their logarithm."""

    low: Penalty = Field(description="the smallest penalty, above 0")
    high: Penalty = Field(description="the largest penalty")
    n: Count = Field(description="how many penalties, 1 or more")

    @field_validator("high")
    @classmethod
    def _above_low(cls, high: float, info: ValidationInfo) -> float:
        if high < info.data.get("low", 0):
            msg = f"it is below low = {info.data['low']:g}"
            raise ValueError(msg)
        return high


class ChunkCV(_Table):
    """Random contiguous chunks are held out; see :func:`voxscale.chunk_holdout`."""

    chunk_len: Count = Field(description="TRs in a chunk, 1 or more")
    n_chunks: Count = Field(description="chunks held out each time, 1 or more")
    n_repeats: Count = Field(description="how many times, 1 or more")
    gap: Whole = Field(0, description="TRs beside a chunk that do not train, 0 or more")


def _form(value: Any) -> str:
    return "table" if isinstance(value, Mapping | BaseModel) else "value"


class Fit(_Table):
    """Which penalties, and how one is chosen for each voxel."""

    alphas: Annotated[
        Annotated[AlphaRange, Tag("table")]
        | Annotated[tuple[Penalty, ...], Field(min_length=1), Tag("value")],
        Discriminator(_form),
    ] = Field(
        AlphaRange(low=1e1, high=1e6, n=11),
        description="a list of penalties above 0, or { low = 1e1, high = 1e6, n = 11 }",
    )
    scoring: Literal["r2", "correlation", "huth2023"] = Field(
        "r2", description='"r2", "correlation" or "huth2023"'
    )
    cv: Annotated[
        Annotated[ChunkCV, Tag("table")] | Annotated[Literal["leave-run-out"], Tag("value")],
        Discriminator(_form),
    ] = Field(
        "leave-run-out",
        description='"leave-run-out", or { chunk_len = 20, n_chunks = 5, n_repeats = 3, gap = 4 }',
    )
    memory_gib: Penalty | None = Field(
        None, description="working memory of a fit in GiB, above 0; it changes no numbers"
    )

    @property
    def penalties(self) -> tuple[float, ...]:
        """The penalties themselves."""
        if isinstance(self.alphas, AlphaRange):
            grid = np.geomspace(self.alphas.low, self.alphas.high, self.alphas.n)
            return tuple(map(float, grid))
        return self.alphas


class Evaluate(_Table):
    """What is computed beside the scores."""

    n_permutations: Whole = Field(
        500, description="permutations for the p-values of the reference cells; 0 for none"
    )


class Study(_Table):
    """Everything that a study compares, and every setting that can change its numbers.

    A star, not a full grid: the layers are swept at the longest context with all training
    stories; the contexts and the training stories are swept at ``reference_layer``.

    Parameters
    ----------
    name : str
    dataset : str
        One of :func:`voxscale.datasets`.
    model : str
        As in :func:`voxscale.language_states`, or an extractor's name. A relative path that
        starts with a dot is taken from the study file's folder.
    layers : sequence of int
        0 is the embeddings.
    contexts : sequence of int
        Words that the model sees at most. It sees at least half as many, rounded down but no
        fewer than one, except at a story's start.
    subjects : sequence of str, optional
        Default: all of the data set.
    training_stories : sequence of int, optional
        With how many stories to train. Default: with all alone.
    draws : int
        How many times the stories are drawn where not all of them train. Each draw is an
        order of the stories; smaller sets lie within larger ones.
    reference_layer : int, optional
        Default: the middle one of ``layers``.
    root : path, optional
        Where the data set lies.
    seed : int
    out : path, optional
        Default: ``voxscale-NAME``. In a study file, relative to the file's folder.
    design : Design or mapping
    features : Features or mapping
    fit : Fit or mapping
    evaluate : Evaluate or mapping

    Raises
    ------
    ValueError
        If a field is unknown, missing or cannot be used (a ``pydantic.ValidationError``).
        :meth:`from_toml` raises a ConfigError that names file and line instead.

    Examples
    --------
    >>> study = Study(name="tiny", dataset="demo", model="echo", layers=[0, 1, 2], contexts=[8])
    >>> study.reference_layer, study.out.name
    (1, 'voxscale-tiny')
    """

    name: Annotated[Text, Field(pattern=r"^[\w .+-]+$")] = Field(
        description="a name of letters, digits, spaces and . + - _"
    )
    dataset: Text = Field(description="the name of a data set")
    model: Text = Field(description="the name or path of a model")
    layers: tuple[Whole, ...] = Field(
        min_length=1, description="layer numbers, 0 being the embeddings, such as [3, 9, 15]"
    )
    contexts: tuple[Count, ...] = Field(
        min_length=1, description="numbers of words, 1 or more, such as [32, 512]"
    )
    subjects: tuple[Text, ...] | None = Field(
        None, min_length=1, description="names of subjects of the data set"
    )
    training_stories: tuple[Count, ...] | None = Field(
        None, min_length=1, description="numbers of stories, 1 or more, such as [1, 2, 5]"
    )
    draws: Count = Field(1, description="a number of draws, 1 or more")
    reference_layer: Whole = Field(0, description="one of the layers")
    root: Path | None = Field(None, description="the folder where the data set lies")
    seed: Whole = Field(0, description="a whole number, 0 or more")
    out: Path = Field(Path("voxscale-study"), description="the folder for the results")
    design: Design = Field(Design(), description="the table [design]")
    features: Features = Field(Features(), description="the table [features]")
    fit: Fit = Field(Fit(), description="the table [fit]")
    evaluate: Evaluate = Field(Evaluate(), description="the table [evaluate]")

    _source: tuple[str, str] | None = PrivateAttr(None)

    @classmethod
    def from_toml(cls, path: str | Path, *, out: str | Path | None = None) -> Self:
        """Read a study file.

        Parameters
        ----------
        path : path
            A TOML file with a table [study], and perhaps [design], [features], [fit] and
            [evaluate].
        out : path, optional
            Where the results go instead; relative to the current folder.

        Returns
        -------
        Study

        Raises
        ------
        ConfigError
            If the file is not TOML, or a field is unknown, missing or cannot be used; names
            the file, the line, what was expected and what was perhaps meant. Or if ``out`` is
            empty.
        """
        path = Path(path)
        text, tables = read_study_file(path)
        data = _flattened(tables, path.name, text)
        if out == "":
            msg = 'out is empty; expected a folder for the results ("." is the current one).'
            raise ConfigError(msg)
        if out is not None:
            data["out"] = str(Path(out).absolute())
        try:
            study = cls.model_validate(data, context={"base": path.parent})
        except ValidationError as error:
            raise ConfigError(explain(error, cls, data, (path.name, text))) from None
        study._source = (path.name, text)
        return study

    def where(self, field: str, table: str = "study") -> str:
        """Say where a field of a table stands, as a message begins; empty without a file."""
        if self._source is None:
            return ""
        name, text = self._source
        line = line_of(text, [table, field])
        return f"{name}, line {line}: " if line else f"{name}: "

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any) -> Any:
        """Give ``out`` and ``reference_layer`` what depends on other fields."""
        if not isinstance(data, Mapping):
            return data
        data = dict(data)
        if data.get("out") is None:
            data["out"] = f"voxscale-{data.get('name')}"
        if data.get("reference_layer") is None:
            layers = data.get("layers")
            usable = isinstance(layers, list | tuple) and all(type(one) is int for one in layers)
            data["reference_layer"] = sorted(set(layers))[len(set(layers)) // 2] if (
                layers and usable
            ) else 0  # fmt: skip
        return data

    @field_validator("layers", "contexts", "training_stories")
    @classmethod
    def _in_order(cls, values: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return None if values is None else tuple(sorted(set(values)))

    @field_validator("subjects")
    @classmethod
    def _once(cls, subjects: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if subjects is None else tuple(dict.fromkeys(subjects))

    @field_validator("reference_layer")
    @classmethod
    def _among_layers(cls, layer: int, info: ValidationInfo) -> int:
        layers = info.data.get("layers")
        if layers is not None and layer not in layers:
            msg = f"it is not among layers {list(layers)}"
            raise ValueError(msg)
        return layer

    @field_validator("root", "out", mode="before")
    @classmethod
    def _not_empty(cls, path: Any) -> Any:
        if path == "":
            msg = 'it is empty ("." is the folder of the study file)'
            raise ValueError(msg)
        return path

    @field_validator("features")
    @classmethod
    def _goes_with_protocol(cls, features: Features, info: ValidationInfo) -> Features:
        design = info.data.get("design")
        usual = (features.policy, features.word_vector) == ("growing", "last")
        if design is not None and design.protocol is not None and not usual:
            msg = (
                f"protocol {design.protocol!r} of [design] has its own contexts, growing, and "
                "reads words at their last token; leave policy and word_vector out, or the protocol"
            )
            raise ValueError(msg)
        contexts = info.data.get("contexts") or ()
        if features.policy == "full" and len(contexts) > 1:
            msg = (
                'policy "full" reads a story from its start, whatever the context, so that '
                f"contexts {list(contexts)} would all be the same; keep one of them"
            )
            raise ValueError(msg)
        return features

    @field_validator("root", "out")
    @classmethod
    def _from_base(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is None:
            return None
        try:
            return (_base(info) / path.expanduser()).resolve()
        except RuntimeError as error:
            msg = f"there is no such home folder as {path.parts[0]}"
            raise ValueError(msg) from error

    @field_validator("model")
    @classmethod
    def _model_from_base(cls, model: str, info: ValidationInfo) -> str:
        if model.startswith(("./", "../")):
            return str((_base(info) / model).resolve())
        return model


def _base(info: ValidationInfo) -> Path:
    return Path((info.context or {}).get("base", Path.cwd()))


def _flattened(tables: Mapping[str, Any], name: str, text: str) -> dict[str, Any]:
    """Put the fields of [study] beside the other tables, as the model has them."""
    known = ("study", "design", "features", "fit", "evaluate")
    for table in tables:
        if table not in known:
            line = line_of(text, [table])
            msg = (
                f"{name}, line {line}: {table!r} is not known there; expected only the tables "
                f"{', '.join(f'[{one}]' for one in known)}; put fields below one of them."
            )
            raise ConfigError(msg)
    for table, fields in tables.items():
        if not isinstance(fields, dict):
            msg = (
                f"{name}, line {line_of(text, [table])}: {table!r} is not a table; expected "
                f"[{table}] once, in single brackets, and its fields below it."
            )
            raise ConfigError(msg)
    if "study" not in tables:
        msg = f"{name}, line 1: there is no table [study]; expected one with name, dataset, model."
        raise ConfigError(msg)
    return {**tables["study"], **{one: tables[one] for one in known[1:] if one in tables}}
