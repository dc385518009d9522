"""The tables of a study file: every setting that can change a study's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import PydanticCustomError

__all__ = [
    "BLOCK_TRS",
    "Baselines",
    "Count",
    "Design",
    "Evaluate",
    "Features",
    "Hours",
    "Layers",
    "OfProtocol",
    "SettingsTable",
    "Speech",
    "Stories",
    "Sweep",
    "Text",
    "Whole",
    "base_of",
    "from_base",
    "in_order",
    "of_one_sweep",
    "one_amount",
    "sorted_layers",
    "sweep_heading",
]

BLOCK_TRS = 30  # as evaluate.permutation_test has it

Count = Annotated[int, Field(strict=True, ge=1)]
Whole = Annotated[int, Field(strict=True, ge=0)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(strict=True, min_length=1)]

SPACES = ("language", "word_rate", "position", "sound")  # what bands are made of, in this order


def form_of(value: Any) -> str:
    return "table" if isinstance(value, Mapping | BaseModel) else "value"


def _number_or_word(value: Any) -> str:
    return "word" if isinstance(value, str) else "number"


_All = Annotated[Literal["all"], Tag("word")]
# How much to train on, of a sweep: numbers of stories, or hours; "all" is all there are.
Stories = Annotated[
    tuple[Annotated[Annotated[Count, Tag("number")] | _All, Discriminator(_number_or_word)], ...],
    Field(min_length=1),
]
Hours = Annotated[
    tuple[
        Annotated[Annotated[Positive, Tag("number")] | _All, Discriminator(_number_or_word)], ...
    ],
    Field(min_length=1),
]
_Numbers = Annotated[tuple[Whole, ...], Field(min_length=1)]
# Of every model alike, or a table with a list for each model.
Layers = Annotated[
    Annotated[dict[Text, _Numbers], Tag("table")] | Annotated[_Numbers, Tag("value")],
    Discriminator(form_of),
]


def in_order(values: Any) -> Any:
    """Sort numbers and let each be there once, the word "all" behind them."""
    if not isinstance(values, tuple):
        return values
    return tuple(sorted(set(values), key=lambda one: (isinstance(one, str), one)))


def sweep_heading(number: int, n_sweeps: int) -> str:
    """Call a table [[sweep]], counted from 0 here, as messages do; by number among several."""
    return "[[sweep]]" if n_sweeps == 1 else f"[[sweep]] no. {number + 1}"


def of_one_sweep(number: int, n_sweeps: int, field: str, text: str) -> PydanticCustomError:
    """Make an error of a field of one table [[sweep]] of several, counted from 0."""
    told = f"{sweep_heading(number, n_sweeps)} {field} {text}"
    return PydanticCustomError("of_one_sweep", "{text}", {"text": told, "at": f"{number}.{field}"})


def one_amount(hours: Any, info: ValidationInfo) -> Any:
    """Refuse hours beside numbers of stories."""
    if hours is not None and info.data.get("training_stories") is not None:
        msg = "training_stories says already how much to train on; give one of the two"
        raise ValueError(msg)
    return hours


def sorted_layers(layers: Any, info: ValidationInfo) -> Any:
    """Sort layers; in a table of models, let paths count from the study file's folder."""
    if isinstance(layers, dict):
        return {from_base(model, info): in_order(own) for model, own in layers.items()}
    return in_order(layers)


def base_of(info: ValidationInfo) -> Path:
    """Return the folder that relative paths count from: that of the study file."""
    return Path((info.context or {}).get("base", Path.cwd()))


def from_base(model: str, info: ValidationInfo) -> str:
    """Let a path to a model that starts with a dot count from the study file's folder."""
    if model.startswith(("./", "../")):
        return str((base_of(info) / model).resolve())
    return model


