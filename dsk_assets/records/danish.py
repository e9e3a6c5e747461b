"""Danish words for what stands in records: what gates measure and expect, subjects, countries."""

import re

from dsk_assets.consortium import languages

MEASURES = {
    # approval
    "key_matches": "nøglen svarer til manifestet",
    "evidence": "dokumenter, der viser godkendelsen",
    "approval_begun": "godkendelsen er begyndt",
    "approval_in_force": "godkendelsen gælder",
    "scope_includes_pretraining": "godkendelsen omfatter fortræning",
    "purpose_accepted": "formålet er godtaget",
    "rights_reserved": "rettigheder er forbeholdt",
    "legal_basis_named": "retsgrundlaget er angivet",
    "declaration_made": "erklæringen er afgivet",
    "withdrawn": "trukket tilbage",
    "licence_known": "licensen er kendt",
    "licence_as_agreed": "licensen er den aftalte",
    "licence_or_agreement": "der er en licens eller en aftale",
    "agreement_found": "aftalen står i registret",
    "agreement_with_donor": "aftalen er med donoren",
    "agreement_evidence_delivered": "aftalens dokument er afleveret",
    "agreement_begun": "aftalen er begyndt",
    "agreement_in_force": "aftalen gælder",
    "agreement_may_train": "aftalen tillader træning",
    "agreement_may_release_model": "aftalen tillader, at modellen udgives",
    "agreement_covers_pretraining": "aftalen omfatter fortræning",
    "donor_is_member": "donoren er medlem",
    "eu_storage": "må kun opbevares i EU",
    "kept_where_allowed": "opbevares, hvor det er tilladt",
    "encryption_at_rest": "opbevares krypteret",
    # statistics
    "files_without_outcome": "filer uden udfald",
    "share_of_files_unread": "andel af filer, der ikke er læst",
    "documents_unaccounted": "dokumenter, der ikke er gjort rede for",
    "duplicate_ids": "id'er, der er brugt to gange",
    "documents": "dokumenter",
    "characters": "tegn",
    "share_of_empty_documents": "andel af tomme dokumenter",
    "characters_median": "tegn i det midterste dokument",
    "characters_max": "tegn i det længste dokument",
    # language
    "documents_without_one_language": "dokumenter uden netop ét sprog",
    "accepted_share_of_characters": "andel af tegn på tilladte sprog",
    # personal_data
    "documents_without_one_outcome": "dokumenter uden netop ét udfald",
    "documents_against_outcome": "dokumenter i strid med deres udfald",
    "residual_findings": "fund, der er tilbage i teksten",
    "canaries_planted": "kanariefugle plantet",
    "canaries_missed": "kanariefugle overset",
    "leaks_against_limit": "det, der højst er tilbage, i forhold til loftet",
    "leaks_at_most": "personoplysninger højst tilbage pr. 100.000 ord",
    "reviewed": "gennemgået af et menneske",
    "recall_measured": "søgningen er målt på opmærket tekst",
    "recall_of_identifiers": "andel fundet af direkte kendetegn",
    "recall_of_names": "andel fundet af navne",
    "recall_of_name_groups": "laveste andel fundet i en gruppe af navne",
    "recogniser_errors_kept": "beholdte dokumenter, hvor søgningen slog fejl",
    "recogniser_errors": "dokumenter, hvor søgningen slog fejl",
    "share_withheld": "andel af dokumenter holdt tilbage",
    "documents_kept": "dokumenter beholdt",
    # spans
    "tokens": "tokens",
    "shards_with_other_bytes": "dele med andre bytes",
    "tokens_miscounted": "tokens talt forkert",
    "tokens_unmapped": "tokens uden dokument",
    "tokens_mapped_twice": "tokens i to dokumenter",
    "spans_misplaced": "spænd på et forkert sted",
    "spans_of_other_donations": "spænd fra andre donationer",
    "documents_not_kept": "dokumenter, der ikke er beholdt",
    "documents_without_one_span": "dokumenter uden netop ét spænd",
    "documents_not_redacted": "dokumenter, der ikke er personoplysningsfiltreret",
    "redacted_too_late": "personoplysningsfiltreret for sent",
    "characters_per_token": "tegn pr. token",
    # composition
    "donations": "donationer",
    "unadmitted_donations": "donationer, der ikke er godkendt",
    "withdrawn_donations": "donationer, der er trukket tilbage",
    "expired_donations": "donationer, hvis godkendelse er udløbet",
    "donations_without_spans_gate": "donationer uden portens ja til deres spænd",
    "superseded_donations": "donationer, der er afløst",
    # checkpoint
    "compositions": "afgørelser om udgivelsens sammensætning",
    "compositions_refused": "afvisninger af udgivelsens sammensætning",
    "compositions_too_late": "afgørelser om sammensætningen, der kom for sent",
    "loss_is_finite": "tabet er et tal",
    "loss_against_guessing": "tabet i forhold til gætteri",
    "weight_files": "filer med vægte",
    "empty_files": "tomme filer",
    "executable_files": "filer, der kan udføres",
    # evidence
    "file_faults": "fejl i filer",
    "statement_faults": "fejl i erklæringer",
    "log_faults": "fejl i loggen",
    "lineage_faults": "fejl i afstamningen",
    "gate_faults": "fejl i porte",
    "dagster_faults": "fejl i det, Dagster viser",
    "log_entries": "poster i loggen",
    "witnesses": "vidner",
}
"""Every measure of the gates' suites."""

