"""Code pages of scripts other than Latin: which of them give words of their script, even of a text of one line."""

import re
from collections.abc import Mapping

_WORD = re.compile(r"[^\W\d_]+")

# What is common in a text of the code page: its alphabet, or, of thousands of characters, those of the first level,
# which the standard itself put first because they are the frequent ones (GB/T 2312, JIS X 0208, Big5, KS X 1001).
_KANA = "\u3041-\u3096\u30a1-\u30fc\u3005"
SCRIPTS: Mapping[str, str] = {
    "cp1251": "\u0410-\u044f\u0401\u0451\u0404\u0406\u0407\u0454\u0456\u0457\u2116",
    "koi8_r": "\u0410-\u044f\u0401\u0451",
    "cp1253": "\u0386-\u03ce",
    "cp1255": "\u05d0-\u05ea",
    "cp1256": "\u0621-\u064a",
    "gb18030": "",
    "big5": "",
    "shift_jis": _KANA,
    "euc_jp": _KANA,
    "euc_kr": "",
}
_LEVEL_ONE: Mapping[str, tuple[str, int, int]] = {
    "gb18030": ("gb2312", 0xB0A1, 0xD7F9),
    "big5": ("big5", 0xA440, 0xC67E),
    "shift_jis": ("shift_jis", 0x889F, 0x9872),
    "euc_jp": ("shift_jis", 0x889F, 0x9872),
    "euc_kr": ("euc_kr", 0xB0A1, 0xC8FE),
}
_PUNCTUATION = "\u3000-\u3002\u300c\u300d\uff01-\uff5e\u30fb\u00b7\u2014\u2013\u00ab\u00bb\u00a0"
# The ten letters that make up more than half of a text, by the alphabet's main language.
_FREQUENT = {
    "cp1251": "оеаинтсрвл",
    "koi8_r": "оеаинтсрвл",
    "cp1253": "αοιετσνηυρ",
    "cp1255": "יוהלאתרמבש",
    "cp1256": "اليمونرتبة",
}
# Below it a text is not in the code page.
_ENOUGH = 0.8
_MOSTLY = 0.5


def other_scripts(sample: bytes) -> list[str]:
    """The code pages in which a text reads best, none where it reads well in none of them."""
    shares = {name: _share(sample, name) for name in SCRIPTS}
    best = max(shares.values())
    likely = [name for name, share in shares.items() if share == best] if best >= _ENOUGH else []
    # Letters of one alphabet are letters of another too, and pairs of them are characters, but not the frequent ones.
    written = {name: _frequent(sample, name) for name in likely if name in _FREQUENT}
    return [max(written, key=written.__getitem__)] if max(written.values(), default=0) >= _MOSTLY else likely


def _share(sample: bytes, name: str) -> float:
    """How much of what is beyond ASCII is common in the code page's script, and written as words are."""
    try:
        text = sample.decode(name)
    except UnicodeDecodeError:
        return 0.0
    beyond = [character for character in text if not character.isascii()]
    letters = re.compile(f"[{SCRIPTS[name]}{_PUNCTUATION}]")
    common = sum(bool(letters.match(each)) or _is_of_level_one(each, name) for each in beyond)
    words: list[str] = [word for word in _WORD.findall(text) if not word.isascii()]
    natural = sum(word.isupper() or not word[1:] or word[1:] == word[1:].lower() for word in words)
    return common / max(len(beyond), 1) * natural / max(len(words), 1)


def _frequent(sample: bytes, name: str) -> float:
    beyond = [character for character in sample.decode(name).lower() if not character.isascii()]
    return sum(character in _FREQUENT[name] for character in beyond) / len(beyond)


def _is_of_level_one(character: str, name: str) -> bool:
    if name not in _LEVEL_ONE:
        return False
    encoding, first, last = _LEVEL_ONE[name]
    try:
        return first <= int.from_bytes(character.encode(encoding)) <= last
    except UnicodeEncodeError:
        return False
