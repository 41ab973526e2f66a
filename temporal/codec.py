"""Seals every payload that Temporal stores or shows: inputs, results, messages, summaries, error texts.

Search attributes, ids, type names and `ApplicationError.type` stay in clear, so nothing personal may go there.
"""

from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from core.crypto import KeyRing

ENCODING = b"binary/kivuko-aes-gcm"
_KEY_ID = "kivuko-key-id"


class AesGcmCodec(PayloadCodec):
    """AES-256-GCM over the whole payload; the key's id travels in clear beside it, so that old keys can still open."""

    def __init__(self, key_ring: KeyRing) -> None:
        self._ring = key_ring

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        active = self._ring.active
        return [
            Payload(
                metadata={"encoding": ENCODING, _KEY_ID: active.encode()},
                data=self._ring.seal(payload.SerializeToString()),
            )
            for payload in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """What this codec did not encode comes back untouched. NotAllowed for an unknown key or changed bytes."""
        return [self._open(one) if one.metadata.get("encoding") == ENCODING else one for one in payloads]

    def _open(self, payload: Payload) -> Payload:
        key_id = payload.metadata.get(_KEY_ID, b"").decode(errors="replace")
        return Payload.FromString(self._ring.open(key_id, payload.data))
