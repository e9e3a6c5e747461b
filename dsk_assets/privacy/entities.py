"""The kinds of personal data that are looked for, which count as direct, and which wins."""

PRIORITY = (
    "DK_CPR",
    "FOREIGN_ID",
    "IBAN_CODE",
    "CREDIT_CARD",
    "DK_BANK_ACCOUNT",
    "EMAIL_ADDRESS",
    "IP_ADDRESS",
    "PHONE_NUMBER",
    "DK_PASSPORT",
    "DK_DRIVING_LICENCE",
    "DK_HEALTH_CARD",
    "DK_MITID",
    "PERSON_ID",
    "CASE_NUMBER",
    "DK_LICENSE_PLATE",
    "VIN",
    "MAC",
    "GEO",
    "DK_CVR",
    "DATE_OF_BIRTH",
    "URL_PERSONAL",
    "ADDRESS",
    "USER_HANDLE",
    "PERSON",
)
"""All entity types; where findings overlap, the first of them names the whole."""

RANK = {entity: rank for rank, entity in enumerate(PRIORITY)}

INDIRECT = frozenset(("PERSON", "ADDRESS", "DATE_OF_BIRTH", "CASE_NUMBER", "DK_CVR", "GEO"))
"""Types that name a person only together with something else, and so may be kept by a policy."""

DIRECT = frozenset(PRIORITY) - INDIRECT
"""Types that lead to one person by themselves: never kept, and counted for density."""
