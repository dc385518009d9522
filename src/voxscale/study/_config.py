"""A study: what is compared, and every setting that can change the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from voxscale.data import dataset_name, is_dataset_file
from voxscale.errors import ConfigError
from voxscale.study._fit_settings import Fit
from voxscale.study._protocol import Protocol, with_protocol
from voxscale.study._settings import (
    Baselines,
    Count,
    Design,
    Evaluate,
    Features,
    Hours,
    Layers,
    SettingsTable,
    Speech,
    Stories,
    StoryLists,
    Sweep,
    Text,
    Whole,
    base_of,
    from_base,
    in_order,
    of_one_sweep,
    one_amount,
    sorted_layers,
)
from voxscale.study._toml import explain, flattened, line_of, read_study_file

__all__ = ["Study"]


def _count_or_names(value: Any) -> str:
    return "names" if isinstance(value, list | tuple) else "count"


class Study(SettingsTable):
    """Everything that a study compares, and every setting that can change its numbers.

    A star, not a full grid: the layers of every model are swept at the longest context with all
    training stories; the contexts and the amount of training data are swept at
    ``reference_layer`` of ``model``. Grids of any shape come beside it, as ``sweep``.

    Parameters
    ----------
    name : str
    dataset : str
        One of :func:`voxscale.datasets`, or a Python file that makes one, "./mystories.py"; then
        relative to the study file's folder.
    model : str
        As in :func:`voxscale.language_states`, or an extractor's name. A relative path that
        starts with a dot is taken from the study file's folder. Default: the first of ``models``.
    layers : sequence of int, or mapping of model to sequence of int
        0 is the embeddings. A sequence is that of every model.
    contexts : sequence of int
        Words that the model sees at most. It sees at least half as many, rounded down but no
        fewer than one, except at a story's start.
    models : sequence of str, optional
        All models, ``model`` among them, whose layers are swept. Default: ``model`` alone.
    subjects : sequence of str, optional
        Default: all of the data set.
    training_stories : sequence of int or "all", optional
        With how many stories to train. Default: with all alone.
    hours : sequence of float or "all", optional
        With how many hours to train, instead: stories are added as long as that comes closer.
    draws : int
        How many times the stories are drawn where not all of them train. Each draw is an
        order of the stories; smaller sets lie within larger ones.
    reference_layer : int, optional
        Of ``model``. Default: the middle one of its layers, as it is of every other model.
    validation_stories : int or sequence of str
        Training stories that no fit learns from, so that they can choose layers: how many
        (drawn with the seed), or their names. Default: 0, and the score of held-out training
        stories chooses.
    root : path, optional
        Where the data set lies.
    protocol : str, optional
        Of somebody else: "huth2023", or a TOML file. Its settings hold wherever the study has
        none of its own; see :class:`Protocol`.
    stories : StoryLists or mapping
        Which stories of the data set, where not all of them.
    seed : int
    out : path, optional
        Default: ``voxscale-NAME``. In a study file, relative to the file's folder.
    design : Design or mapping
    features : Features or mapping
    fit : Fit or mapping
    baselines : Baselines or mapping
    evaluate : Evaluate or mapping
    sweep : sequence of Sweep or mapping
        Grids of cells beside the star; see :class:`Sweep`.
    speech : Speech or mapping, optional
        A speech model whose layers are mixed with those of the language model. Default: none.

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
    dataset: Text = Field(description="the name or Python file of a data set")
    model: Text = Field(description="the name or path of a model")
    models: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(
        (),
        description='a list of names or paths of models, model among them: ["smollm2"]',
    )
    layers: Layers = Field(
        description="a list of layer numbers, 0 being the embeddings, such as [3, 9, 15], or a "
        "table with a list for each model: { gpt2 = [3, 6, 9] }"
    )
    contexts: tuple[Count, ...] = Field(
        min_length=1, description="a list of numbers of words, 1 or more, such as [32, 512]"
    )
    subjects: tuple[Text, ...] | None = Field(
        None, min_length=1, description='a list of names of subjects, such as ["S1", "S2"]'
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
    reference_layer: Whole = Field(0, description="one of the layers")
    validation_stories: Annotated[
        Annotated[Whole, Tag("count")] | Annotated[tuple[Text, ...], Tag("names")],
        Discriminator(_count_or_names),
    ] = Field(
        0, description='a number of training stories, or a list of their names: ["buck", "life"]'
    )
    root: Path | None = Field(None, description="the folder where the data set lies")
    protocol: Text | None = Field(None, description='the name of a protocol, such as "huth2023"')
    seed: Whole = Field(0, description="a whole number, 0 or more")
    out: Path = Field(Path("voxscale-study"), description="the folder for the results")
    stories: StoryLists = Field(StoryLists(), description="the table [stories]")
    design: Design = Field(Design(), description="the table [design]")
    features: Features = Field(Features(), description="the table [features]")
    fit: Fit = Field(Fit(), description="the table [fit]")
    baselines: Baselines = Field(Baselines(), description="the table [baselines]")
    evaluate: Evaluate = Field(Evaluate(), description="the table [evaluate]")
    sweep: tuple[Sweep, ...] = Field((), description="tables [[sweep]]")
    speech: Speech | None = Field(None, description="the table [speech]")

    _source: tuple[str, str] | None = PrivateAttr(None)
    _folder: Path | None = PrivateAttr(None)  # of the study file, which paths count from

    @classmethod
    def from_toml(cls, path: str | Path, *, out: str | Path | None = None) -> Self:
        """Read a study file.

        Parameters
        ----------
        path : path
            A TOML file with a table [study], and perhaps [stories], [design], [features],
            [fit], [baselines], [evaluate], [speech] and any number of [[sweep]].
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
        data = flattened(tables, path.name, text)
        if out == "":
            msg = 'out is empty; expected a folder for the results ("." is the current one).'
            raise ConfigError(msg)
        if out is not None:
            data["out"] = str(Path(out).absolute())
        try:
            study = cls.model_validate(data, context={"base": path.parent})
        except ValidationError as error:
            raise ConfigError(explain(error, cls, data, (path.name, text))) from None
        except ConfigError as error:  # of the protocol, which is a file of its own
            line = line_of(text, ["study", "protocol"])
            msg = f"{path.name}, line {line}: [study] protocol: {error}"
            raise ConfigError(msg) from error
        study._source, study._folder = (path.name, text), path.parent
        return study

    @property
    def dataset_name(self) -> str:
        """What the data set is called in keys and reports, wherever its file lies."""
        return dataset_name(self.dataset)

    def read_protocol(self) -> Protocol | None:
        """Read the protocol whose settings the study takes over; None where it names none.

        Raises
        ------
        ConfigError
            As :meth:`Protocol.named`.
        """
        return None if self.protocol is None else Protocol.named(self.protocol, self._folder)

    def where(self, field: str, table: str = "study") -> str:
        """Say where a field of a table stands, as a message begins; empty without a file."""
        if self._source is None:
            return ""
        name, text = self._source
        line = line_of(text, [*table.split("."), field])
        return f"{name}, line {line}: " if line else f"{name}: "

    @property
    def default_bands(self) -> str:
        """Which feature spaces are fitted together where no sweep says otherwise."""
        return "language+word_rate" if self.design.word_rate else "language"

    def layers_of(self, model: str) -> tuple[int, ...]:
        """Return the layers of a model that are swept."""
        return self.layers[model] if isinstance(self.layers, dict) else self.layers

    def reference_layer_of(self, model: str) -> int:
        """Return the layer of a model at which all else is swept."""
        return self.reference_layer if model == self.model else _middle(self.layers_of(model))

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any, info: ValidationInfo) -> Any:
        """Give ``out``, ``model``, ``models``, ``reference_layer`` what depends on other fields."""
        if not isinstance(data, Mapping):
            return data
        data = with_protocol(data, base_of(info))
        if data.get("out") is None:
            data["out"] = f"voxscale-{data.get('name')}"
        models = data.get("models")
        if models is None and "model" in data:
            data["models"] = [data["model"]]
        elif isinstance(models, list | tuple) and models and data.get("model") is None:
            data["model"] = models[0]
        if data.get("reference_layer") is None:
            layers = _own_layers(data.get("layers"), data.get("model"))
            is_list = isinstance(layers, list | tuple) and all(type(one) is int for one in layers)
            data["reference_layer"] = _middle(sorted(set(layers))) if layers and is_list else 0
        return data

    @field_validator("layers")
    @classmethod
    def _of_every_model(cls, layers: Any, info: ValidationInfo) -> Any:
        ordered, models = sorted_layers(layers, info), info.data.get("models", ())
        if isinstance(ordered, dict) and models and set(ordered) != set(models):
            odd = sorted(set(ordered) ^ set(models))
            which = "has none of" if odd[0] in models else "has some of another model,"
            msg = f"the table {which} {odd[0]!r}; give a list for each of {', '.join(models)}"
            raise ValueError(msg)
        return ordered

    @field_validator("contexts", "training_stories", "hours")
    @classmethod
    def _in_order(cls, values: Any) -> Any:
        return in_order(values)

    @field_validator("hours")
    @classmethod
    def _hours_or_stories(cls, hours: Any, info: ValidationInfo) -> Any:
        return one_amount(hours, info)

    @field_validator("subjects", "validation_stories")
    @classmethod
    def _once(cls, names: Any) -> Any:
        return tuple(dict.fromkeys(names)) if isinstance(names, tuple) else names

    @field_validator("reference_layer")
    @classmethod
    def _among_layers(cls, layer: int, info: ValidationInfo) -> int:
        layers = _own_layers(info.data.get("layers"), info.data.get("model"))
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

    @field_validator("evaluate")
    @classmethod
    def _compares_layers(cls, evaluate: Evaluate, info: ValidationInfo) -> Evaluate:
        layers = _own_layers(info.data.get("layers"), info.data.get("model"))
        layers = layers or evaluate.compare_layers
        unknown = [one for one in evaluate.compare_layers if one not in layers]
        if unknown:
            msg = f"compare_layers has {unknown[0]}, which is not among layers {list(layers)}"
            raise ValueError(msg)
        return evaluate

    @field_validator("sweep")
    @classmethod
    def _of_known_models(cls, sweeps: tuple[Sweep, ...], info: ValidationInfo) -> Any:
        features, contexts = info.data.get("features"), set(info.data.get("contexts") or ())
        for sweep in sweeps:
            contexts.update(sweep.contexts or ())
        if features is not None and features.policy == "full" and len(contexts) > 1:
            msg = (
                'policy "full" reads a story from its start, whatever the context, so that '
                f"contexts {sorted(contexts)} would all be the same; keep one of them"
            )
            raise ValueError(msg)
        known = info.data.get("models") or ()
        for number, sweep in enumerate(sweeps if known else ()):
            of_table = tuple(sweep.layers) if isinstance(sweep.layers, dict) else sweep.models
            place = number, len(sweeps)
            for field, own in (("models", sweep.models), ("layers", of_table)):
                if unknown := [one for one in own or () if one not in known]:
                    msg = f"names {unknown[0]!r}; expected models of the study: {', '.join(known)}"
                    raise of_one_sweep(*place, field, msg)
            if sweep.models and of_table and set(sweep.models) != set(of_table):
                msg = "has other models than models; expected the same in both"
                raise of_one_sweep(*place, "layers", msg)
        return sweeps

    @field_validator("speech")
    @classmethod
    def _is_mixed(cls, speech: Speech | None, info: ValidationInfo) -> Speech | None:
        evaluate = info.data.get("evaluate")
        if speech is not None and evaluate is not None and not evaluate.stack:
            msg = (
                "its layers are mixed with those of the language model, but stack is false in "
                "[evaluate], so that nothing is mixed; set stack = true there, or leave [speech] "
                "out"
            )
            raise ValueError(msg)
        return speech

    @field_validator("root", "out")
    @classmethod
    def _from_base(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is None:
            return None
        try:
            return (base_of(info) / path.expanduser()).resolve()
        except RuntimeError as error:
            msg = f"there is no such home folder as {path.parts[0]}"
            raise ValueError(msg) from error

    @field_validator("dataset")
    @classmethod
    def _dataset_from_base(cls, dataset: str, info: ValidationInfo) -> str:
        if not is_dataset_file(dataset):
            return dataset
        return str(cls._from_base(Path(dataset), info))

    @field_validator("model")
    @classmethod
    def _model_from_base(cls, model: str, info: ValidationInfo) -> str:
        return from_base(model, info)

    @field_validator("models")
    @classmethod
    def _with_the_model(cls, models: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(from_base(one, info) for one in models))
        if found and info.data.get("model", found[0]) not in found:
            msg = f"model {info.data['model']!r} is not among them; name it, or leave model out"
            raise ValueError(msg)
        return found


def _middle(layers: Sequence[int]) -> int:
    return layers[len(layers) // 2]


def _own_layers(layers: Any, model: Any) -> Any:
    """Take a model's layers from a table; a list is that of every model."""
    if isinstance(layers, Mapping):
        return layers.get(model) if isinstance(model, str) else None
    return layers
