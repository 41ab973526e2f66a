"""What Temporal stores of us is sealed: values, messages, error texts. Keys rotate without losing what they sealed."""

import uuid

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from core.crypto import KeyRing
from core.errors import NotAllowed
from core.settings import Settings
from temporal.client import connect, connection_config
from temporal.codec import ENCODING, AesGcmCodec
from temporal.converter import data_converter
from tests.support.sample_workflows import Customer, Greets, Refuses

MARKER = "Wanjiku-254700000001"


async def test_no_plain_text_reaches_the_history_and_both_ends_read_it(
    temporal_env: WorkflowEnvironment, temporal_client: Client
) -> None:
    queue = f"queue-{uuid.uuid4()}"
    async with Worker(temporal_client, task_queue=queue, workflows=[Greets]):
        handle = await temporal_client.start_workflow(
            Greets.run, Customer(name=MARKER), id=f"greets/{uuid.uuid4()}", task_queue=queue, static_summary=MARKER
        )
        assert await handle.result() == Customer(name=f"hello {MARKER}")
    raw = await Client.connect(temporal_client.service_client.config.target_host)
    history = await raw.get_workflow_handle(handle.id).fetch_history()
    first = next(e for e in history.events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
    (argument,) = first.workflow_execution_started_event_attributes.input.payloads
    assert argument.metadata["encoding"] == ENCODING
    wire = b"".join(event.SerializeToString() for event in history.events)
    assert MARKER.encode() not in wire


async def test_error_texts_and_stack_traces_are_sealed_too(temporal_client: Client) -> None:
    queue = f"queue-{uuid.uuid4()}"
    async with Worker(temporal_client, task_queue=queue, workflows=[Refuses]):
        handle = await temporal_client.start_workflow(
            Refuses.run, Customer(name=MARKER), id=f"refuses/{uuid.uuid4()}", task_queue=queue
        )
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.message == f"no loan for {MARKER}"
    raw = await Client.connect(temporal_client.service_client.config.target_host)
    history = await raw.get_workflow_handle(handle.id).fetch_history()
    wire = b"".join(event.SerializeToString() for event in history.events)
    assert MARKER.encode() not in wire
    assert b"Traceback" not in wire
    assert b"sample_workflows" not in wire


async def test_after_a_rotation_old_payloads_still_open_and_new_ones_use_the_new_key() -> None:
    old, new = KeyRing.new_key(), KeyRing.new_key()
    before = AesGcmCodec(KeyRing({"2025": old}, "2025"))
    after = AesGcmCodec(KeyRing({"2025": old, "2026": new}, "2026"))
    plain = Payload(metadata={"encoding": b"json/plain", "messageType": b"X"}, data=b'{"a":1}')
    sealed_before = await before.encode([plain])
    sealed_after = await after.encode([plain])
    assert await after.decode([*sealed_before, *sealed_after]) == [plain, plain]
    with pytest.raises(NotAllowed, match="2026"):
        await before.decode(sealed_after)


async def test_a_payload_that_the_codec_did_not_seal_comes_back_untouched() -> None:
    codec = AesGcmCodec(KeyRing({"k": KeyRing.new_key()}, "k"))
    foreign = Payload(metadata={"encoding": b"json/plain"}, data=b'"scheduler"')
    assert await codec.decode([foreign]) == [foreign]


async def test_changed_bytes_are_refused() -> None:
    codec = AesGcmCodec(KeyRing({"k": KeyRing.new_key()}, "k"))
    (sealed,) = await codec.encode([Payload(data=b"pay 100")])
    sealed.data = sealed.data[:-1] + bytes([sealed.data[-1] ^ 1])
    with pytest.raises(NotAllowed):
        await codec.decode([sealed])


async def test_one_value_sealed_twice_gives_two_ciphertexts() -> None:
    codec = AesGcmCodec(KeyRing({"k": KeyRing.new_key()}, "k"))
    first, second = await codec.encode([Payload(data=b"same"), Payload(data=b"same")])
    assert first.data != second.data


def test_temporals_own_configuration_wins_over_the_local_address(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY", "TEMPORAL_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert connection_config(settings) == {"target_host": "127.0.0.1:7233", "namespace": "default"}
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.example:7233")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "payments")
    assert connection_config(settings) == {"target_host": "temporal.example:7233", "namespace": "payments"}


async def test_connect_seals_with_the_keys_of_the_settings(settings: Settings, temporal_client: Client) -> None:
    client = await connect(settings, target_host=temporal_client.service_client.config.target_host)
    codec = client.data_converter.payload_codec
    assert isinstance(codec, AesGcmCodec)
    sealed = await client.data_converter.encode([Customer(name=MARKER)])
    assert await temporal_client.data_converter.decode(sealed, [Customer]) == [Customer(name=MARKER)]
    other: DataConverter = data_converter(KeyRing({"test-1": KeyRing.new_key()}, "test-1"))
    with pytest.raises(NotAllowed):
        await other.decode(sealed, [Customer])
