"""Memory that was freed goes back to the machine."""

import subprocess
import sys

import pytest

# In a process of its own: the limit holds for a whole process. `hblks` of mallinfo2(3) is the ninth of its numbers.
_SCRIPT = """
import ctypes
from services.chassis.memory import give_back_large_blocks

class Told(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Told
if "{limit}":
    give_back_large_blocks()
for _ in range(2):
    block = bytearray(8 * 1024**2)
    mapped = libc.mallinfo2().hblkhd
    del block
print(mapped // 1024**2, libc.mallinfo2().hblkhd // 1024**2)
"""


def mapped_and_left(limit: str) -> list[int]:
    """MB in mappings of their own while a second large block is there, and after it was freed."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT.format(limit=limit)], capture_output=True, text=True, check=True
    )
    return [int(number) for number in done.stdout.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's alone")
def test_large_blocks_go_back_when_they_are_freed_though_glibc_by_itself_keeps_the_second() -> None:
    held, left = mapped_and_left("given back")
    assert held - left == 8
    held, left = mapped_and_left("")
    assert held - left == 0
