"""How long a sound lasts."""

from __future__ import annotations

from voxscale.data._files import FilePath, present
from voxscale.errors import DataError

__all__ = ["audio_duration_s"]


def audio_duration_s(path: FilePath) -> float:
    """Return the duration of a sound file from its header, in seconds.

    Parameters
    ----------
    path : path-like
        Anything libsndfile reads: wav, flac, ogg, mp3.

    Raises
    ------
    DataError
        If the file is missing, not fetched, or not a sound.
    """
    import soundfile

    path = present(path)
    try:
        return float(soundfile.info(str(path)).duration)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        msg = f"{path}: cannot be read ({error}); expected a sound such as wav or flac; convert it."
        raise DataError(msg) from error
