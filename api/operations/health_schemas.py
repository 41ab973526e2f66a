"""Health, and the payload codec of the Temporal UI."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.http.values import Out, example


class Alive(Out):
    """The process answers."""

    model_config = example(status="ok")

    status: Literal["ok"] = "ok"


class Ready(Out):
    """Whether this process can work, which its database decides, and whether Temporal can be reached."""

    model_config = example(status="ok", database="ok", temporal="ok")

    status: Literal["ok", "unavailable"]
    database: Literal["ok", "unavailable"]
    temporal: Literal["ok", "unavailable"]


class Payloads(BaseModel):
    """Temporal's `Payloads` in protobuf JSON: metadata values and data in base64. Other fields pass through."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "e30="}]}]
        },
    )

    payloads: list[dict[str, Any]] = Field(default=[], max_length=1000)
