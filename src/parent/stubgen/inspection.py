"""Finds what a typed proxy of a class or a module needs: its functions, with their types.

It is executed after `annotations.py`, in the same namespace. A type is text such as
`typing.Optional[int]`, with the whole names of classes.
"""

# ruff: noqa: F821

import builtins
import functools
import importlib
import inspect
import types


def read(targets):
    """Each class or module, by its dotted name."""
    return [read_target(target) for target in targets]


def read_target(target):
    module, name = located(target)
    notes = []
    if not name:
        members = list(module_members(module, notes))
        kind, found = 'module', module
    else:
        found = reach(module, name)
        if not isinstance(found, type):
            raise TypeError('`{}` is not a class, nor a module'.format(target))
        members = list(class_members(found, notes))
        kind = 'class'
    return {
        'module': module.__name__,
        'name': name,
        'kind': kind,
        'canonical': whole_name(found) if name else '',
        'documentation': summary(found),
        'members': members,
        'notes': notes,
    }


def located(target):
    """The module, and the name in it, which is empty if the module itself is meant."""
    if ':' in target:
        module, name = target.split(':', 1)
        return imported(module), name
    parts = target.split('.')
    for count in range(len(parts), 0, -1):
        module = imported('.'.join(parts[:count]), count > 1)
        if module is not None:
            return module, '.'.join(parts[count:])
    return imported('builtins'), target


def imported(name, may_fail=False):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Another module that this one imports may be missing; that must be seen.
        missing = error.name or ''
        is_part = name == missing or name.startswith(missing + '.')
        if is_part and (may_fail or hasattr(builtins, name)):
            return None
        raise


def reach(found, name):
    for part in name.split('.'):
        found = getattr(found, part)
    return found


def summary(x):
    """The first paragraph of the documentation."""
    text = inspect.getdoc(x)
    return ' '.join(text.strip().split('\n\n')[0].split()) if isinstance(text, str) else ''


# The members of a class.


def class_members(cls, notes):
    if inspect.isabstract(cls):
        notes.append('Not declared: a constructor (the class is abstract)')
    else:
        yield constructor(cls, notes)
    seen = set()
    for base in cls.__mro__:
        if base is object:
            continue
        stub = stub_of(base, notes)
        declared = class_annotations(base)
        names = list(vars(base)) + list(declared) + list(stub.functions) + list(stub.attributes)
        for name in names:
            if name in seen or not is_public(name):
                continue
            seen.add(name)
            member = class_member(cls, base, name, stub, declared)
            if member is not None:
                yield member


def class_member(cls, base, name, stub, declared):
    raw = vars(base).get(name)
    scope = Scope(base.__module__)
    if name in stub.functions:
        return function_of_stub(cls, name, stub.functions[name], raw)
    if name in stub.attributes:
        settable = not stub.attributes[name].startswith('typing.Final')
        return attribute(name, stub.attributes[name], settable)
    if name in declared:
        text = scope.canonical(declared[name])
        frozen = getattr(getattr(base, '__dataclass_params__', None), 'frozen', False)
        # The fields of a named tuple are declared too.
        settable = not frozen and not issubclass(base, tuple)
        return attribute(name, text, settable and not text.startswith('typing.Final'))
    if isinstance(raw, (staticmethod, classmethod)):
        bound = getattr(cls, name)
        return function(cls, name, bound, 0, scope, is_bound=True)
    if isinstance(raw, property):
        result = annotation_of_return(raw.fget, scope)
        return attribute(name, result, raw.fset is not None, summary(raw))
    if isinstance(raw, getattr(functools, 'cached_property', ())):
        return attribute(name, annotation_of_return(raw.func, scope), False, summary(raw))
    if inspect.isroutine(raw) or isinstance(raw, functools.partialmethod):
        return function(cls, name, raw, 1, scope)
    if isinstance(raw, type):
        return None
    if inspect.isdatadescriptor(raw):
        return attribute(name, None, type(raw) is types.MemberDescriptorType, summary(raw))
    return attribute(name, whole_name(type(raw)), False)


