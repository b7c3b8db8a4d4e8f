"""The entry point for Streamlit Community Cloud, and what is installed for it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_entry_point_draws_the_same_home(pages):
    page = pages.open("cloud/app.py")
    assert not page.exception
    assert any("playground for generative AI" in item.value for item in page.markdown)
    assert "**Text**" in [link.proto.label for link in page.get("page_link")]


def test_its_requirements_are_those_of_the_root_with_the_small_wheel_of_the_same_version():
    lines = (ROOT / "cloud/requirements.txt").read_text().splitlines()
    assert "-r ../requirements.txt" in lines
    pinned = re.search(r"^torch==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE).group(1)
    found = {}
    for line in lines:
        if line.startswith("torch @"):
            version, tag, python = re.fullmatch(
                r"torch @ \S+/torch-(\S+)%2Bcpu-cp(\d+)-cp\2-\S+\.whl ; python_version == \"([\d.]+)\"", line
            ).groups()
            assert python.replace(".", "") == tag
            found[python] = version
    assert found == dict.fromkeys(("3.11", "3.12", "3.13"), pinned)
