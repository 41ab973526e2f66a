"""What an activity class offers is what its decorators say."""

import pytest
from temporalio import activity

from activities.registry import activities_of


class Base:
    @activity.defn(name="sample.inherited")
    async def inherited(self, number: int) -> int:
        return number + 1


class Sample(Base):
    @activity.defn(name="sample.own")
    async def own(self, number: int) -> int:
        return number

    async def helper(self) -> None:
        """No activity."""


async def test_decorated_methods_are_found_and_bound_and_others_are_not() -> None:
    sample = Sample()
    found = activities_of(sample)
    assert found == [sample.inherited, sample.own]
    assert [await method(1) for method in found] == [2, 1]


def test_an_object_without_activities_is_a_mistake() -> None:
    with pytest.raises(TypeError):
        activities_of(object())
