"""Which addresses a test's provider clients may call: those of this machine."""

from typing import Final

from core.addresses import DiallingRules

LOOPBACK: Final = DiallingRules(loopback=True, insecure=True)