class SettingsTable(BaseModel):
    """A table of a study file: no field that is not known, and nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Design(SettingsTable):
    """How features become a design matrix; see :class:`voxscale.DesignRecipe`."""

    delays: tuple[Annotated[int, Field(strict=True)], ...] = Field(
        (1, 2, 3, 4), min_length=1, description="a list of delays in TRs, such as [1, 2, 3, 4]"
    )
    trim: tuple[Whole, Whole] = Field(
        (10, 5),
        description="a list of TRs left out at the start and the end of a run, such as [10, 5]",
    )
    test_trim: tuple[Whole, Whole] | None = Field(
        None, description="the same of test runs, where they are trimmed otherwise, such as [50, 5]"
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


class OfProtocol(tuple[str, ...]):
    """A list that a study has from its protocol, and not of its own."""

    __slots__ = ()


class StoryLists(SettingsTable):
    """Which stories of the data set a study is of, where not all of them."""

    train: Annotated[tuple[Text, ...], Field(min_length=1)] | None = Field(
        None, description='a list of stories to learn from, such as ["buck", "life"]'
    )
    test: Annotated[tuple[Text, ...], Field(min_length=1)] | None = Field(
        None, description='a list of stories to score, such as ["wheretheressmoke"]'
    )

    @field_validator("train", "test", mode="wrap")
    @classmethod
    def _whose(cls, given: Any, made_of: ValidatorFunctionWrapHandler) -> Any:
        """Keep in mind which list is the protocol's, for messages that blame somebody."""
        made = made_of(given)
        return OfProtocol(made) if isinstance(given, OfProtocol) else made

    @field_validator("test")
    @classmethod
    def _others(cls, test: Any, info: ValidationInfo) -> Any:
        train = info.data.get("train") or ()
        both = sorted(set(test or ()) & set(train))
        if both:
            msg = f"it has {both[0]!r}, which train has too, so that scores would be too good"
            if isinstance(train, OfProtocol) and not isinstance(test, OfProtocol):
                msg += "; train is the protocol's list: name train here as well, without this story"
            elif isinstance(test, OfProtocol) and not isinstance(train, OfProtocol):
                msg += "; this test is the protocol's list: name test here as well, other stories"
            raise ValueError(msg)
        return test


class Features(SettingsTable):
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


class Speech(SettingsTable):
    """A speech model whose layers are mixed with those of the language model.

    See :func:`voxscale.speech_states`.
    """

    model: Text = Field(description="the name or path of a speech model")
    layers: tuple[Whole, ...] = Field(
        min_length=1,
        description="a list of layer numbers, 0 being the input of the first block, such as [1, 2]",
    )
    stride_s: Positive = Field(0.1, description="seconds between two windows, above 0")
    context_s: Seconds = Field(
        16.0, description="seconds of sound beside the stride in a window, 0 or more"
    )
    dtype: Literal["float32", "float16", "bfloat16"] = Field(
        "float32", description='"float32", "float16" or "bfloat16"'
    )

    @field_validator("layers")
    @classmethod
    def _in_order(cls, layers: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(layers)))

    @field_validator("model")
    @classmethod
    def _from_base(cls, model: str, info: ValidationInfo) -> str:
        return from_base(model, info)


class Sweep(SettingsTable):
    """A grid of cells beside the study's own sweeps.

    Every combination of what it names; what it does not name is as in the cell where the study's
    sweeps meet: the reference layer of the model, the longest context, all training stories.
    """

    models: Annotated[tuple[Text, ...], Field(min_length=1)] | None = Field(
        None, description='a list of some of the models, such as ["gpt2"]'
    )
    layers: Layers | None = Field(
        None,
        description="a list of layer numbers, such as [3, 6], or a table with a list for each "
        'model: { gpt2 = [3, 6], "./opt" = [4] }',
    )
    contexts: Annotated[tuple[Count, ...], Field(min_length=1)] | None = Field(
        None, description="a list of numbers of words, 1 or more, such as [32, 512]"
    )
    training_stories: Stories | None = Field(
        None,
        description='a list of numbers of stories, 1 or more, or "all", such as [1, 2, "all"]',
    )
    hours: Hours | None = Field(
        None,
        description='a list of numbers of hours above 0, or "all", such as [0.5, 1, 2, "all"]',
    )
    draws: Count = Field(1, description="a number of draws, 1 or more")
    bands: Annotated[tuple[Text, ...], Field(min_length=1)] | None = Field(
        None,
        description='a list of feature spaces fitted together, such as ["language", "word_rate"]',
    )

    @field_validator("models")
    @classmethod
    def _from_base(cls, models: Any, info: ValidationInfo) -> Any:
        return models and tuple(dict.fromkeys(from_base(one, info) for one in models))

    @field_validator("layers")
    @classmethod
    def _layers_in_order(cls, layers: Any, info: ValidationInfo) -> Any:
        return sorted_layers(layers, info)

    @field_validator("contexts", "training_stories", "hours")
    @classmethod
    def _in_order(cls, values: Any) -> Any:
        return in_order(values)

    @field_validator("hours")
    @classmethod
    def _hours_or_stories(cls, hours: Any, info: ValidationInfo) -> Any:
        return one_amount(hours, info)

    @field_validator("bands")
    @classmethod
    def _known_bands(cls, bands: Any) -> Any:
        return bands and tuple(dict.fromkeys(_in_one_order(one) for one in bands))


