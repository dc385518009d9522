"""Which files of a published data set are worth fetching, by part and by subject: a table."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from voxscale.data._dataset_file import find_dataset
from voxscale.data._files import FilePath
from voxscale.data._known_datasets import dataset_card
from voxscale.errors import DataError, did_you_mean

__all__ = [
    "BUCKET",
    "PUBLISHED",
    "Published",
    "by_hand",
    "check_subjects",
    "clone_line",
    "find_published",
    "matches",
    "wanted_patterns",
]

BUCKET = "https://s3.amazonaws.com/openneuro.org"

_SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_BOX = "https://utexas.box.com/v/EncodingModelScalingLaws"


class Published(NamedTuple):
    """A data set: where it is, and paths below it for each part, ``{subject}`` in some.

    ``*`` stands for any letters but ``/``, ``**`` for any at all. ``by_hand`` says what to do
    where there is nothing to fetch from. ``subdatasets`` are those of a clone that hold a part,
    and are not cloned with it.
    """

    accession: str
    parts: dict[str, tuple[str, ...]]
    by_hand: str = ""
    subdatasets: dict[str, tuple[str, ...]] = {}  # noqa: RUF012


PUBLISHED = {
    "lebel2023": Published(
        "ds003020",
        {
            "responses": ("derivative/preprocessed_data/{subject}/*.hf5",),
            "words": ("derivative/TextGrids/*.TextGrid", "derivative/*.json"),
            "audio": ("stimuli/*.wav",),
            "surfaces": ("derivative/pycortex-db/{subject}/**",),
        },
    ),
    "narratives": Published(
        "ds002345",
        {
            "responses": (
                "derivatives/afni-nosmooth/{subject}/func/*_space-fsaverage6_hemi-*_desc-clean*",
                "derivatives/afni-*/tpl-*/*_desc-brain_mask.nii.gz",
                "code/scan_exclude.json",
            ),
            "words": ("stimuli/gentle/**", "{subject}/func/*_events.tsv"),
            "audio": ("stimuli/**_audio.wav",),
        },
        subdatasets={"responses": ("derivatives/afni-nosmooth",)},
    ),
    "littleprince": Published(
        "ds003643",
        {
            "responses": ("derivatives/{subject}/func/*_bold.nii.gz",),
            "words": ("annotation/**",),
            "audio": ("stimuli/*.wav",),
        },
    ),
    "antonello2023": Published(
        "",
        {},
        f"the released files lie in a folder of Box, {_BOX}, where no file has an address that "
        "lasts. Open it in a browser and download, keeping the names of the folders: story_data "
        "(grids_huge.jbl, trfiles_huge.jbl), story_responses (UTS0x_responses.jbl), responses "
        "(tensessions_wheretheressmoke_S0x.jbl), and, for what you want to reproduce, "
        "semantic_features, ridge_weights, stacked_regression. Put them below {root}. A list of "
        "addresses, sizes and hashes of your own can be fetched with --registry FILE.",
    ),
}


def find_published(name: str) -> Published:
    """Find a data set of the table.

    Raises
    ------
    ValueError
        If it is not in it.
    """
    if name not in PUBLISHED:
        hint = did_you_mean(name, PUBLISHED)
        msg = f"dataset {name!r} cannot be fetched; choose one of {', '.join(PUBLISHED)}{hint}."
        raise ValueError(msg)
    return PUBLISHED[name]


def by_hand(name: str, root: FilePath) -> DataError:
    """Say what to do about a data set of which no file has an address."""
    return DataError(f"{name}: {PUBLISHED[name].by_hand.format(root=root)}")


def clone_line(name: str, root: FilePath) -> str:
    """Return the line of the card that clones a data set, into a folder."""
    return f"{dataset_card(name).fetch} {shlex.quote(str(root))}"


def check_subjects(name: str, subjects: Sequence[str]) -> None:
    """Check names of subjects before anything is asked for, where all of a data set are known.

    Raises
    ------
    ValueError
        If the data set has no such subject.
    """
    known = getattr(find_dataset(name), "SUBJECTS", ())
    for subject in subjects:
        if known and subject not in known:
            hint = did_you_mean(subject, known)
            msg = (
                f"subject is {subject!r}; expected one of the {len(known)} of {name}, {known[0]} "
                f"to {known[-1]}{hint}."
            )
            raise ValueError(msg)


def wanted_patterns(
    published: Published, subjects: Sequence[str], parts: Sequence[str]
) -> dict[str, list[str]]:
    """Say which paths are wanted, for each part; all subjects and parts where none is named.

    Raises
    ------
    ValueError
        If there is no such part, or a subject's name has letters that none has.
    """
    for part in parts:
        if part not in published.parts:
            hint = did_you_mean(part, published.parts)
            known = ", ".join(published.parts)
            msg = f"parts has {part!r}; expected of {known}{hint}."
            raise ValueError(msg)
    for subject in subjects:
        if not _SUBJECT.fullmatch(subject):
            msg = f"subject is {subject!r}; expected a name such as UTS01 or sub-001."
            raise ValueError(msg)
    every = "*" if published.accession == "ds003020" else "sub-*"
    return {
        part: [
            pattern.replace("{subject}", subject)
            for pattern in published.parts[part]
            for subject in (subjects if "{subject}" in pattern and subjects else [every])
        ]
        for part in parts or published.parts
    }


def matches(pattern: str, path: str) -> bool:
    """Tell whether a path is one of a pattern.

    Examples
    --------
    >>> matches("a/*.wav", "a/b.wav"), matches("a/*.wav", "a/b/c.wav"), matches("a/**", "a/b/c")
    (True, False, True)
    """
    pieces = re.split(r"(\*\*|\*)", pattern)
    regex = "".join({"**": ".*", "*": "[^/]*"}.get(one, re.escape(one)) for one in pieces)
    return re.fullmatch(regex, path, re.DOTALL) is not None
