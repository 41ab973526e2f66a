"""How our values travel through Temporal: pydantic models as JSON, sealed, error texts and stack traces sealed too."""

from dataclasses import replace

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes

from core.crypto import KeyRing
from temporal.codec import AesGcmCodec


def data_converter(key_ring: KeyRing) -> DataConverter:
    """One converter for clients, workers, replayers and tests: they must agree, or they cannot read each other."""
    return replace(
        pydantic_data_converter,
        payload_codec=AesGcmCodec(key_ring),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
