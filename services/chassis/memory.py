"""Memory that was freed and does not go back to the machine."""

import ctypes
import sys

# mallopt(3): from how many bytes on a block is a mapping of its own, and how many free ones stay at an end of the heap.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
# More than the megabyte that files are read by: to map and clear one each time takes longer than to open its seal.
_LARGE_BYTES = 2 * 1024**2
_KEPT_BYTES = 8 * 1024**2


def give_back_large_blocks() -> None:
    """Have large blocks given back as soon as they are freed.

    By itself glibc raises the limit to the largest block that was ever freed, and after that what one thread fills and
    another frees, as rows on their way to the database, leaves holes: 45 MB after a million rows. Where there is no
    glibc, nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        # It would be 128 KB from now on, and a megabyte taken from the machine anew each time, too.
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
