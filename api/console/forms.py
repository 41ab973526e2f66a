"""What forms bring: bounded texts that the database can keep. Unknown fields are refused."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from core.passwords import LONGEST

ShortText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[^\x00-\x1f\x7f]*$")]
# Blanks count in a password. One that is a little too long is told so, and not cut off.
PasswordText = Annotated[str, StringConstraints(max_length=LONGEST + 100, pattern=r"^[^\x00]*$")]
CodeText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20, pattern=r"^[0-9 ]*$")]


class ConsoleForm(BaseModel):
    """`csrf` is the session's own secret, which `visitors.acting` has looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    csrf: str = ""