def _in_one_order(band: str) -> str:
    """Write "word_rate + language" as "language+word_rate"."""
    spaces = [one.strip() for one in band.split("+")]
    if unknown := [one for one in spaces if one not in SPACES]:
        msg = (
            f"{unknown[0]!r} is no feature space; join some of {', '.join(SPACES)}: "
            '"language+word_rate"'
        )
        raise ValueError(msg)
    return "+".join(one for one in SPACES if one in spaces)


class Baselines(SettingsTable):
    """What a language model has to beat; see :mod:`voxscale.study._baselines`."""

    word_rate: Flag = Field(default=True, description="true or false")
    position: Flag = Field(default=True, description="true or false")
    sound: Flag = Field(default=True, description="true or false; needs audio")
    autocorrelation: Flag = Field(default=True, description="true or false")

    @property
    def spaces(self) -> tuple[str, ...]:
        """Those that are partitioned against the language model."""
        return tuple(name for name in ("word_rate", "position", "sound") if getattr(self, name))


class Evaluate(SettingsTable):
    """What is computed beside the scores."""

    n_permutations: Whole = Field(
        500, description="permutations for the p-values of the reference cells; 0 for none"
    )
    null: Literal["circular-shift", "block", "phase"] = Field(
        "circular-shift", description='"circular-shift", "block" or "phase"'
    )
    block_trs: Count | None = Field(
        None, description='TRs in a block, where null is "block"; by default 30'
    )
    fdr: Literal["bh", "by"] = Field(
        "bh", description='"bh" (Benjamini & Hochberg) or "by" (Benjamini & Yekutieli)'
    )
    n_bootstraps: Whole = Field(
        400, description="samples behind the intervals of noise ceilings; 0 for none"
    )
    ceiling_repeats: tuple[Count, ...] = Field(
        (),
        description="a list of numbers of repeats to extrapolate noise ceilings to, such as [20]",
    )
    reducers: tuple[Text, ...] = Field(
        ("mean_voxels", "mean_where_cc_max_above(0.35)"),
        min_length=1,
        description='a list of names such as ["mean_voxels", "mean_where_cc_max_above(0.35)"]',
    )
    stack: Flag = Field(default=False, description="true or false")
    compare_layers: tuple[Whole, ...] = Field(
        (), max_length=2, description="a list of two of the layers, such as [3, 9]"
    )
    product_measure: Flag = Field(default=False, description="true or false; needs baselines")
    between_subjects: Flag = Field(
        default=False, description="true or false; needs subjects with the same voxels"
    )

    @field_validator("compare_layers")
    @classmethod
    def _two(cls, layers: tuple[int, ...]) -> tuple[int, ...]:
        if layers and len(set(layers)) < 2:
            msg = "it takes two different layers, such as [3, 9], or none"
            raise ValueError(msg)
        return layers

    @field_validator("block_trs")
    @classmethod
    def _of_blocks(cls, block_trs: int | None, info: ValidationInfo) -> int | None:
        if block_trs is not None and info.data.get("null") != "block":
            msg = 'only the null "block" has blocks; leave it out, or set null = "block"'
            raise ValueError(msg)
        return block_trs

    @field_validator("n_bootstraps")
    @classmethod
    def _none_or_some(cls, n_bootstraps: int) -> int:
        if n_bootstraps == 1:
            msg = "one sample has no spread; ask for 0 or for 2 and more, such as 400"
            raise ValueError(msg)
        return n_bootstraps

    @field_validator("reducers")
    @classmethod
    def _known(cls, reducers: tuple[str, ...]) -> tuple[str, ...]:
        from voxscale.evaluate import Reducer

        return tuple(dict.fromkeys(str(Reducer.parse(one)) for one in reducers))
