"""Which encoding a text file has, and the same text as UTF-8."""

import codecs
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from charset_normalizer import from_bytes

from services.field_mapping.file_format import HEAD_BYTES, zero_parity
from services.field_mapping.read_table import reject

CHUNK_BYTES = 1 << 20
_SAMPLE_BYTES = 64 * 1024
_HIGH = re.compile(rb"[\x80-\xff]")
_UTF8_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")

# Letters beyond ASCII that the languages written in a code page use; shared bytes mean the same in all of them.
_WESTERN = "äöüßÄÖÜàâçéèêëîïôùûœæÀÂÇÉÈÊÎÔÛáíóúñÁÍÓÚÑãõÃÕåøÅØìòÌÒ¿¡ºªý€£§°µ®©™«»·–—‘’‚“”„…•²³½¼ \xa0"
_CENTRAL = "ąćęłńóśźżĄĆĘŁŃÓŚŹŻáčďéěíňřšťúůýžÁČĎÉĚÍŇŘŠŤÚŮÝŽäöüőűÄÖÜŐŰßăâîşţĂÂÎŞŢđĐľĽĺŕôÔ€§°®©™«»·–—‘’‚“”„… \xa0"
_TURKISH = "çğıöşüÇĞİÖŞÜâîûÂÎ€§°®©™«»·–—‘’‚“”„… \xa0"
_LATIN = (("cp1252", _WESTERN), ("cp1250", _CENTRAL), ("cp1254", _TURKISH))
_OTHER_SCRIPTS = ["cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"]
_OEM = "cp850"
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
    latin = [(name, text, letters) for name, letters in _LATIN if (text := _decoded(sample, name)) is not None]
    if latin and not _is_foreign(latin[0][1]):
        return max(latin, key=lambda item: _share_of(item[1], item[2]))[0]
    best = from_bytes(sample, cp_isolation=_OTHER_SCRIPTS).best()
    if best is not None and _decoded(sample, best.encoding) is not None:
        return str(best.encoding)
    if not latin and _decoded(sample, _OEM) is not None and b"\x00" not in sample:
        return _OEM
    return latin[0][0] if latin else "cp1252"


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
