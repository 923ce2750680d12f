"""A mistake on purpose, three steps deep, so that it is seen that mistakes are found."""


def target(data: bytes) -> None:
    """Fail for three certain bytes."""
    if data[:1] == b"b" and data[1:2] == b"u" and data[2:3] == b"g":
        raise ZeroDivisionError("planted")
