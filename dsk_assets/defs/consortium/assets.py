"""Who promised what, and who approved what."""

from dsk_assets.consortium import registers
from dsk_assets.defs.stage import Stage

_REGISTER = frozenset({"yaml", "parquet"})

MEMBERS = Stage(
    "consortium/members",
    registers.members,
    registers.CODE_VERSION,
    kinds=_REGISTER,
    principle="4",
)
AGREEMENTS = Stage(
    "consortium/agreements",
    registers.agreements,
    registers.CODE_VERSION,
    kinds=_REGISTER,
    principle="3",
)
USE_CASES = Stage(
    "consortium/use_cases",
    registers.use_cases,
    registers.CODE_VERSION,
    kinds=_REGISTER,
    principle="4",
)