def constructor(cls, notes):
    for base in cls.__mro__:
        stub = stub_of(base, notes)
        for name in ('__init__', '__new__'):
            if name in stub.functions and base is not object:
                return dict(
                    function_of_stub(cls, name, stub.functions[name], None, 1), kind='constructor'
                )
        if base is not object and ('__init__' in vars(base) or '__new__' in vars(base)):
            return dict(function(cls, '', cls, 0, Scope(base.__module__)), kind='constructor')
    return dict(function(cls, '', cls, 0, Scope(cls.__module__)), kind='constructor')


# The members of a module.


def module_members(module, notes):
    stub = stub_of_module(module, notes)
    scope = Scope(module.__name__)
    listed = getattr(module, '__all__', None)
    names = list(vars(module)) + [name for name in stub.functions if name not in vars(module)]
    for name in names:
        value = vars(module).get(name)
        if not is_public(name) or (listed is not None and name not in listed):
            continue
        if isinstance(value, (type, types.ModuleType)):
            continue
        if name in stub.functions:
            yield function_of_stub(None, name, stub.functions[name], value, 0)
        elif callable(value):
            # A function that another module has made is not this module's, unless it says so.
            if listed is not None or getattr(value, '__module__', None) == module.__name__:
                yield function(None, name, value, 0, scope)
        elif type(value) in PLAIN:
            yield attribute(name, whole_name(type(value)), False)


# One member.

PLAIN = (bool, int, float, complex, str, bytes)


def attribute(name, text, settable, documentation=''):
    return {
        'name': name,
        'kind': 'attribute',
        'documentation': documentation,
        'settable': settable,
        'parameters': None,
        'returns': text,
        'notes': [],
    }


def function(cls, name, callee, skipped, scope, is_bound=False):
    member = {
        'name': name,
        'kind': 'method',
        'documentation': summary(callee) if name else '',
        'settable': False,
        'parameters': None,
        'returns': None,
        'notes': [],
    }
    try:
        shape = signature(callee)
    except (TypeError, ValueError):
        member['notes'].append('Not typed: the parameters (Python reports no signature)')
        return member
    entries = list(shape.parameters.values())[skipped:]
    member['parameters'] = [
        {
            'name': entry.name,
            'kind': entry.kind.name.lower(),
            'has_default': entry.default is not entry.empty,
            'is_none': entry.default is None,
            'type': scope.annotation(entry.annotation, entry.empty),
        }
        for entry in entries
        if not is_private(entry)
    ]
    member['returns'] = scope.annotation(shape.return_annotation, shape.empty)
    if member['returns'] is None and inspect.isgeneratorfunction(callee):
        member['returns'] = 'typing.Iterator[typing.Any]'
    if is_bound and makes(cls, member['returns']):
        member['kind'] = 'class_function'
    return member


def is_public(name):
    return isinstance(name, str) and name.isidentifier() and not name.startswith('_')


def is_private(entry):
    """Whether callers are not meant to pass a parameter."""
    return entry.name.startswith('_') and entry.default is not entry.empty


def annotation_of_return(callee, scope):
    try:
        shape = signature(callee)
    except (TypeError, ValueError):
        return None
    return scope.annotation(shape.return_annotation, shape.empty)


def makes(cls, text):
    return text == 'typing.Self' or text == whole_name(cls)


def function_of_stub(cls, name, stub, raw, skipped=None):
    """A function as a stub file describes it."""
    if skipped is None:
        skipped = 0 if 'staticmethod' in stub['decorators'] or cls is None else 1
    if {'property', 'cached_property'} & set(stub['decorators']):
        return attribute(name, stub['returns'], stub['settable'], summary(raw))
    member = {
        'name': name,
        'kind': 'method',
        'documentation': summary(getattr(raw, '__func__', raw)) if raw else '',
        'settable': False,
        'parameters': stub['parameters'][skipped:],
        'returns': stub['returns'],
        'notes': [],
    }
    if stub['overloads'] > 1:
        note = 'Not typed: the other overloads (the first of {} is declared)'
        member['notes'].append(note.format(stub['overloads']))
    is_bound = {'staticmethod', 'classmethod'} & set(stub['decorators'])
    if is_bound and makes(cls, stub['returns']):
        member['kind'] = 'class_function'
    return member
