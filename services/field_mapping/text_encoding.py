"""Which encoding a text file has, and the same text as UTF-8."""

import codecs
import re
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from charset_normalizer import from_bytes

from services.field_mapping.file_format import HEAD_BYTES, zero_parity
from services.field_mapping.read_table import reject
from services.field_mapping.written_scripts import SCRIPTS, other_scripts

CHUNK_BYTES = 1 << 20
_SAMPLE_BYTES = 64 * 1024
_HIGH = re.compile(rb"[\x80-\xff]")
_UTF8_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")

# Letters beyond ASCII by code page and language; a text is written in one language, perhaps with a name from another.
_SIGNS = "¿¡ºªý€£§°µ®©™«»·–—‘’‚“”„…•†²³½¼¹ \xa0"
_WESTERN = "äöüßÄÖÜàâçéèêëîïôùûœæÀÂÇÉÈÊÎÔÛáíóúñÁÍÓÚÑãõÃÕåøÅØìòÌÒ" + _SIGNS
_GERMAN = "äöüßÄÖÜ"
_LATIN = (
    ("cp1252", _WESTERN),
    ("cp1254", "çğıöşüÇĞİÖŞÜâîûÂÎÛ" + _SIGNS),
    ("cp1250", "ąćęłńóśźżĄĆĘŁŃÓŚŹŻ" + _GERMAN + _SIGNS),
    ("cp1250", "áčďéěíňóřšťúůýžÁČĎÉĚÍŇÓŘŠŤÚŮÝŽľĽĺŕôÔ" + _GERMAN + _SIGNS),
    ("cp1250", "áéíóöőúüűÁÉÍÓÖŐÚÜŰ" + _GERMAN + _SIGNS),
    ("cp1250", "ăâîşţĂÂÎŞŢ" + _GERMAN + _SIGNS),
    ("cp1250", "čćđšžČĆĐŠŽ" + _GERMAN + _SIGNS),
)
# Code pages older than those of Windows give a letter to every byte, so whole words have to look right.
_OLD = tuple((name, "äöüßÄÖÜàâçéèêëîïôùûáíóúñåøÉ") for name in ("cp850", "mac_roman"))
_WORD = re.compile(r"[^\W\d_]+")
_NATURAL = 0.9
# Below this share of letters of its language a text is in another code page.
_ENOUGH = 0.85
# Text whose every byte beyond ASCII is a sign, which two bytes of another script may be, too.
_SIGNS_ONLY = re.compile(rf"[\x00-\x7f{_SIGNS}]*")
# Latin text has single accented letters between plain ones; another script read as Latin has runs of them.
_FOREIGN_RUN = re.compile(r"[^\x00-\xa0\W]{3,}")


def to_utf8(path: Path, folder: Path, file_name: str) -> Path:
    """The file itself when it is UTF-8, else a transcoded copy in `folder`.

    Raises `FileRejected` with `unreadable_encoding`, naming byte and row, when no encoding fits the whole file.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    marked = _encoding_by_mark(head)
    if marked == "utf-8" and _is_utf8(path):
        return path
    encoding = marked if marked != "utf-8" else _guess_encoding(path, file_name)
    target = folder / "utf8.txt"
    with target.open("w", encoding="utf-8", newline="") as file:
        for text in _decode(path, encoding, file_name):
            file.write(text)
    return target


def _encoding_by_mark(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    parity = zero_parity(head)
    if parity is None:
        return "utf-8"
    return "utf-16-be" if parity == 0 else "utf-16-le"


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while chunk := file.read(CHUNK_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _guess_encoding(path: Path, file_name: str) -> str:
    sample = _sample(path)
    sequences = _UTF8_SEQUENCE.findall(sample)
    in_sequences = sum(map(len, sequences))
    if in_sequences > len(_HIGH.findall(sample)) - in_sequences:
        # The text is UTF-8 but for a few bytes; another encoding would garble all the rest without a word.
        deque(_decode(path, "utf-8", file_name), maxlen=0)
    fitting = _fitting(sample, _LATIN)
    likely = other_scripts(sample) if fitting is None or _SIGNS_ONLY.fullmatch(sample.decode(fitting)) else []
    if fitting is not None and not likely:
        return fitting
    old = _fitting(sample, _OLD)
    if old is not None and _has_natural_words(sample.decode(old)):
        return old
    if len(likely) == 1:
        return likely[0]
    best = from_bytes(sample, cp_isolation=likely or list(SCRIPTS)).best()
    return str(best.encoding) if best is not None and _decoded(sample, best.encoding) is not None else "cp1252"


def _fitting(sample: bytes, pages: Sequence[tuple[str, str]]) -> str | None:
    """The code page of the language whose letters the sample has, if any."""
    read = [(name, text, letters) for name, letters in pages if (text := _decoded(sample, name)) is not None]
    if not read or _is_foreign(read[0][1]):
        return None
    share, name = max(((_share_of(text, letters), name) for name, text, letters in read), key=lambda found: found[0])
    return name if share >= _ENOUGH else None


def _has_natural_words(text: str) -> bool:
    words: list[str] = [word for word in _WORD.findall(text) if not word.isascii()]
    natural = sum(word.isupper() or word[1:].islower() for word in words)
    return natural >= _NATURAL * len(words)


def _sample(path: Path) -> bytes:
    """Lines that have bytes beyond ASCII, from the whole file, about 64 KB of them."""
    found: list[bytes] = []
    size = 0
    with path.open("rb") as file:
        while size < _SAMPLE_BYTES and (line := file.readline(_SAMPLE_BYTES)):
            if not line.isascii():
                found.append(line)
                size += len(line)
    return b"".join(found)


def _decoded(sample: bytes, encoding: str) -> str | None:
    try:
        return sample.decode(encoding)
    except UnicodeDecodeError:
        return None


def _is_foreign(text: str) -> bool:
    beyond = sum(not character.isascii() for character in text)
    return sum(map(len, _FOREIGN_RUN.findall(text))) * 2 > beyond


def _share_of(text: str, letters: str) -> float:
    beyond = [character for character in text if not character.isascii()]
    return sum(character in letters for character in beyond) / max(len(beyond), 1)


def _decode(path: Path, encoding: str, file_name: str) -> Iterator[str]:
    """The text of the file, chunk by chunk; raises `FileRejected` at the first byte that does not fit."""
    decoder = codecs.getincrementaldecoder(encoding)()
    done, rows = 0, 1
    with path.open("rb") as source:
        while True:
            chunk = source.read(CHUNK_BYTES)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                row = rows + error.object[: error.start].decode(encoding, errors="ignore").count("\n")
                byte, offset = error.object[error.start], done - pending + error.start
                reject(
                    "unreadable_encoding",
                    file_name,
                    f"Byte {offset:,} of the file (0x{byte:02X}, in row {row:,}) is not valid {encoding.upper()} text. "
                    "Save the file again as UTF-8 (in Excel: 'CSV UTF-8') and upload that.",
                    row=row,
                )
            rows += text.count("\n")
            done += len(chunk)
            yield text
            if not chunk:
                return
