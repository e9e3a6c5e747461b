"""Numbers of things in messages."""


def counted(number: int, name: str) -> str:
    """*number* and what it counts, which *name* says for one: ``1 file``, ``2,000 files``."""
    return f"{number:,} {name}{'' if number == 1 else 's'}"
