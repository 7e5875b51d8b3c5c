"""Sets that grow together."""

from collections.abc import Hashable
from typing import Generic, TypeVar

_Item = TypeVar("_Item", bound=Hashable)


class Groups(Generic[_Item]):
    """Items that belong together, directly or through others: a disjoint-set forest."""

    def __init__(self) -> None:
        """Begins with every item on its own."""
        self._parents: dict[_Item, _Item] = {}

    def root(self, item: _Item) -> _Item:
        """Returns the item that stands for the group of this one."""
        while (parent := self._parents.setdefault(item, item)) != item:
            self._parents[item] = self._parents[parent]
            item = parent
        return item

    def join(self, one: _Item, other: _Item) -> None:
        """Makes one group of the groups of two items."""
        self._parents[self.root(other)] = self.root(one)

    def members(self) -> list[list[_Item]]:
        """Returns the groups of all items that were seen."""
        groups: dict[_Item, list[_Item]] = {}
        for item in self._parents:
            groups.setdefault(self.root(item), []).append(item)
        return list(groups.values())
