"""What an object can do, found without running any of its code but its annotations' repr."""

import sys
import types

from agent.failure import attempt
from agent.inspection import bases, exactly, is_a, own_names, type_name
from agent.standard_library import on_standard_path, own_copy, standard

CLASS_METHOD = type(dict.__dict__['fromkeys'])
FUNCTIONS = (
    types.FunctionType, types.BuiltinFunctionType, types.MethodType, type(str.join),
    type(str.__len__), CLASS_METHOD,
)
INSPECT: 'list' = []


def own_inspect():
    """The module `inspect`, which few requests need, and which takes long to import."""
    if not INSPECT:
        inspect = standard('inspect')
        INSPECT.append(on_standard_path(lambda: own_copy(inspect)))
    return INSPECT[0]


def signature(x):
    inspect = own_inspect()
    if sys.version_info >= (3, 14):
        annotationlib = standard('annotationlib')
        # Annotations may name things that do not exist at run time.
        return inspect.signature(x, annotation_format=annotationlib.Format.STRING)
    return inspect.signature(x)


def signature_text(x):
    return attempt(lambda: str(signature(x)), None)


def documentation(x):
    text = attempt(lambda: own_inspect().getdoc(x), None)
    return text if type(text) is str else None


def annotation_text(annotation):
    inspect = own_inspect()
    if annotation is inspect.Parameter.empty:
        return None
    if type(annotation) is str:
        return annotation
    return attempt(lambda: str(inspect.formatannotation(annotation)), None)


def described(x):
    """The description of an object: its type, documentation, methods and attributes."""
    own = attempt(lambda: object.__getattribute__(x, '__dict__'), None)
    is_class, is_module = is_a(type(x), type), type(x) is types.ModuleType
    found: 'dict[object, object]' = {}
    if not is_module:
        for base in reversed(bases(x if is_class else type(x))):
            found.update(list(own_names(base).items()))
    if exactly(own, dict, types.MappingProxyType):
        found.update(list(own.items()))
    names = sorted(name for name in found if type(name) is str and not name.startswith('_'))
    methods, attributes = [], []
    for name in names:
        is_own = type(own) is dict and name in own
        takes_self = not is_class and not is_module and not is_own
        method = described_method(name, found[name], takes_self)
        if method is None:
            attributes.append(name)
        else:
            methods.append(method)
    return {
        # The metaclass would say nothing about a class.
        'type': type_name(x if is_class else type(x)),
        'doc': documentation(x),
        'methods': methods,
        'attributes': attributes,
    }


def described_method(name, raw, takes_self):
    """The description of a method; None for an attribute that is not a function."""
    return attempt(lambda: function_description(name, raw, takes_self), None)


def function_description(name, raw, takes_self):
    kind = type(raw)
    if kind is staticmethod or kind is classmethod:
        takes_self = kind is classmethod
        raw = raw.__func__
    if not exactly(raw, *FUNCTIONS):
        return None
    takes_self = takes_self and not exactly(raw, types.MethodType, CLASS_METHOD)
    shape = attempt(lambda: signature(raw), None)
    parameters, text, returns = [], None, None
    if shape is not None:
        kept = list(shape.parameters.values())[1 if takes_self else 0 :]
        shape = shape.replace(parameters=kept)
        parameters = [(entry.name, annotation_text(entry.annotation)) for entry in kept]
        text = attempt(lambda: str(shape), None)
        returns = annotation_text(shape.return_annotation)
    return {
        'name': name,
        'doc': documentation(raw),
        'signature': text,
        'parameters': parameters,
        'returns': returns,
    }
