"""Files and folders on a local disk that only their owner may read: they hold customers, amounts and states."""

from __future__ import annotations

import stat
from contextlib import suppress
from pathlib import Path

OWNER_FOLDER, OWNER_FILE = 0o700, 0o600
OTHERS = 0o077


def make_folder(folder: Path) -> None:
    """Make a folder for its owner only, in a folder that exists; one that is there is tightened.

    :raises OSError: as :meth:`pathlib.Path.mkdir`.
    """
    folder.mkdir(OWNER_FOLDER, exist_ok=True)
    tighten(folder)


def tighten(path: Path) -> None:
    """Take away what others may do, as earlier versions left it.

    What is gone, belongs to another user, or lies on a disk without modes stays as it is: the work goes on with it.
    """
    with suppress(FileNotFoundError, PermissionError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & OTHERS:
            path.chmod(mode & ~OTHERS)