SUBJECTS = {
    "agriculture": "landbrug",
    "business": "erhverv",
    "civil society": "civilsamfund",
    "culture": "kultur",
    "education": "uddannelse",
    "environment": "miljø",
    "finance": "finans",
    "health": "sundhed",
    "history": "historie",
    "language resources": "sprogressourcer",
    "law": "jura",
    "literature": "litteratur",
    "news": "nyheder",
    "politics": "politik",
    "public administration": "offentlig forvaltning",
    "religion": "religion",
    "science": "videnskab",
    "social media": "sociale medier",
    "sport": "sport",
    "technology": "teknologi",
    "transport": "transport",
    "utilities": "forsyning",
}
"""Subjects that donors name in English; one of their own is shown as they wrote it."""

COUNTRIES = {
    "AT": ("Austria", "Østrig"),
    "BE": ("Belgium", "Belgien"),
    "BG": ("Bulgaria", "Bulgarien"),
    "CY": ("Cyprus", "Cypern"),
    "CZ": ("Czechia", "Tjekkiet"),
    "DE": ("Germany", "Tyskland"),
    "DK": ("Denmark", "Danmark"),
    "EE": ("Estonia", "Estland"),
    "ES": ("Spain", "Spanien"),
    "FI": ("Finland", "Finland"),
    "FO": ("Faroe Islands", "Færøerne"),
    "FR": ("France", "Frankrig"),
    "GL": ("Greenland", "Grønland"),
    "GR": ("Greece", "Grækenland"),
    "HR": ("Croatia", "Kroatien"),
    "HU": ("Hungary", "Ungarn"),
    "IE": ("Ireland", "Irland"),
    "IS": ("Iceland", "Island"),
    "IT": ("Italy", "Italien"),
    "LT": ("Lithuania", "Litauen"),
    "LU": ("Luxembourg", "Luxembourg"),
    "LV": ("Latvia", "Letland"),
    "MT": ("Malta", "Malta"),
    "NL": ("Netherlands", "Nederlandene"),
    "NO": ("Norway", "Norge"),
    "PL": ("Poland", "Polen"),
    "PT": ("Portugal", "Portugal"),
    "RO": ("Romania", "Rumænien"),
    "SE": ("Sweden", "Sverige"),
    "SI": ("Slovenia", "Slovenien"),
    "SK": ("Slovakia", "Slovakiet"),
}
"""English and Danish names of the member states, the Commonwealth of the Realm and neighbours."""

_EXPECTED = (
    (r"^exactly ", "netop "),
    (r"^at least ", "mindst "),
    (r"^at most ", "højst "),
    (r"^between (\S+) and ", r"mellem \1 og "),
    (r"^an expectation that can be evaluated$", "en forventning, der kan afgøres"),
)


def country(code: str, language: str) -> str:
    """The name of a country by its ISO 3166-1 *code*; of one that is seldom met its code."""
    return COUNTRIES.get(code, (code, code))[language == "da"]


def subject(name: str, language: str) -> str:
    """What a donor's text is about."""
    return SUBJECTS.get(name, name) if language == "da" else name


def measure(name: str, language: str) -> str:
    """What a gate measured, in words."""
    return MEASURES.get(name, name) if language == "da" else name.replace("_", " ")


def expected(words: str, language: str) -> str:
    """What a gate expected; numbers as the language writes them."""
    if language == "da":
        for english, danish in _EXPECTED:
            words = re.sub(english, danish, words)
    return re.sub(r"-?\d[\d.]*", lambda found: found_number(float(found[0]), language), words)


def found_number(value: float, language: str) -> str:
    """A measure: a whole number without a point, others to four figures, 1,234.5 or 1.234,5."""
    text = f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"
    return languages.danish(text) if language == "da" else text


def address(text: str, code: str) -> str:
    """A postal address with the name of its country, whose *code* is given, in Danish."""
    english, danish = COUNTRIES.get(code, ("", ""))
    return text.removesuffix(english) + danish if english and text.endswith(english) else text
