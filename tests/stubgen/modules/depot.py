"""A depot, whose types are in a stub file."""

DEPTH = 3


class Depot:
    def __init__(self, size, **options):
        self.size = size

    def put(self, item, count=1):
        return count

    def take(self, item):
        return [item]

    @property
    def full(self):
        return False

    @full.setter
    def full(self, full):
        pass

    def copy(self):
        return Depot(self.size)

    @classmethod
    def of(cls, size):
        return cls(size)


def open_depot(path, mode='r'):
    return Depot(1)
