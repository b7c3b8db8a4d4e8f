"""The encoding of a file is found, or it is said what is wrong."""

import pytest

from models import encodings
from models.errors import BadInput

TEXT = (
    "Où est le château ? L'été dernier, les élèves étaient à la forêt, près de la rivière gelée. Ça va très bien.\n" * 3
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_a_text_is_read_whatever_its_encoding(encoding):
    text, told = encodings.decode(TEXT.encode(encoding))
    assert text == TEXT
    assert told == "utf-8" if encoding.startswith("utf-8") else told != "utf-8"


@pytest.mark.parametrize("data", [b"a\0b", b"\xff\xfea", b"\xef\xbb\xbf\xff", bytes(range(256))])
def test_what_is_no_text_is_a_sentence(data):
    with pytest.raises(BadInput, match="null bytes|encoding of the file is unknown"):
        encodings.decode(data)
