"""Find subjects of pycortex in a folder."""

from __future__ import annotations

from pathlib import Path

from voxscale.data._files import FilePath, present
from voxscale.data._pycortex import PycortexSubject, check_known
from voxscale.errors import DataError

__all__ = ["read_pycortex_subject", "subject_folder"]


def read_pycortex_subject(folder: FilePath, subject: str | None = None) -> PycortexSubject:
    """Find a subject of pycortex.

    Parameters
    ----------
    folder : path-like
        A filestore, which holds a folder for each subject, or the folder of one subject.
    subject : str, optional
        Needed where a filestore holds several.

    Returns
    -------
    PycortexSubject

    Raises
    ------
    DataError
        If the folder does not exist or is neither, or there is no such subject.
    """
    path = present(folder, folder=True, expected="a folder of subjects of pycortex")
    if not path.is_dir():
        msg = f"{path} is a file; expected a filestore of pycortex, or a subject's folder in one."
        raise DataError(msg)
    if _is_subject(path):
        own = path.absolute().name
        if subject in (None, own):
            return PycortexSubject(own, path)
        msg = f"{path} is the folder of {own}; expected that of {subject!r}; name {path.parent}."
        raise DataError(msg)
    known = sorted(one.name for one in path.iterdir() if _is_subject(one))
    if not known:
        msg = (
            f"{path} holds no subject of pycortex; expected a folder with surfaces/, or a "
            "filestore of such folders, as pycortex-db is."
        )
        raise DataError(msg)
    if subject is None and len(known) > 1:
        msg = f"{path} holds {len(known)} subjects: {', '.join(known)}; name one with subject=."
        raise DataError(msg)
    chosen = known[0] if subject is None else subject
    check_known(f"{path} has no subject", chosen, known)
    return PycortexSubject(chosen, path / chosen)


def subject_folder(filestore: Path, subject: str) -> Path | None:
    """Return the folder of a subject where a filestore has one; nothing in it is read."""
    folder = filestore / subject
    return folder if _is_subject(folder) else None


def _is_subject(folder: Path) -> bool:
    return (folder / "surfaces").is_dir()
