"""Every error the platform raises on purpose.

    DskError
    ├── SettingsError        a setting is missing, unknown or forbidden (a region outside the EU)
    ├── DonationError        a donation's manifest or files cannot be accepted
    ├── MissingInputError    something upstream has not been materialised yet
    ├── NotAdmittedError     a gate has refused, or has not yet judged, what was about to be used
    ├── CorruptedError       bytes in the lake differ from what their statement says
    ├── StorageError         the lake could not be written (disk full, no permission)
    ├── InputError           a file given to a command cannot be read
    ├── EngineError          work over parts ended: workers died, or the cluster is gone
    ├── TrainingError        a model cannot be trained, or its training went wrong
    ├── RecordError          a record, or the tables it is made of, cannot be made
    └── DeliveryError        events of lineage cannot be delivered or are not as they should be

A message says what is wrong, names the value, and says what to do. It never holds donated text
or anything about a person: messages of these classes may be logged and shown, messages of any
other exception may not.
"""


class DskError(Exception):
    """Root of all errors that are raised on purpose; its message may be shown to users."""


class SettingsError(DskError):
    """A setting is missing, unknown or forbidden."""


class DonationError(DskError):
    """A donation's manifest or files cannot be accepted."""


class MissingInputError(DskError):
    """Something upstream has not been materialised yet.

    ``asset`` and ``partition`` are what is missing, where it is an asset's.
    """

    def __init__(self, message: str, asset: str | None = None, partition: str | None = None):
        super().__init__(message)
        self.asset = asset
        self.partition = partition


class NotAdmittedError(DskError):
    """A gate has refused, or has not yet judged, what was about to be used."""


class CorruptedError(DskError):
    """Bytes in the lake differ from what their statement says."""


class StorageError(DskError):
    """The lake could not be written."""


class InputError(DskError):
    """A file given to a command cannot be read; names the file and the line."""


class EngineError(DskError):
    """Work over parts ended: workers died, or the cluster is gone."""


class TrainingError(DskError):
    """A model cannot be trained, or its training went wrong."""


class RecordError(DskError):
    """A record, or the tables it is made of, cannot be made."""


class DeliveryError(DskError):
    """Events of lineage cannot be delivered, or are not as they should be."""


def safe_message(error: BaseException) -> str:
    """What may be logged about *error*.

    Errors of the platform are shown whole. Of any other exception only the class and the place
    are shown, because its message may quote the text that was being worked on.
    """
    if isinstance(error, DskError):
        return str(error)
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" at {place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else ""
    return f"{type(error).__name__}{where} (message withheld: it may quote donated text)"
