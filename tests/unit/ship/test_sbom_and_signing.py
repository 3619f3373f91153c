"""What bakeoff[ship] brings: a bill of materials, and signatures."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from tests.unit.ship.conftest import seal

from bakeoff.cli import params
from bakeoff.cli.verify import verify
from bakeoff.environments.wheels import Wheels
from bakeoff.errors import PackError, UsageError
from bakeoff.ship.pack.verify import SIGNATURE, changed
from bakeoff.ship.sbom import sbom
from bakeoff.ship.signing import check, sign

pytestmark = pytest.mark.unit


def keys(folder: Path) -> tuple[Path, Path]:
    """The files of a new private key and its public half."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / "key.pem", folder / "key.pub"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    return private, public


def test_a_bill_of_materials_names_the_model_and_each_package_with_its_hash_and_licence() -> None:
    found = Wheels(
        pylock="",
        requirements="",
        licences={},
        hashes={"numpy==1.0": "a" * 64, "torch==2.0+cpu": "b" * 64},
        terms={"numpy==1.0": "BSD-3-Clause AND 0BSD"},
        files=(),
    )
    text = sbom("net", {"model/model.onnx": "c" * 64}, found)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    assert bill["bomFormat"] == "CycloneDX"
    model = bill["metadata"]["component"]
    assert (model["name"], model["components"][0]["hashes"][0]["content"]) == ("net", "c" * 64)
    packages = {each["name"]: each for each in bill["components"]}
    assert packages["torch"]["purl"] == "pkg:pypi/torch@2.0%2Bcpu"
    assert packages["torch"]["hashes"] == [{"alg": "SHA-256", "content": "b" * 64}]
    assert packages["numpy"]["licenses"] == [{"expression": "BSD-3-Clause AND 0BSD"}]


def test_a_signature_holds_for_one_key_and_until_a_file_is_changed(a_pack: Callable[..., Path], tmp_path: Path) -> None:
    pack = a_pack()
    private, public = keys(tmp_path / "ours")
    _, others = keys(tmp_path / "others")
    with pytest.raises(PackError, match=re.escape(f"pack is not signed: it has no {SIGNATURE}")):
        check(pack, public)
    sign(pack, private)
    assert changed(pack) == []
    check(pack, public)
    with pytest.raises(PackError, match=r"pack is not as it was signed with the other half of key\.pub"):
        check(pack, others)
    (pack / "settings.json").write_text("{}")
    seal(pack)
    refused = CliRunner().invoke(verify, [str(pack), "--key", str(public)])
    assert isinstance(refused.exception, PackError)
    assert str(refused.exception).startswith("pack is not as it was signed with the other half of key.pub: ")


def test_what_is_no_key_and_an_extra_that_is_missing_are_one_line(a_pack: Callable[..., Path], tmp_path: Path) -> None:
    pack, key = a_pack(), tmp_path / "key.pem"
    key.write_text("no key")
    with pytest.raises(UsageError, match=r"--sign \S+key\.pem: no private elliptic key"):
        sign(pack, key)
    (pack / SIGNATURE).write_text("{}")
    with pytest.raises(UsageError, match=r"--key \S+key\.pem: no public elliptic key"):
        check(pack, key)
    with pytest.raises(UsageError, match="--sign: no-such is not installed"):
        params.needs_extra("--sign", "no_such")
