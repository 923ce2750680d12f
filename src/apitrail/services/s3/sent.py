"""Large objects on their way out: an open file that the server sends in pieces, whatever happens to the object meanwhile."""

import os
from pathlib import PosixPath

from apitrail.objects.content import FolderBody


class HeldPath(PosixPath):
    """A path to an open file, which stays open as long as the path is held."""

    body: FolderBody


class SentFile:
    """Bytes of an open object: path, offset and length for a server that can send files; bytes() for others."""

    def __init__(self, body: FolderBody) -> None:
        self.path = HeldPath(f"/dev/fd/{body.fileno()}")
        self.path.body = body
        self.offset = body.start
        self.length = body.end - body.start

    def __len__(self) -> int:
        return self.length

    def __bytes__(self) -> bytes:
        descriptor = self.path.body.fileno()
        blocks, at, end = [], self.offset, self.offset + self.length
        while at < end and (block := os.pread(descriptor, end - at, at)):
            blocks.append(block)
            at += len(block)
        return b"".join(blocks)
