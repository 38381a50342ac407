"""The encoding of a text that does not say it, told from the letters that come out.

Each candidate is tried; of those that give a text without holes the one wins whose letters are the ones that a language
writes often. Where no candidate gives mostly such letters, nobody can tell, and nothing is guessed.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

LEAST = 0.6
"""How much of what is not ASCII must be expected in the language that fits best, from 0 to 1."""

_SAMPLE = 200_000  # bytes, enough to know a language by
_FREQUENT_WEIGHT, _RARE_WEIGHT, _SIGN_WEIGHT = 1.0, 0.45, 0.7
_SIGNS = frozenset("“”„‘’‚«»–—…·•°§€£©®№¿¡ºª\xa0")

# (encodings, letters that are frequent, letters that are rarer), one line for each language; Latin letters first.
_LATIN = [
    (("cp1252", "cp850", "mac_roman"), "äöüß", "éèàçÄÖÜ"),
    (("cp1252", "cp850", "mac_roman"), "éèàêçîôûâ", "ùœëïÿæÉÈÀÊÇÎÔŒ"),
    (("cp1252", "cp850", "mac_roman"), "áéíóúñü", "ÁÉÍÓÚÑÜç"),
    (("cp1252", "cp850", "mac_roman"), "ãõçáéíóúâêôà", "ÃÕÇÁÉÍÓÚÂÊÔÀü"),
    (("cp1252", "cp850", "mac_roman"), "àèéìòù", "ÀÈÉÌÒÙ"),
    (("cp1252", "cp850", "mac_roman"), "åäöæøé", "ÅÄÖÆØÉü"),
    (("cp1252", "cp850", "mac_roman"), "áéíóúýþæöð", "ÁÉÍÓÚÝÞÆÖÐ"),
    (("cp1250", "iso8859_2", "cp852"), "ąćęłńóśźż", "ĄĆĘŁŃÓŚŹŻ"),
    (("cp1250", "iso8859_2", "cp852"), "áčéěíňóřšťúůýžďľäôĺŕ", "ÁČÉĚÍŇÓŘŠŤÚŮÝŽĎĽ"),
    (("cp1250", "iso8859_2", "cp852"), "áéíóöőúüű", "ÁÉÍÓÖŐÚÜŰ"),
    (("cp1250", "iso8859_2", "cp852"), "čćđšž", "ČĆĐŠŽ"),
    (("cp1250", "iso8859_2", "cp852"), "ăâîşţ", "ĂÂÎŞŢ"),
    (("cp1254", "cp857"), "çğışöü", "ÇĞİŞÖÜâî"),
]
_OTHER = [
    (("cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic"), "оеаинтсрвлкмдпуя", "ыьгзбчйхжшюцщэфъёАБВГДЕКМНОПРСТ"),
    (("cp1251", "koi8_u", "iso8859_5"), "оаниітвреслкудмпязьг", "ибчйхжшюцщфїєґАБВГДЕКМНОПРСТІЇЄ"),
    (("cp1253", "iso8859_7"), "αοιετσνρκπυμλςηίάόέ", "ωδγχθφβξζψήύώϊΑΕΗΙΟΚΠΤΣΝΜΔ"),
]
_KANA = re.compile("[ぁ-ゖァ-ヺー、。]")
_HAN = (
    "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学"
    "对可里后小么心多天而能好都然没日于起还发成事只作当想看文无开手"
)
_TRADITIONAL = (
    "的一是不了人我在有他這中大來上國個到說們為子和你地出道也時年得就那要下以生會自著去之過家學"
    "對可裡後小麼心多天而能好都然沒日於起還發成事只作當想看文無開手"
)
_HANGUL = "이다는을의에가고하지를로은한기사도리있서어나과대자인해수보시들으니스라일전그원게정아제상주장여구부만"


def guess(data: bytes) -> str | None:
    """The encoding of a text that is neither ASCII nor UTF; None where it cannot be told."""
    sample = data[:_SAMPLE]
    best = min(_scores(sample))
    return best[2] if -best[0] >= LEAST else None


def _scores(sample: bytes) -> Iterator[tuple[float, int, str]]:
    """`(-score, rank, encoding)` of every candidate: of equals the more usual one is the less."""
    high = Counter(sample.translate(None, bytes(range(128))))
    beside = len(re.findall(rb"(?<=[A-Za-z])[\x80-\xff]|[\x80-\xff](?=[A-Za-z])", sample))
    is_latin = beside >= 0.3 * high.total()  # a letter with an accent stands beside one without
    for line, (encodings, frequent, rare) in enumerate(_LATIN if is_latin else _OTHER):
        for unusual, encoding in enumerate(encodings):
            yield -_single(high, encoding, frequent, rare), 100 * unusual + line, encoding
    for encoding, score in _double(sample):
        yield -score, 0, encoding


def _single(high: Counter[int], encoding: str, frequent: str, rare: str) -> float:
    """The mean weight of the bytes above ASCII in an encoding of one byte a character."""
    total = 0.0
    for byte, count in high.items():
        try:
            letter = bytes([byte]).decode(encoding)
        except UnicodeDecodeError:
            return 0.0
        if letter in frequent:
            total += count * _FREQUENT_WEIGHT
        elif letter in rare:
            total += count * _RARE_WEIGHT
        elif letter in _SIGNS:
            total += count * _SIGN_WEIGHT
        elif "\x80" <= letter <= "\x9f":
            return 0.0
    return total / high.total()


def _double(sample: bytes) -> Iterator[tuple[str, float]]:
    """The share of frequent characters in the encodings of East Asia, against that which their languages have."""
    for encoding, common, usual in (
        ("cp932", None, 0.4),
        ("euc_jp", None, 0.4),
        ("gb18030", _HAN, 0.2),
        ("big5", _TRADITIONAL, 0.2),
        ("cp949", _HANGUL, 0.35),
    ):
        wide = _decoded(sample, encoding)
        if wide:
            known = sum(map(len, _KANA.findall(wide))) if common is None else sum(map(wide.count, set(common)))
            yield encoding, min(1.0, known / len(wide) / usual)


def _decoded(sample: bytes, encoding: str) -> str:
    """What is not ASCII of a sample, empty if it is not of that encoding; its end may be half a character."""
    for end in _ends(sample):
        try:
            text = sample[:end].decode(encoding)
        except UnicodeDecodeError:
            continue
        return "".join(re.findall(r"[^\x00-\x7f]+", text))
    return ""


def _ends(sample: bytes) -> Sequence[int]:
    return range(len(sample), len(sample) - 4, -1) if len(sample) == _SAMPLE else (len(sample),)
