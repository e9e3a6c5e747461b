"""CPR numbers and other structured identifiers: found in every form, and nothing else taken."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsk_assets.privacy.analyser import analyser
from dsk_assets.privacy.recognisers.checks import birth_year, passes_luhn, passes_mod_97
from dsk_assets.privacy.residual import count_cpr
from dsk_assets.privacy.synthetic import cpr

SEPARATORS = ["-", " - ", "\u2011", "\u2013", "\u2212", "-\u200b", "\u00ad-", " -\n"]


def types(text: str) -> set[str]:
    return {finding.entity for finding in analyser().find(text)}


def covered(text: str, value: str) -> bool:
    places = {p for f in analyser().find(text) for p in range(f.start, f.end)}
    start = text.index(value)
    return all(p in places for p in range(start, start + len(value)) if text[p].isalnum())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from(SEPARATORS), st.booleans())
def test_a_date_a_hyphen_and_four_digits_are_a_cpr_number_without_any_context(
    seed: int, checked: bool, separator: str, wide: bool
) -> None:
    ten = cpr(random.Random(seed), checked)
    value = ten[:6] + separator + ten[6:]
    if wide:
        value = value.translate({ord("0") + d: chr(0xFF10 + d) for d in range(10)})
    assert "DK_CPR" in types(f"Hun fik nummeret {value} i går.")
    assert count_cpr(f"Hun fik nummeret {value} i går.") == (0 if "\n" in separator else 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from(["", " ", ".", "\u00a0", "\n"]))
def test_an_explaining_word_is_enough_without_hyphen_and_check_digit(
    seed: int, checked: bool, separator: str
) -> None:
    ten = cpr(random.Random(seed), checked)
    value = ten[:6] + separator + ten[6:]
    assert covered(f"Cpr-nr.: {value}, bevilget", value)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 99), st.integers(13, 60), st.integers(0, 999999))
def test_ten_digits_that_begin_with_no_date_are_never_a_cpr_number(
    day: int, month: int, rest: int
) -> None:
    text = f"Reference {day:02}{month:02}{rest // 10000:02}-{rest % 10000:04} er lukket."
    assert "DK_CPR" not in types(text)
    assert count_cpr(text) == 0


@pytest.mark.parametrize(
    "value",
    ["150643-0SJ1", "0203291WQ3", "17.03.89-1234", "17 03 89-1234", "1 7 0 3 8 9 - 1 2 3 4"],
)
def test_other_forms_of_cpr_numbers(value: str) -> None:
    assert "DK_CPR" in types(f"cpr {value} noteret")


@pytest.mark.parametrize("value", ["I7O389-l234", "i7o389-L234", "L7O3B9-12i4", "17o3b9-1234"])
def test_a_misread_digit_after_the_word_cpr_hides_nothing(value: str) -> None:
    assert covered(f"CPR-nr. {value} er oplyst", value)


@pytest.mark.parametrize("letter", ["ſ", "ı", "İ", "ß"])
def test_a_letter_that_is_no_misread_digit_withholds_no_text(letter: str) -> None:
    assert types(f"CPR-nr. {letter}7O389-1234 er oplyst, {letter}70389-1234") == set()


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_a_line_separator_inside_a_number_hides_nothing(separator: str) -> None:
    value = f"170389-{separator}1234"
    assert covered(f"Nummeret er {value}.", value)


@pytest.mark.parametrize("broken", ["&#8209{}", "&8209;{}", "&amp;#8209;{}", "&amp;ndash;{}",
                                    "& ndash ;{}", "&#8209\u00a0{}", "&# x2011;;{}", "&nbsp;-{}",
                                    "&nbsp{}", "&amp;amp;shy;-{}"])  # fmt: skip
def test_a_damaged_html_entity_inside_a_number_hides_nothing(broken: str) -> None:
    value = "170389" + broken.format("1234")
    assert covered(f"Nummeret er {value}.", value)


@pytest.mark.parametrize("form", ["{}@example.dk", "{} (at) example.dk", "anna@{}.dk", "anna@x.{}",
                                  "anna (at) {}.dk", "anna at {}.dk", "{}gade 12, 8000 Aarhus C",
                                  "{}park 12", "Adresse: {} 12"])  # fmt: skip
@pytest.mark.parametrize("length", [65, 199, 245])
def test_the_length_of_a_word_hides_nothing(form: str, length: int) -> None:
    value = form.format("A" + "b" * length)
    assert covered(f"Det er {value} i dag", value.removeprefix("Adresse: "))


def test_a_replacement_number_needs_a_word_that_explains_it() -> None:
    assert "DK_CPR" in types("erstatningscpr 770389-1234")
    assert "DK_CPR" not in types("Varenr. 770389-1234 er udgået")


def test_a_cpr_number_glued_to_its_word_or_a_file_name_is_found() -> None:
    assert "DK_CPR" in types("CPR170389-1234")
    assert "DK_CPR" in types("notat_170389-1234_endelig.pdf")


def test_the_century_table() -> None:
    cases = [
        (89, 3, 1989),
        (36, 4, 2036),
        (37, 4, 1937),
        (57, 5, 2057),
        (58, 8, 1858),
        (36, 9, 2036),
    ]
    assert [birth_year(year, seventh) for year, seventh, _ in cases] == [c[2] for c in cases]


@pytest.mark.parametrize(
    "text",
    [
        "ISBN 87-7724-123-5 og ISBN 978-87-02-12345-6",
        "EAN 5798009814234 på pakken",
        "Faktura 4512093381 af 12.03.2024 lyder på 12.345.678 kr.",
        "jf. lov nr. 1234 af 12. december 2023, § 12, stk. 3, nr. 4",
        "Ordrenummer 20240312 er sendt den 2024-03-12 kl. 10.15",
        "Tallene 12345678, 23456789 og 34567890 er uden moms",
        "CVR 12 34 56 78, telefon 70 10 20 30",
        "Version 4.12.3.7 af programmet kører på 127.0.0.1",
        "Unix-tid 1712345678 i loggen",
        "Ejendommen matr.nr. 12ab er på 1234 m²",
        "af 12 345 stemmer gik 1 000 000 tabt",
        "Skriv til info@example.org eller kontakt@example.dk",
        "Side 12-34, tabel 5.6, år 1999-2004, 37,5 grader",
        "Kom til Gyvelvej i 2024, hvor H.C. Andersens Boulevard krydser",
        "Dåbsdag 2. februar 1980, død † 12.2.2020",
        "Netmaske 255.255.255.0 på porten",
        "I koden står @Override, @dataclass og @media (max-width: 600px)",
        "Domstolens dom i sag C-131/12 og sagen 12-03-2019",
        "Har du MitID? Login er nødvendigt, og brugernavn skal oplyses",
        "En egn med 12 000 boliger; by: by, sal: 3, dør: åben",
        "Ad landevejen 14 km mod nord, på vejen 12 lastbiler",
        "Ring senest 2024-12-31 eller 24-12-2023, telefonen lukker 24 12 2023",
        "22. oktober 2024 17.15 Sygeplejenotat, telefonisk 13. juni 2025 13.15",
        "Skolerne fik 412 345 678 kr. og 23 456 789 DKK; produktkode 67-88-99-10",
        "Plade 3 af 4, om 12 345 stemmer, plade af STÅL",
        "<DK_CPR> <PERSON> <PHONE_NUMBER> stod der",
        "Girafferne 12 og u/overskud",
    ],
)
def test_numbers_that_are_no_personal_data_are_left(text: str) -> None:
    assert types(text) == set()


@pytest.mark.parametrize(
    ("text", "value", "entity"),
    [
        ("Ring på 67 12 34 56 i dag", "67 12 34 56", "PHONE_NUMBER"),
        ("mobil: 68123456", "68123456", "PHONE_NUMBER"),
        ("(+45) 67 12 34 56", "67 12 34 56", "PHONE_NUMBER"),
        ("fra +46 70 123 45 67 i går", "+46 70 123 45 67", "PHONE_NUMBER"),
        ("Skriv til anna.b@kommune.local straks", "anna.b@kommune.local", "EMAIL_ADDRESS"),
        ("anna (at) example.dk", "anna (at) example.dk", "EMAIL_ADDRESS"),
        ("bo.b snabel-a example punktum dk", "bo.b snabel-a example", "EMAIL_ADDRESS"),
        (
            "bor Prøvevej 12 B, 2. tv., 8000 Aarhus C nu",
            "Prøvevej 12 B, 2. tv., 8000 Aarhus C",
            "ADDRESS",
        ),
        ("Hans Smeds Vej 4, st. th", "Hans Smeds Vej 4, st. th", "ADDRESS"),
        ("konto 1234 0012345678", "1234 0012345678", "DK_BANK_ACCOUNT"),
        ("reg.nr. 1234 kontonr. 123456", "1234 kontonr. 123456", "DK_BANK_ACCOUNT"),
        ("IBAN DK50 0040 0440 1162 43", "DK50 0040 0440 1162 43", "IBAN_CODE"),
        ("kortet 4111 1111 1111 1111 er spærret", "4111 1111 1111 1111", "CREDIT_CARD"),
        ("fra ip 192.0.2.17 kl. 8", "192.0.2.17", "IP_ADDRESS"),
        ("fra 2001:db8:1a::5 kl. 8", "2001:db8:1a::5", "IP_ADDRESS"),
        ("enhed 00:1B:44:11:3A:B7 fundet", "00:1B:44:11:3A:B7", "MAC"),
        ("bil med nummerplade AQ12345", "AQ12345", "DK_LICENSE_PLATE"),
        ("født den 3. maj 1974 i byen", "3. maj 1974", "DATE_OF_BIRTH"),
        ("Borger 170389-xxxx", "170389-xxxx", "DATE_OF_BIRTH"),
        ("Kundenummer: 4471923", "4471923", "PERSON_ID"),
        ("sagsnr. 24/12345", "24/12345", "CASE_NUMBER"),
        ("j.nr. 27.03.00-G01-12-24", "27.03.00-G01-12-24", "CASE_NUMBER"),
        ("pasnr. 212345678", "212345678", "DK_PASSPORT"),
        ("kørekort nr. 12345678", "12345678", "DK_DRIVING_LICENCE"),
        ("sundhedskort 8027 nr. 802312345678", "802312345678", "DK_HEALTH_CARD"),
        ("MitID bruger-id 1234-5678-9012", "1234-5678-9012", "DK_MITID"),
        ("login bruger=anna12 ok", "anna12", "USER_HANDLE"),
        ("se linkedin.com/in/anna-b her", "linkedin.com/in/anna-b", "URL_PERSONAL"),
        ("stelnr. WVWZZZ1JZXW000001", "WVWZZZ1JZXW000001", "VIN"),
        ("mødested 55.67612, 12.56834", "55.67612, 12.56834", "GEO"),
        ("porten 001b.4411.3ab7 er lukket", "001b.4411.3ab7", "MAC"),
        ("ved 55°40'34.5\" N, 12°34'06\" Ø i søen", "55°40'34.5\" N, 12°34'06\" Ø", "GEO"),
        ("N 55° 40.567' E 12° 34.123'", "N 55° 40.567' E 12° 34.123'", "GEO"),
        ("anna (at) example . dk i dag", "anna (at) example . dk", "EMAIL_ADDRESS"),
        ("skriv anna@example . dk i dag", "anna@example . dk", "EMAIL_ADDRESS"),
        ("nummer 811218-9876 er svensk", "811218-9876", "FOREIGN_ID"),
        ("fødselsnummer 010190 12480", "010190 12480", "FOREIGN_ID"),
        ("norsk fødselsnummer 010858 43219", "010858 43219", "FOREIGN_ID"),
        ("hendes polske PESEL: 44051401359", "44051401359", "FOREIGN_ID"),
        ("Steuer-ID 86 095 742 719", "86 095 742 719", "FOREIGN_ID"),
        ("udlændingenummer 90-112-887-3", "90-112-887-3", "FOREIGN_ID"),
        ("Pt. født 170348, gift", "170348", "DATE_OF_BIRTH"),
        ("født 17031948 i byen", "17031948", "DATE_OF_BIRTH"),
        ("Fød. dato 07 11 1962", "07 11 1962", "DATE_OF_BIRTH"),
        ("født den 12te Oktober 1891", "12te Oktober 1891", "DATE_OF_BIRTH"),
        ("født 4-V-1971", "4-V-1971", "DATE_OF_BIRTH"),
        ("sygesikringskort 8020 8400 1122 3344 5566", "8020 8400 1122 3344 5566", "DK_HEALTH_CARD"),
        ("MitID bruger-id: prøve_u58", "prøve_u58", "DK_MITID"),
        ("passport no. 207418833", "207418833", "DK_PASSPORT"),
        ("dom i sag B-1182-14", "B-1182-14", "CASE_NUMBER"),
        ("sag BS 7-1183/2018 i byretten", "BS 7-1183/2018", "CASE_NUMBER"),
        ("se BS-1234/2023-OLR", "BS-1234/2023-OLR", "CASE_NUMBER"),
        ("styrelsens sag 2016-633-09881", "2016-633-09881", "CASE_NUMBER"),
        ("0700-73112-00213-17 er lukket", "0700-73112-00213-17", "CASE_NUMBER"),
        ("Kundenummer 887 221 04", "887 221 04", "PERSON_ID"),
        ("ring på 6 7 8 8 9 9 1 3", "6 7 8 8 9 9 1 3", "PHONE_NUMBER"),
        ("TLF. 67 O8 l1 44", "67 O8 l1 44", "PHONE_NUMBER"),
        ("i Tyskland 0049 30 901820", "0049 30 901820", "PHONE_NUMBER"),
        ("postnr=8960 Randers SØ", "8960 Randers SØ", "ADDRESS"),
        ("fra 192.0.2.17:8080 i dag", "192.0.2.17:8080", "IP_ADDRESS"),
        ("lat=55.403756 lon=10.402370", "55.403756", "GEO"),
        ("discord: prøve#4417", "prøve#4417", "USER_HANDLE"),
        ("UNI-login kari38k2", "kari38k2", "USER_HANDLE"),
        ("auth failed for pjens from 192.0.2.17", "pjens", "USER_HANDLE"),
        ("@prøve_r @lise.mh så I det", "@lise.mh", "USER_HANDLE"),
        ("https://twitter.com/annab/status/1004", "twitter.com/annab/status/1004", "URL_PERSONAL"),
        ("Prøvevejen 119, 2. th., 2900 Hellerup", "Prøvevejen 119, 2. th., 2900", "ADDRESS"),
        ("tlf 6773 28 46", "6773 28 46", "PHONE_NUMBER"),
        ("T: 67732846 M: 68114433", "68114433", "PHONE_NUMBER"),
        ("☎ 67732846", "67732846", "PHONE_NUMBER"),
        ("swipp 67732846", "67732846", "PHONE_NUMBER"),
        ("kontonummer 11223344 i banken", "11223344", "DK_BANK_ACCOUNT"),
        ("Reg 4521 kt 11223344", "4521 kt 11223344", "DK_BANK_ACCOUNT"),
        ("MitID: prøve_tofte61", "prøve_tofte61", "DK_MITID"),
        ("MitID-brugernavn prøve_tofte", "prøve_tofte", "DK_MITID"),
        ("cpr 7.7.61-4285", "7.7.61-4285", "DK_CPR"),
        ("CPR-nummeret 311299\n-1234", "311299\n-1234", "DK_CPR"),
        ("Prøvevej 201A, st.-2, 5210 Odense NV", "Prøvevej 201A, st.-2, 5210 Odense NV", "ADDRESS"),
        ("bor på prøvegade 44 2 sal i 4000 roskilde", "prøvegade 44 2 sal i 4000", "ADDRESS"),
        ("bor Prøvestraße 7, 24937 Flensburg", "Prøvestraße 7, 24937 Flensburg", "ADDRESS"),
        ("j.nr. F.2.441 er åben", "F.2.441", "CASE_NUMBER"),
        ("straffesag SS 3-2210/2017", "SS 3-2210/2017", "CASE_NUMBER"),
        ("geb. 12.08.1949 in Husum", "12.08.1949", "DATE_OF_BIRTH"),
        ("Reg. nr. 3409 Konto nr. 12 34 56 78 90", "3409 Konto nr. 12 34 56", "DK_BANK_ACCOUNT"),
        ("kto. 9570 0009988776", "9570 0009988776", "DK_BANK_ACCOUNT"),
        ("Girokonto 1 23 45 67", "1 23 45 67", "DK_BANK_ACCOUNT"),
        ("iban dk5000400440116243", "dk5000400440116243", "IBAN_CODE"),
        ("bilen med plade ck60219", "ck60219", "DK_LICENSE_PLATE"),
        ("nummerpladen er PRØVE1", "PRØVE1", "DK_LICENSE_PLATE"),
        ("ukrainsk pas FA 112233", "FA 112233", "DK_PASSPORT"),
        ("NINO QQ 12 34 56 C", "QQ 12 34 56 C", "FOREIGN_ID"),
        ("færøsk p-tal 010180-123", "010180-123", "FOREIGN_ID"),
        ("udl. nr. 12 345 678 9", "12 345 678 9", "FOREIGN_ID"),
        ("gps 56,15674 10,21076", "56,15674 10,21076", "GEO"),
        ("forsikringspolice nr. 77-1188-02", "77-1188-02", "PERSON_ID"),
        ("målernr. 11 044 982", "11 044 982", "PERSON_ID"),
        ("Lone - 67119009 - Ole", "67119009", "PHONE_NUMBER"),
        ("fastnet:67119013", "67119013", "PHONE_NUMBER"),
        ("barnevogn, 1.200 kr. Henv. 67119016", "67119016", "PHONE_NUMBER"),
        ("nr. 67119018 (sms)", "67119018", "PHONE_NUMBER"),
        ('cc "k.prøve"@example.com', '"k.prøve"@example.com', "EMAIL_ADDRESS"),
        ("Svar:\n<kaffe_kurt> er der nogen", "kaffe_kurt", "USER_HANDLE"),
        ("hus77 skrev: nej", "hus77", "USER_HANDLE"),
        ("af u/danskprøve i r/Denmark", "u/danskprøve", "USER_HANDLE"),
        ("snapchatten er thea.prøve09", "thea.prøve09", "USER_HANDLE"),
    ],
)
def test_structured_identifiers_are_found_whole(text: str, value: str, entity: str) -> None:
    assert covered(text, value)
    if entity != "FOREIGN_ID":
        assert entity in types(text)


@pytest.mark.parametrize(
    "text",
    [
        "Vejnavn: Gl. Prøvevej, husnr.: 71, etage: 2, dør: th, postnr.: 1850, by: Ry",
        '{"vejnavn": "Prøvetoften", "husnr": "71", "postnr": "8680", "by": "Ry"}',
        "<vejnavn>Prøvetoften</vejnavn><husnr>71</husnr><postnr>8680</postnr><by>Ry</by>",
    ],
)
def test_an_address_in_labelled_parts_is_found_part_by_part(text: str) -> None:
    for value in ("71", "Ry", "50" if "1850" in text else "8680"):
        assert covered(text, value)
    assert types("Sal: 3, dør: åben") == set()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("tlf. 67123456/68123457 efter kl. 16", "67123456/68123457"),
        ("67 12 34 56 / 68 12 34 57", "67 12 34 56 / 68 12 34 57"),
        ("Se 170389-1234180389-1235 i mappen", "170389-1234180389-1235"),
        ("cpr 17038912341803891235", "17038912341803891235"),
        ("hun fik 17O389-12l4 i går", "17O389-12l4"),
        ("ring på 67 1O 34 56", "67 1O 34 56"),
    ],
)
def test_numbers_run_together_and_misread_digits(text: str, value: str) -> None:
    assert covered(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("cpr 170389-<b>1234</b> her", "170389-<b>1234"),
        ("<span class='x'>170389</span>-1234", "170389</span>-1234"),
        ("tlf. 67 <i>12</i> 34 56", "67 <i>12</i> 34 56"),
        ("konto 1234 00123<wbr>45678", "1234 00123<wbr>45678"),
    ],
)
def test_markup_inside_a_number_hides_nothing(text: str, value: str) -> None:
    assert covered(text, value)
    assert (
        types("areal 10<sup>6</sup> og <b>12</b> af <b>34</b> i <td>1703</td><td>891234</td>")
        == set()
    )


def test_a_placeholder_in_delivered_text_hides_no_number_beside_it() -> None:
    table = "kundenr;navn;kontonr\n<DK_CPR> 4471923;Bo;12340012345678\n4471924;Bo;12340012345679"
    assert covered(table, "4471923")
    assert covered("<DK_CPR> 170389-1234 <PHONE_NUMBER>", "170389-1234")
    assert types("kundenr;navn;kontonr\n<DK_CPR>;<PERSON>;<DK_BANK_ACCOUNT>") == set()


def test_a_full_stop_with_spaces_ends_a_sentence_where_no_domain_follows() -> None:
    assert types("Han lovede at komme . de var der, og at se . Hun kom ikke.") == set()


@pytest.mark.parametrize(
    ("table", "entity", "value"),
    [
        ("id,navn,konto,beløb\n1,Qwx,12340012345678,50", "DK_BANK_ACCOUNT", "12340012345678"),
        ("id,navn,tlf,beløb\n1,Qwx,67112233,50", "PHONE_NUMBER", "67112233"),
        ("id,tlf,navn,by\n1,67112233,Qwx,B", "PHONE_NUMBER", "67112233"),
        ('id,navn,mobil,beløb\n1,Qwx,"+45 67 11 22 33",50', "PHONE_NUMBER", "67 11 22 33"),
    ],
)
def test_a_number_between_other_columns_of_digits(table: str, entity: str, value: str) -> None:
    assert covered(table, value)
    assert entity in types(table)
    if "+45" not in table:
        assert entity not in types(table.replace("tlf", "vare").replace("konto", "ean"))


def test_a_column_heading_explains_the_numbers_below_it() -> None:
    table = (
        "kundenr;kontonr;telefon\n4471923;12340012345678;67123456\n4471924;12340012345679;68123456"
    )
    assert types(table) == {"PERSON_ID", "DK_BANK_ACCOUNT", "PHONE_NUMBER"}


def test_a_company_number_is_personal_only_near_a_sole_trader() -> None:
    assert types("Firmaet har CVR 10000009.") == set()
    for form in ("CVR 10000009", "CVR10000009", "CVR-nr.: DK 10 00 00 09", "cvrnr 10000009",
                 "CVR_10000009", "SE-nummer 10000009"):  # fmt: skip
        assert "DK_CVR" in types(f"Enkeltmandsvirksomhed, {form}.")
    assert types("Enkeltmandsvirksomhed, huse10000009.") == set()


def test_check_digits() -> None:
    assert passes_mod_97("DK5000400440116243")
    assert not passes_mod_97("DK5000400440116244")
    assert passes_luhn("4111111111111111")
    assert not passes_luhn("4111111111111112")
