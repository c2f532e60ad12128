"""Compares an object with what the trait of a typed proxy declares."""

import inspect


def check(target, how, members):
    """What does not fit, and what could not be compared."""
    wrong, unchecked = [], []
    for member in members:
        verdict = check_member(target, how, member)
        if verdict is not None:
            fits, reason = verdict
            (unchecked if fits else wrong).append('`{}`: {}'.format(member['name'], reason))
    return wrong, unchecked


def check_member(target, how, member):
    kind, name = member['kind'], member['name']
    if kind == 'operator':
        return True, 'operators have no signature'
    if kind in ('constructor', 'class_function'):
        if how != 'instances of the class':
            return None
        function = target if kind == 'constructor' else reach(target, name)
        return check_call(function, False, member) if function is not MISSING else absent(name)
    found, takes_self = find(target, how, name)
    if found is MISSING:
        return check_missing(target, how, member)
    if kind == 'attribute':
        return None
    if kind == 'setter':
        return check_setter(found)
    return check_call(found, takes_self, member)


MISSING = object()


def absent(name):
    return False, 'does not exist'


def check_missing(target, how, member):
    """An attribute that no class declares may still exist."""
    first = member['name'].split('.')[0]
    owner = target if how == 'instances of the class' else type(target)
    if '.' in member['name'] and how != 'itself' and find(target, how, first)[0] is not MISSING:
        return True, 'belongs to an attribute'
    if any('__getattr__' in vars(base) for base in mro(owner)):
        return True, 'may come from `__getattr__`'
    if any(first in vars(base).get('__slots__', ()) for base in mro(owner)):
        return None
    if how == 'instances of the class' and member['kind'] in ('attribute', 'setter'):
        if any(first in annotations(base) for base in mro(owner)):
            return None
        return True, 'may be set when an object is created'
    if member['kind'] == 'setter':
        return (True, 'does not exist yet') if hasattr(target, '__dict__') else absent(first)
    return absent(first)


def mro(cls):
    return type.__dict__['__mro__'].__get__(cls)


def annotations(cls):
    try:
        return getattr(cls, '__annotations__', None) or {}
    except Exception:
        return {}


def find(target, how, name):
    """What is found under a name, and whether its signature contains the receiver."""
    if how == 'itself':
        return reach(target, name), False
    if how == 'an instance':
        own = getattr(target, '__dict__', None)
        if type(own) is dict and name in own:
            return own[name], False
    for base in mro(target if how == 'instances of the class' else type(target)):
        if name in vars(base):
            found = vars(base)[name]
            if isinstance(found, (staticmethod, classmethod)):
                return found.__func__, isinstance(found, classmethod)
            # What has no `__get__` is not bound: a nested class, or an object that is called.
            return found, hasattr(type(found), '__get__')
    return MISSING, False


def reach(found, name):
    for part in name.split('.'):
        try:
            found = getattr(found, part)
        except AttributeError:
            return MISSING
    return found


def check_setter(found):
    if isinstance(found, property) and found.fset is None:
        return False, 'is read-only'
    return None


def check_call(function, takes_self, member):
    if not callable(function):
        if hasattr(type(function), '__get__'):
            return True, 'is a property'
        return False, 'is not a function, but {}'.format(type(function).__name__)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True, 'Python reports no signature'
    # A receiver is counted as an argument.
    least = member['required'] + takes_self, member['keywords']
    most = least[0] + member['optional'], least[1] + member['optional_keywords']
    # An open declaration has arguments that it does not count, so that none can be missing.
    bind = signature.bind_partial if member['is_open'] else signature.bind
    for count, keywords in (least, most):
        try:
            bind(*[None] * count, **dict.fromkeys(keywords))
        except TypeError as error:
            reason = '{}; the signature in Python is `{}`'
            return False, reason.format(error, shown(signature))
    return None


class Hidden:
    """Stands for a default, which may be anything, a secret among them."""

    def __repr__(self):
        return '…'


def shown(signature):
    """The names of the parameters, as in the source."""
    parameters = []
    for entry in signature.parameters.values():
        default = entry.empty if entry.default is entry.empty else Hidden()
        parameters.append(entry.replace(annotation=entry.empty, default=default))
    text = str(signature.replace(parameters=parameters, return_annotation=signature.empty))
    return text if len(text) <= 200 else text[:200] + '…'
