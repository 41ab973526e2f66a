"""The settings of an installation as `docs/OPERATING.md` shows them, with secrets of this moment."""

import re
import secrets

from core.crypto import CredentialBox, KeyRing
from tests.architecture.house import ROOT

OPERATING = ROOT / "docs" / "OPERATING.md"


def production_settings() -> dict[str, str]:
    """The block of settings in the document; what it leaves to the operator is filled in."""
    text = OPERATING.read_text(encoding="utf-8")
    block = re.search(r"```sh\n# \.env\n(.*?)```", text, re.DOTALL)
    assert block is not None, "docs/OPERATING.md shows no .env"
    made = {
        "FERNET": CredentialBox.new_key(), "AES": KeyRing.new_key(), "VENDOR": secrets.token_hex(16),
        "DATABASE_PASSWORD": secrets.token_hex(16),
    }  # fmt: skip
    lines = (line.split("=", 1) for line in block[1].splitlines() if line and not line.startswith("#"))
    return {
        name: re.sub(r"<([A-Z_]+)>", lambda gap: made.get(gap[1]) or secrets.token_hex(32), value)
        for name, value in lines
    }
