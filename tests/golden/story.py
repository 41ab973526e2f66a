"""What a history is recorded of."""

from collections.abc import Awaitable, Callable

from tests.support.house import House
from tests.support.money_in import MoneyDesk

# Lives through one path of a saga in a new house; returns its workflow id.
Story = Callable[[House, MoneyDesk], Awaitable[str]]
