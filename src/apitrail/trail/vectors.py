"""What isal leaves behind in the processor.

Its routines return with the upper halves of the vector registers in use. Until a routine clears them, older vector code, like
the SHA-256 of OpenSSL, waits for them with every instruction. Measured on an AMD EPYC with AVX-512: hashing takes 1.36 times
as long.
"""

import deflate

_ENOUGH = bytes(256)


def clear_vectors() -> None:
    """Clear the upper halves of the vector registers; to be called after isal, before anything is hashed.

    A checksum by libdeflate of this many bytes uses whole registers and clears them at its end, in 0.1 us.
    """
    deflate.adler32(_ENOUGH)
