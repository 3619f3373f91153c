"""A pack's bill of materials in CycloneDX's JSON: the model, and each package with its hash and licence.

By cyclonedx-python-lib, which bakeoff[ship] has.
"""

from collections.abc import Mapping

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from bakeoff.environments.wheels import Wheels


def sbom(name: str, model: Mapping[str, str], found: Wheels) -> str:
    """The bill of materials of the model called `name`, whose files have the digests `model`, in an environment."""
    files = [Component(type=ComponentType.FILE, name=file, hashes=[_sha256(digest)]) for file, digest in model.items()]
    bom = Bom()
    bom.metadata.component = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL, name=name, bom_ref="model", components=files
    )
    packages = [_package(pin, digest, found.terms.get(pin, "")) for pin, digest in found.hashes.items()]
    bom.components.update(packages)
    bom.register_dependency(bom.metadata.component, packages)
    return str(JsonV1Dot6(bom).output_as_string(indent=2))


def _package(pin: str, digest: str, terms: str) -> Component:
    name, _, version = pin.partition("==")
    purl = PackageURL("pypi", None, name, version)
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        purl=purl,
        bom_ref=str(purl),
        hashes=[_sha256(digest)],
        licenses=[LicenseFactory().make_from_string(terms)] if terms else [],
    )


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)
