"""Sound files of the command line, named by their files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from voxscale.errors import ConfigError, did_you_mean

__all__ = ["check_transcripts", "chosen", "find_sounds"]

_TRANSCRIPTS = (".TextGrid", ".csv", ".tsv")
# Of two of one name in a folder the first wins: what is compressed without loss first.
_KINDS = (".flac", ".wav", ".ogg", ".mp3")


def find_sounds(stimuli: Iterable[Path], *, recursive: bool) -> dict[str, Path]:
    """Name sounds by their files; those of a folder by where they lie in it.

    Parameters
    ----------
    stimuli : iterable of path
        Files, or folders of them.
    recursive : bool
        Search the folders of folders too.

    Returns
    -------
    dict of story to Path
        Sorted by name.

    Raises
    ------
    ConfigError
        If a folder holds no sound, or two sounds would have one name.
    """
    named: dict[str, Path] = {}
    for path in stimuli:
        found = _of_folder(path, recursive=recursive) if path.is_dir() else {path.stem: path}
        for story, one in found.items():
            if story in named:
                msg = (
                    f"{one} and {named[story]} would both be story {story!r}; expected one sound "
                    "for each story; rename one, or give them one after the other."
                )
                raise ConfigError(msg)
            named[story] = one
    return dict(sorted(named.items()))


def chosen(named: dict[str, Path], stories: str | None) -> dict[str, Path]:
    """Keep the sounds that are asked for by name, with commas; all if none is.

    Raises
    ------
    ConfigError
        If there is no sound of a name.
    """
    if stories is None:
        return named
    asked = [one.strip() for one in stories.split(",") if one.strip()]
    lacking = [one for one in asked if one not in named]
    if lacking or not asked:
        names = ", ".join(map(repr, lacking)) or "no story"
        near = did_you_mean(lacking[0], named) if lacking else ""
        msg = f"--stories asks for {names}{near}, but there are only: {', '.join(named)}."
        raise ConfigError(msg)
    return {story: named[story] for story in sorted(set(asked))}


def check_transcripts(sounds: dict[str, Path], folder: Path) -> None:
    """Check that the transcripts of a folder are of these sounds.

    Raises
    ------
    ConfigError
        If there is no such folder, or no transcript of a story in it.
    AlignmentError
        If words go on for more than a second after their sound.
    """
    from voxscale.data import check_heard, read_transcript
    from voxscale.study._sounds import told_duration_s

    if not folder.is_dir():
        msg = f"--transcripts is {folder}, no folder; expected one of STORY.TextGrid files."
        raise ConfigError(msg)
    for story, path in sounds.items():
        found = [folder / f"{story}{kind}" for kind in _TRANSCRIPTS]
        held = [one for one in found if one.is_file()]
        if not held:
            others = ", ".join(_TRANSCRIPTS[1:])
            msg = f"--transcripts {folder} has no {found[0].name}, nor the like ({others})."
            raise ConfigError(msg)
        if told_duration_s(path):  # a sound that cannot be read is told of when it is run
            check_heard(story, read_transcript(held[0]), path)


def _of_folder(folder: Path, *, recursive: bool) -> dict[str, Path]:
    found: dict[str, Path] = {}
    files = folder.rglob("*") if recursive else folder.iterdir()
    for file in sorted(files, key=lambda one: (_rank(one), str(one))):
        if file.suffix.lower() in _KINDS and not file.name.startswith(".") and not file.is_dir():
            found.setdefault(file.relative_to(folder).with_suffix("").as_posix(), file)
    if not found:
        hint = "" if recursive else ", or search its folders with --recursive"
        kinds = ", ".join(_KINDS)
        msg = f"folder {str(folder)!r} holds no sound ({kinds}); name another folder{hint}."
        raise ConfigError(msg)
    return found


def _rank(file: Path) -> int:
    kind = file.suffix.lower()
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)
