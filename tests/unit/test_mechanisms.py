"""The list of mechanisms that can be deleted keeps up with the code."""

from pathlib import Path

import pytest
from benchmarks.mechanisms import MECHANISMS, ROOT, Mechanism, delete

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda mechanism: mechanism.name)
def test_a_mechanism_and_its_tests_are_where_the_list_says(mechanism: Mechanism, tmp_path: Path) -> None:
    source = ROOT / "src" / "bakeoff" / mechanism.file
    copy = tmp_path / "src" / "bakeoff" / mechanism.file
    copy.parent.mkdir(parents=True)
    copy.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    delete(mechanism, tmp_path)
    compile(copy.read_text(encoding="utf-8"), mechanism.file, "exec")
    for test in mechanism.tests:
        assert not test.startswith("tests/") or (ROOT / test).is_file()
