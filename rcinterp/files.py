"""Files that are either whole or not there, whatever stops the program."""

import os
from pathlib import Path


def write_at_once(path: Path, content: str | bytes) -> None:
    """Write <path>.part, see to it that it is on the disk, and give it its name: a power cut leaves no empty file."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
