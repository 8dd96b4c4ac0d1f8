"""Memory that was freed and does not go back to the machine."""

import ctypes
import sys

# mallopt(3): from how many bytes on a block is a mapping of its own.
_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 1024**2


def give_back_large_blocks() -> None:
    """Have large blocks given back as soon as they are freed.

    By itself glibc raises the limit to the largest block that was ever freed, and after that what one thread fills and
    another frees, as rows on their way to the database, leaves holes: 45 MB after a million rows. Where there is no
    glibc, nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
