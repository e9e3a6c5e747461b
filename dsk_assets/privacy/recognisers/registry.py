"""The recognisers that are used, in one list."""

from dsk_assets.privacy.recognisers.account import (
    BankDkRecognizer,
    IbanRecognizer,
    PaymentCardRecognizer,
)
from dsk_assets.privacy.recognisers.address import AddressDkRecognizer
from dsk_assets.privacy.recognisers.base import DanishRecognizer
from dsk_assets.privacy.recognisers.birth_date import BirthDateRecognizer
from dsk_assets.privacy.recognisers.cpr import CprRecognizer
from dsk_assets.privacy.recognisers.cvr import CvrSoleTraderRecognizer
from dsk_assets.privacy.recognisers.document_number import DocumentNumberRecognizer
from dsk_assets.privacy.recognisers.email import EmailDkRecognizer
from dsk_assets.privacy.recognisers.handle import HandleUrlRecognizer
from dsk_assets.privacy.recognisers.model_names import CrfNameRecognizer
from dsk_assets.privacy.recognisers.name_context import NameContextRecognizer
from dsk_assets.privacy.recognisers.names import GazetteerNameRecognizer
from dsk_assets.privacy.recognisers.network import NetworkIdRecognizer
from dsk_assets.privacy.recognisers.phone import PhoneDkRecognizer, PhoneForeignRecognizer
from dsk_assets.privacy.recognisers.reference_number import (
    CaseNumberRecognizer,
    PersonIdRecognizer,
)
from dsk_assets.privacy.recognisers.vehicle import PlateRecognizer

_CLASSES: tuple[type[DanishRecognizer], ...] = (
    CprRecognizer,
    DocumentNumberRecognizer,
    IbanRecognizer,
    PaymentCardRecognizer,
    BankDkRecognizer,
    EmailDkRecognizer,
    NetworkIdRecognizer,
    PhoneDkRecognizer,
    PhoneForeignRecognizer,
    PersonIdRecognizer,
    CaseNumberRecognizer,
    PlateRecognizer,
    CvrSoleTraderRecognizer,
    BirthDateRecognizer,
    AddressDkRecognizer,
    HandleUrlRecognizer,
    GazetteerNameRecognizer,
    NameContextRecognizer,
    CrfNameRecognizer,
)


def all_recognisers() -> list[DanishRecognizer]:
    """A new instance of every recogniser."""
    return [recogniser() for recogniser in _CLASSES]


def structured_recognisers() -> list[DanishRecognizer]:
    """Those that look for numbers and addresses, not for names."""
    return [recogniser() for recogniser in _CLASSES if "PERSON" not in recogniser.ENTITIES]
