"""The address of a lender's hook, as callers read it."""

from api.http.values import Out, example


class HookAddress(Out):
    """Where the lender's Fineract sends its events. The address is a secret."""

    model_config = example(
        url="https://kivuko.example/cb/hooks/4f1c…/", events=[{"entity": "LOAN", "action": "APPROVE"}]
    )

    url: str
    events: list[dict[str, str]]
