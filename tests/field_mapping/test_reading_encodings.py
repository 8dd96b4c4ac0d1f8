"""Encodings: found from the bytes, and refused at the byte that fits none."""

from pathlib import Path

import pytest

from services.field_mapping.reading import FileRejected, read_tables

TEXT = "Größe;Ort\nwéb01;Zürich\ndb01;Malmö\n"


def names_and_rows(folder: Path, content: bytes) -> tuple[list[str], list[tuple[object, ...]]]:
    path = folder / "stored"
    path.write_bytes(content)
    (table,) = read_tables(path, "export.csv")
    return table.frame.columns[1:], table.frame.drop("_row").rows()


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1", "cp850"]
)
def test_western_text_is_read_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    expected = ["Größe", "Ort"], [("wéb01", "Zürich"), ("db01", "Malmö")]
    assert names_and_rows(tmp_path, TEXT.encode(encoding)) == expected


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1250", "Nazwa,Właściciel,Miasto\nsrv1,Łukasz Żak,Łódź\nsrv2,Zażółć gęślą jaźń,Kraków\n"),
        ("cp1254", "Adı,Sahibi,Şehir\nsunucu,Ayşe Yılmaz,İstanbul\nweb,Çağrı Işık,Eskişehir\n"),
        ("cp1251", "Имя,Владелец\nсервер баз данных,Иванов Иван\nпочтовый сервер,Пётр Петров\n"),
        ("shift_jis", "名前,場所\nサーバー,東京データセンター\nデータベース,大阪\n"),
        ("gb18030", "名称,位置\n服务器,北京数据中心\n数据库,上海市\n"),
    ],
)
def test_other_scripts_are_read_in_their_own_encoding(tmp_path: Path, encoding: str, text: str) -> None:
    names, rows = names_and_rows(tmp_path, text.encode(encoding))
    lines = [tuple(line.split(",")) for line in text.splitlines()]
    assert (tuple(names), rows) == (lines[0], lines[1:])


@pytest.mark.parametrize(
    ("encoding", "word"),
    [
        ("cp1250", "Środowisko"),
        ("cp1252", "Hôte"),
        ("cp1252", "José"),
        ("cp1254", "Işıl Çağ"),
        ("cp1251", "Иванов"),
        ("koi8_r", "Иванов"),
        ("koi8_r", "среда,тест"),
        ("koi8_r", "Операционная система"),
        ("cp1251", "СЕРВЕР"),
        ("cp1253", "Διακομιστής"),
        ("cp1255", "שרת"),
        ("cp1256", "الخادم"),
        ("gb18030", "王小明"),
        ("big5", "伺服器"),
        ("shift_jis", "田中"),
    ],
)
def test_one_foreign_word_tells_the_encoding(tmp_path: Path, encoding: str, word: str) -> None:
    text = f"host,owner,more\nweb01,{word},x\n"
    assert names_and_rows(tmp_path, text.encode(encoding))[1][0][:2] == ("web01", word.split(",")[0])


def test_typographic_marks_of_windows_are_read(tmp_path: Path) -> None:
    assert names_and_rows(tmp_path, "name,cost\nweb “old”,€ 100\n".encode("cp1252")) == (
        ["name", "cost"],
        [("web “old”", "€ 100")],
    )


def test_one_letter_late_in_a_large_file_decides_too(tmp_path: Path) -> None:
    content = b"name,owner\n" + b"web01,Ann\n" * 300_000 + "web02,José\n".encode("cp1252")
    assert names_and_rows(tmp_path, content)[1][-1] == ("web02", "José")


def test_a_letter_torn_by_a_chunk_border_is_whole_again(tmp_path: Path) -> None:
    row = "wéb01,Zürich\n".encode()
    content = b"name,city\n" + row * (2_200_000 // len(row))
    assert set(names_and_rows(tmp_path, content)[1]) == {("wéb01", "Zürich")}
    wide = content.decode().encode("utf-16-be")
    assert set(names_and_rows(tmp_path, b"\xfe\xff" + wide)[1]) == {("wéb01", "Zürich")}


def test_utf_8_with_a_foreign_byte_is_refused_at_its_place(tmp_path: Path) -> None:
    content = TEXT.encode() + b"srv\xe9;Oslo\n"
    path = tmp_path / "stored"
    path.write_bytes(content)
    with pytest.raises(FileRejected) as caught:
        read_tables(path, "export.csv")
    problem = caught.value.problem
    assert (problem.code, problem.row) == ("unreadable_encoding", 4)
    assert f"Byte {content.index(0xE9)} " in problem.detail
    assert "0xE9" in problem.detail


def test_the_place_is_counted_across_chunks(tmp_path: Path) -> None:
    content = b"name,city\n" + "wéb01,Zürich\n".encode() * 150_000 + b"srv\xe9,Oslo\n"
    path = tmp_path / "stored"
    path.write_bytes(content)
    with pytest.raises(FileRejected) as caught:
        read_tables(path, "export.csv")
    assert caught.value.problem.row == 150_002
    assert f"Byte {content.index(0xE9, len(content) - 20):,} " in caught.value.problem.detail


def test_utf_16_cut_in_the_middle_of_a_letter_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_bytes(TEXT.encode("utf-16")[:-1])
    with pytest.raises(FileRejected) as caught:
        read_tables(path, "export.csv")
    assert (caught.value.problem.code, caught.value.problem.row) == ("unreadable_encoding", 3)


@pytest.mark.parametrize("name", ["Şişli ığdır", "İstanbul", "Łódź"])
def test_one_name_is_enough_to_tell_code_pages_of_latin_letters_apart(tmp_path: Path, name: str) -> None:
    encoding = "cp1254" if name[0] in "Şİ" else "cp1250"
    text = f"server;ort\nweb01;{name}\nweb02;Berlin\n"
    assert names_and_rows(tmp_path, text.encode(encoding))[1] == [("web01", name), ("web02", "Berlin")]


def test_text_of_an_old_macintosh_is_read(tmp_path: Path) -> None:
    assert names_and_rows(tmp_path, TEXT.encode("mac_roman"))[1] == [("wéb01", "Zürich"), ("db01", "Malmö")]
