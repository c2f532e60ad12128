"""A shop, with annotations."""

import datetime
import typing
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple, Union

__all__ = ['Order', 'Shop', 'Point', 'total', 'rate', 'shuffled']

T = typing.TypeVar('T')
Prices = Dict[str, float]
rate = 7
hidden = object()


class Point(NamedTuple):
    x: int
    y: int = 0


class Order:
    """One order [of a shop]."""

    count: int = 1
    note: 'Optional[str]' = None

    def __init__(self, name: str, count: int = 1, *, note: Optional[str] = None):
        self.name, self.count, self.note = name, count, note

    @property
    def type(self) -> str:
        """What is ordered."""
        return self.name

    @property
    def size(self) -> int:
        return self.count

    @size.setter
    def size(self, size: int) -> None:
        self.count = size

    @classmethod
    def parse(cls, text: str) -> 'Order':
        return cls(*text.split(':')[:1])

    @staticmethod
    def is_name(text: str) -> bool:
        return text.isalpha()

    def self(self, self_: int = 0, **crate: int) -> 'Order':
        return self


class Shop:
    def __init__(self, orders: List[Order] = []):  # noqa: B006
        self.orders = list(orders)

    def add(self, order: Order, *more: Order) -> 'Shop':
        self.orders += [order, *more]
        return self

    def each(self) -> Iterator[Order]:
        yield from self.orders

    def generated(self, step):
        yield step

    def find(self, name: str, default: Optional[Order] = None) -> Optional[Order]:
        return next((order for order in self.orders if order.name == name), default)

    def prices(self, prices: Prices, rate: float = 1.0) -> Prices:
        return {name: price * rate for name, price in prices.items()}

    def names(self) -> Set[str]:
        return {order.name for order in self.orders}

    def pair(self, point: Tuple[int, str], when: datetime.date) -> Tuple[str, datetime.date]:
        return point[1], when

    def many(self, what: Union[int, str], how: Callable[[int], int], anything: Any, untyped=1) -> T:
        return what

    async def later(self, seconds: float = 0.0) -> bytes:
        return b'late'

    def a_method_with_a_long_name(self, first_parameter: int, second_parameter: str = '') -> None:
        pass

    def _private(self): ...


def total(orders: List[Order]) -> int:
    return sum(order.count for order in orders)


def shuffled(values, seed=None):
    return sorted(values)
