"""What the libraries under us print and raise, made quiet and made ours."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["disk_errors", "quiet"]


@contextmanager
def quiet(*, keep_bars: bool = False) -> Iterator[None]:
    """Silence what transformers and the hub print while they load; errors still come through.

    The hub tells of every time that it tries again.
    """
    from huggingface_hub.utils import logging as hub_logging
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars
    from transformers.utils import logging

    verbosity, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    hub_had_bars, hub_verbosity = not are_progress_bars_disabled(), hub_logging.get_verbosity()
    logging.set_verbosity_error()
    hub_logging.set_verbosity(logging.ERROR)
    if had_bars and not keep_bars:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        hub_logging.set_verbosity(hub_verbosity)
        if had_bars and not keep_bars:
            logging.enable_progress_bar()
            if not hub_had_bars:
                disable_progress_bars()


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn what libraries in Rust say of the disk into the system's own error.

    safetensors raises its SafetensorError, tokenizers a plain Exception.
    """
    try:
        yield
    except Exception as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        code = int(number[1])
        raise OSError(code, os.strerror(code)) from error
