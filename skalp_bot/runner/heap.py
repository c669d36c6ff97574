"""The C heap of a process that runs for months."""

import ctypes

M_MMAP_THRESHOLD = -3  # From glibc's malloc.h.
BLOCK = 256 << 10


def give_back_large_blocks() -> None:
    """Have large blocks returned to the system when they are freed, such as the text of a checkpoint.

    glibc raises its threshold to the largest block that was ever freed, up to 32 MiB, and what is smaller
    stays in its heaps, between blocks that live on. A threshold that is set is not raised.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # Other C libraries have no such habit.
        mallopt(M_MMAP_THRESHOLD, BLOCK)
