"""The machine's clock as statements use it: never behind what they build on."""

import datetime as dt
import time

from dsk_assets.errors import SettingsError

PATIENCE = dt.timedelta(seconds=5)
"""How far a clock may have been stepped back for it to be waited for."""


def now(after: dt.datetime) -> dt.datetime:
    """The present, in UTC, which is not before *after*.

    A step back of some seconds, as when a clock is set by another, is waited for. Raises
    :class:`SettingsError` for a larger one: a statement that says it began before its inputs
    had ended would be a fault for ever.
    """
    while (behind := after - dt.datetime.now(dt.UTC)) > dt.timedelta(0):
        if behind > PATIENCE:
            raise SettingsError(
                f"this machine's clock is {behind.total_seconds():,.0f} seconds behind "
                f"{after:%F %T} UTC, when something ended that is to be built on — set the clock; "
                "if it was ahead then, run again when that moment has passed"
            )
        time.sleep(behind.total_seconds())
    return dt.datetime.now(dt.UTC)
