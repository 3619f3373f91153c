"""Signs packs and checks their signatures, by model-signing (OpenSSF), which bakeoff[ship] has.

A signature is of every file of a pack, the manifest too; the keys are elliptic, in PEM files.
"""

from pathlib import Path

from model_signing import hashing, signing, verifying

from bakeoff.errors import PackError, UsageError
from bakeoff.ship.pack.verify import SIGNATURE


def sign(pack: Path, key: Path) -> None:
    """Put the signature by the private `key` into `pack`. Raises `UsageError` where it is no such key."""
    signature = pack / SIGNATURE
    try:
        signer = signing.Config().use_elliptic_key_signer(private_key=key)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"--sign {key}: no private elliptic key without a password: {error}") from error
    signer.set_hashing_config(hashing.Config().set_ignored_paths(paths=[signature])).sign(pack, signature)


def check(pack: Path, key: Path) -> None:
    """Raise `PackError` unless `pack` is signed by the private half of `key`; `UsageError` where that is no key."""
    signature = pack / SIGNATURE
    if not signature.is_file():
        raise PackError(f"{pack.name} is not signed: it has no {SIGNATURE}")
    try:
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=key)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"--key {key}: no public elliptic key: {error}") from error
    # What is in no manifest, verify.py finds.
    verifier.set_ignore_unsigned_files(True)
    try:
        verifier.verify(pack, signature)
    except Exception as error:  # its classes of errors are those of whatever finds the fault
        why = str(error).partition(":")[0]  # what follows are digests in bytes
        raise PackError(f"{pack.name} is not as it was signed with the other half of {key.name}: {why}") from error
