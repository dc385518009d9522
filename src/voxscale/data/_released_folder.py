"""Where the files of the published Box folder lie, by what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voxscale.data._files import FilePath, kind_of, present
from voxscale.errors import DataError, did_you_mean

__all__ = ["ROLES", "ReleasedFolder", "Role", "bare_name"]

HOME = "https://utexas.box.com/v/EncodingModelScalingLaws"
_CONVERTED = "converted"  # in which `voxscale convert` may have filled folders of the same names


@dataclass(frozen=True)
class Role:
    """What files of one kind hold, and how they are named.

    Parameters
    ----------
    what : str
    folders : tuple of str
        In which of these they lie; the folder was laid out anew more than once.
    name : str
        Regular expression of the file's name without its ending. ``{n}`` is the subject's number.
    example : str
        What to expect in words, for messages: ``{folder}``, and ``{n}`` of two digits.
    """

    what: str
    folders: tuple[str, ...]
    name: str
    example: str


_STACKED = ("stacked_regression",)
_NAMED = "a file in {folder}/ whose name holds S{n}"
_RESPONSES = ("story_responses", "responses/full_responses", "responses")
# Names of the first five are those of the published README and notebook. Of the others only the
# folders are: they are found by the words in their names.
ROLES = {
    "grids": Role(
        "TextGrids of all stories", ("story_data",), r"grids_huge", "{folder}/grids_huge.jbl"
    ),
    "tr files": Role(
        "TR times of all stories", ("story_data",), r"trfiles_huge", "{folder}/trfiles_huge.jbl"
    ),
    "responses": Role(
        "responses to every story",
        _RESPONSES,
        r"UTS0?{n}_responses",
        "{folder}/UTS{n}_responses.jbl",
    ),
    "repeats": Role(
        "ten repeats of one story",
        ("responses", "story_responses"),
        r"tensessions_wheretheressmoke_S0?{n}",
        "{folder}/tensessions_wheretheressmoke_S{n}.jbl",
    ),
    "audio": Role("sounds", ("story_data/story_audio",), r".*", "a sound in {folder}/"),
    "features": Role(
        "features of a language model, story by story",
        ("semantic_features",),
        r".*",
        "a file in {folder}/",
    ),
    "weights": Role("weights of a fit", ("ridge_weights",), r".*S0?{n}(\D.*)?", _NAMED),
    "residual covariances": Role(
        "products of the models' residuals, voxel by voxel",
        _STACKED,
        r"(?i)(?=.*(resid|covar|stack_?mat)).*S0?{n}(\D.*)?",
        f"{_NAMED} and resid, covar or stackmat",
    ),
    "speech predictions": Role(
        "what layers of a speech model predict",
        _STACKED,
        r"(?i)(?=.*(whisper|hubert|wavlm))(?!.*(resid|covar)).*S0?{n}(\D.*)?",
        f"{_NAMED} and whisper, hubert or wavlm",
    ),
    "language predictions": Role(
        "what a language model predicts",
        _STACKED,
        r"(?i)(?=.*(llama|opt))(?!.*(whisper|resid|covar)).*S0?{n}(\D.*)?",
        f"{_NAMED} and llama or opt",
    ),
    "test responses": Role(
        "responses to the test and validation stories",
        _STACKED,
        r"(?i)(?=.*(resp|truth|actual))(?!.*(whisper|llama|opt|resid|covar)).*S0?{n}(\D.*)?",
        f"{_NAMED} and resp, truth or actual",
    ),
}


@dataclass(frozen=True)
class ReleasedFolder:
    """The folder that was downloaded, or a part of it.

    Parameters
    ----------
    root : Path

    Raises
    ------
    DataError
        If it holds none of the folders.
    """

    root: Path

    @classmethod
    def at(cls, root: FilePath | None) -> ReleasedFolder:
        """Open a folder that a user named."""
        known = sorted({folder.split("/")[0] for role in ROLES.values() for folder in role.folders})
        if root is None:
            msg = (
                "dataset 'antonello2023' needs root=, the folder of what was downloaded; expected "
                f"a path; the files are at {HOME}"
            )
            raise DataError(msg)
        path, kind = kind_of(Path(root).expanduser())
        if kind != "folder" or not any((path / one).is_dir() for one in known):
            msg = (
                f"{root} has none of the folders {', '.join(known)}; expected one or more of them, "
                f"as they lie at {HOME}; download what you need, and keep the folders' names."
            )
            raise DataError(msg)
        return cls(path)

    def files(self, role: str, subject: str | None = None) -> list[Path]:
        """List the files of a kind, in the order of the numbers in their names.

        Of a file that was converted, the converted folder is listed.

        Parameters
        ----------
        role : str
            One of `ROLES`.
        subject : str, optional
            Such as "UTS03"; by default anybody's.
        """
        wanted = re.compile(ROLES[role].name.replace("{n}", _number(subject)))
        found: dict[str, Path] = {}
        for path in self._candidates(role):
            name = bare_name(path)
            if wanted.fullmatch(name):
                found.setdefault(name, path)
        return [found[name] for name in sorted(found, key=_in_order)]

    def file(self, role: str, subject: str | None = None, name: str | None = None) -> Path:
        """Return the one file of a kind.

        Parameters
        ----------
        role : str
        subject : str, optional
        name : str, optional
            Of the file, without its ending, where there are several.

        Raises
        ------
        DataError
            If it is not there, is a pointer without content, or several would do.
        """
        of = "" if subject is None else f" of {subject}"
        found = self.files(role, subject)
        if name is not None:
            have = [bare_name(path) for path in found]
            found = [path for path, one in zip(found, have, strict=True) if one == name]
            if not found:
                msg = (
                    f"{self.root} holds no {role}{of} called {name!r}; expected one of "
                    f"{', '.join(have) or 'none'}{did_you_mean(name, have)}."
                )
                raise DataError(msg)
        if len(found) == 1:
            return present(found[0], folder=True)
        if found:
            names = ", ".join(path.name for path in found)
            msg = f"{self.root} holds several {role}{of}: {names}; expected one; name it."
            raise DataError(msg)
        expected = " or ".join(
            ROLES[role].example.format(folder=folder, n=_two_digits(subject))
            for folder in ROLES[role].folders
        )
        lies = sorted(one.name for one in self._lying(role))
        msg = (
            f"{self.root} holds no {role}{of} ({ROLES[role].what}); expected {expected}, or what "
            f"voxscale convert makes of it; there: {', '.join(lies[:12]) or 'nothing'}; download "
            f"it from {HOME}"
        )
        raise DataError(msg)

    def _candidates(self, role: str) -> Iterator[Path]:
        """Yield what may be of a kind; converted folders first, since they are quicker."""
        here = list(self._lying(role))
        yield from (one for one in here if one.suffix == ".zarr")
        yield from (one for one in here if one.suffix != ".zarr" and one.is_dir())
        yield from (one for one in here if not one.is_dir() and one.suffix not in (".json", ".md"))

    def _lying(self, role: str) -> Iterator[Path]:
        for folder in ROLES[role].folders:
            for place in (self.root / _CONVERTED / folder, self.root / folder):
                if place.is_dir():
                    yield from sorted(place.iterdir())


def bare_name(path: Path) -> str:
    """Return the name of a file without its ending: names of models hold dots too."""
    return re.sub(r"(\.(jbl|joblib|pkl|zarr|wav|flac|gz|xz|bz2|z))+$", "", path.name)


def _two_digits(subject: str | None) -> str:
    digits = re.search(r"\d+$", subject or "")
    return "01, S02, …" if digits is None else f"{int(digits[0]):02}"


def _number(subject: str | None) -> str:
    digits = re.search(r"\d+$", subject or "")
    return r"\d+" if digits is None else str(int(digits[0]))


def _in_order(name: str) -> list[tuple[int, int | str]]:
    """Sort numbers as numbers: layer 2 before layer 10."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(one)) if one.isdigit() else (1, one) for one in parts]
