"""How keys become places below the root of a folder bucket, and back.

A key whose path can be a file name is stored at that path. Any other one (an empty, `.` or `..` segment, a
segment over 255 bytes, a NUL, our own folder's name), and one whose path is taken by a folder or leads through a
file, lies in the tree `odd`: its bytes in hexadecimal, 60 to a folder, the last ones with `=` as the file. That
form keeps the order of keys, needs no index, and reads back. Sidecars lie under the SHA-256 of the key.
"""

import hashlib

OWN = b".apitrail"
ODD = (OWN, b"odd")
FACTS = (OWN, b"facts")
STAGING = (OWN, b"tmp")
LOCKS = (OWN, b"lock")
CHUNK = 60
NAME_BYTES_MAX = 255


def is_name(segment: bytes) -> bool:
    """Return whether a segment of a key can be a file name."""
    return 0 < len(segment) <= NAME_BYTES_MAX and segment not in (b".", b"..") and b"\0" not in segment


def plain_path(key: bytes) -> tuple[bytes, ...] | None:
    """Return the segments of a key that can be a path, or None."""
    segments = tuple(key.split(b"/"))
    return segments if segments[0].lower() != OWN and all(map(is_name, segments)) else None


def odd_path(key: bytes) -> tuple[bytes, ...]:
    """Return where a key lies in the odd tree, from the root of the bucket."""
    chunks = [key[at : at + CHUNK].hex().encode() for at in range(0, len(key), CHUNK)]
    return (*ODD, *chunks[:-1], chunks[-1] + b"=")


def odd_name(name: bytes, *, is_folder: bool) -> bytes | None:
    """Return the bytes that a name in the odd tree stands for, or None when it is none of ours."""
    digits = name if is_folder else name.removesuffix(b"=")
    if is_folder != (digits == name) or (is_folder and len(digits) != 2 * CHUNK):
        return None
    try:
        part = bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return None
    return part if part.hex().encode() == digits and len(part) <= CHUNK else None


def facts_path(key: bytes) -> tuple[bytes, ...]:
    """Return where the sidecar of a key lies, from the root of the bucket."""
    name = hashlib.sha256(key).hexdigest().encode()
    return (*FACTS, name[:2], name[2:] + b".json")


def lock_name(key: bytes) -> bytes:
    """Return the name of the lock that the writers of a key take; 64 locks serve all keys."""
    return b"%02d" % (hashlib.sha256(key).digest()[0] % 64)


def is_key(full: bytes) -> bool:
    """Return whether the path of a file found below the root is a key that S3 allows."""
    try:
        full.decode()
    except UnicodeDecodeError:
        return False
    return len(full) <= 1024
