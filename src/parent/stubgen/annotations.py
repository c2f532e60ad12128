"""Reads annotations, and the stub files (`.pyi`) beside modules."""

import ast
import builtins
import inspect
import os
import sys
import typing


def whole_name(cls):
    """The name of a class with its module, unless that is `builtins`."""
    name = cls.__qualname__
    return name if cls.__module__ == 'builtins' else '{}.{}'.format(cls.__module__, name)


def signature(callee):
    if sys.version_info >= (3, 14):
        import annotationlib

        # Annotations may name things that do not exist at run time.
        return inspect.signature(callee, annotation_format=annotationlib.Format.STRING)
    return inspect.signature(callee)


def class_annotations(cls):
    if sys.version_info >= (3, 14):
        import annotationlib

        found = annotationlib.get_annotations(cls, format=annotationlib.Format.STRING)
    else:
        found = vars(cls).get('__annotations__', {})
    return {name: as_text(annotation) for name, annotation in found.items()}


def as_text(annotation):
    if isinstance(annotation, str):
        return annotation
    return inspect.formatannotation(annotation)


class Scope:
    """Where the names in annotations are looked up: a module, and before it a stub file."""

    def __init__(self, module, names=None):
        self.world = vars(sys.modules[module]) if module in sys.modules else {}
        self.names = names if names is not None else {}

    def annotation(self, annotation, empty):
        return None if annotation is empty else self.canonical(as_text(annotation))

    def canonical(self, text):
        """The text with whole names."""
        try:
            return self.of_node(ast.parse(text.strip(), mode='eval').body)
        except (SyntaxError, ValueError, RecursionError):
            return 'unknown'

    def of_node(self, node):
        kind = type(node).__name__
        if kind in ('Name', 'Attribute'):
            return self.of_name(dotted(node))
        if kind in ('Constant', 'NameConstant', 'Str', 'Ellipsis'):
            value = getattr(node, 'value', getattr(node, 's', ...))
            if value is None:
                return 'None'
            return self.canonical(value) if isinstance(value, str) else '...'
        if kind == 'Subscript':
            return self.of_subscript(node)
        if kind == 'BinOp' and isinstance(node.op, ast.BitOr):
            parts = self.of_node(node.left), self.of_node(node.right)
            return 'typing.Union[{}, {}]'.format(*parts)
        if kind == 'List':
            return 'list_of_types'
        if kind == 'Call' and node.args and dotted(node.func).endswith('ForwardRef'):
            return self.of_node(node.args[0])
        # `~T`, as a type variable is shown.
        return 'typing.TypeVar' if kind == 'UnaryOp' else 'unknown'

    def of_subscript(self, node):
        inner = node.slice
        if type(inner).__name__ == 'Index':
            inner = inner.value
        base = self.of_node(node.value)
        items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if base.endswith('.Literal'):
            kinds = sorted({kind_of_literal(item) for item in items})
            return kinds[0] if len(kinds) == 1 else 'typing.Union[{}]'.format(', '.join(kinds))
        if base.endswith('.Annotated'):
            items = items[:1]
        return '{}[{}]'.format(base, ', '.join(self.of_node(item) for item in items))

    def of_name(self, name):
        first, _, rest = name.partition('.')
        if first in self.names:
            found = self.names[first]
            if callable(found):
                # An alias, which must not lead to itself.
                del self.names[first]
                self.names[first] = found = found()
            return found + '.' + rest if rest else found
        found = self.world.get(first, getattr(builtins, first, sys.modules.get(first)))
        for part in rest.split('.') if rest else ():
            found = getattr(found, part, None)
        return named(found, name)


def named(found, name):
    """The whole name of what an annotation has named."""
    last = name.split('.')[-1]
    if getattr(typing, last, name) is found:
        return 'typing.' + last
    if isinstance(found, typing.TypeVar):
        return 'typing.TypeVar'
    if isinstance(found, type) and not hasattr(found, '__origin__'):
        return whole_name(found)
    text = as_text(found)
    # An alias, such as `Vector = List[float]`.
    if found is not None and '[' in text and text != name and '<' not in text:
        return Scope('').canonical(text)
    return name


def kind_of_literal(node):
    try:
        return whole_name(type(ast.literal_eval(node)))
    except ValueError:
        # A member of an enumeration.
        return 'unknown'


def dotted(node):
    if isinstance(node, ast.Attribute):
        return '{}.{}'.format(dotted(node.value), node.attr)
    return node.id if isinstance(node, ast.Name) else '?'


# Stub files.


class Stub:
    """What a stub file says of a class or a module."""

    def __init__(self):
        self.functions, self.attributes = {}, {}

    def add(self, statements, scope):
        for node in statements:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.add_function(node, scope)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                self.attributes[node.target.id] = scope.of_node(node.annotation)

    def add_function(self, node, scope):
        decorators = [dotted(decorator).split('.')[-1] for decorator in node.decorator_list]
        known = self.functions.get(node.name)
        if known is not None and 'setter' in decorators:
            known['settable'] = True
        elif known is not None and 'overload' in decorators:
            known['overloads'] += 1
        elif known is None:
            returns = scope.of_node(node.returns) if node.returns is not None else None
            self.functions[node.name] = {
                'decorators': decorators,
                'settable': False,
                'overloads': 1,
                'returns': returns,
                'parameters': list(stub_parameters(node.args, scope)),
            }


def stub_parameters(arguments, scope):
    positional = getattr(arguments, 'posonlyargs', []) + arguments.args
    only = len(positional) - len(arguments.args)
    defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
    for place, (entry, default) in enumerate(zip(positional, defaults)):
        is_private = entry.arg.startswith('__') and not entry.arg.endswith('__')
        kind = 'positional_only' if place < only or is_private else 'positional_or_keyword'
        yield stub_parameter(entry, kind, default, scope)
    if arguments.vararg is not None:
        yield stub_parameter(arguments.vararg, 'var_positional', None, scope)
    for entry, default in zip(arguments.kwonlyargs, arguments.kw_defaults):
        yield stub_parameter(entry, 'keyword_only', default, scope)
    if arguments.kwarg is not None:
        yield stub_parameter(arguments.kwarg, 'var_keyword', None, scope)


def stub_parameter(entry, kind, default, scope):
    return {
        'name': entry.arg.lstrip('_') or entry.arg,
        'kind': kind,
        'has_default': default is not None,
        'is_none': getattr(default, 'value', default) is None,
        'type': scope.of_node(entry.annotation) if entry.annotation is not None else None,
    }


PARSED = {}


def stub_of_module(module, notes):
    tree, scope = parsed(module.__name__, notes)
    stub = Stub()
    stub.add(tree, scope)
    return stub


def stub_of(cls, notes):
    statements, scope = parsed(cls.__module__, notes)
    stub = Stub()
    for part in cls.__qualname__.split('.'):
        found = [
            node for node in statements if isinstance(node, ast.ClassDef) and node.name == part
        ]
        if not found:
            return stub
        statements = chosen(found[0].body)
    stub.add(statements, scope)
    return stub


def parsed(module, notes):
    """The statements of a module's stub file, and where its names are looked up."""
    if module not in PARSED:
        path = stub_path(module)
        statements = []
        if path is not None:
            try:
                with open(path, encoding='utf-8') as file:
                    statements = chosen(ast.parse(file.read()).body)
            except (OSError, SyntaxError, ValueError) as error:
                name = os.path.basename(path)
                notes.append('Not read: `{}` ({})'.format(name, error))
        names = {}
        scope = Scope(module, names)
        for node in statements:
            names.update(names_of(node, module, scope))
        PARSED[module] = statements, scope
    return PARSED[module]


def stub_path(module):
    file = getattr(sys.modules.get(module), '__file__', None)
    candidates = []
    if file is not None:
        folder, name = os.path.split(file)
        candidates.append(os.path.join(folder, name.split('.')[0] + '.pyi'))
    # A package of stub files.
    first, *others = module.split('.')
    for folder in sys.path:
        base = os.path.join(folder, first + '-stubs', *others)
        candidates += [base + '.pyi', os.path.join(base, '__init__.pyi')]
    return next((path for path in candidates if os.path.isfile(path)), None)


def chosen(statements):
    """The statements that hold for this interpreter."""
    found = []
    for node in statements:
        if isinstance(node, ast.If):
            try:
                code = compile(ast.Expression(node.test), '<stub>', 'eval')
                holds = eval(code, {'sys': sys, 'TYPE_CHECKING': True})
            except Exception:
                holds = True
            found += chosen(node.body if holds else node.orelse)
        else:
            found.append(node)
    return found


def names_of(node, module, scope):
    """The names that a statement of a stub file defines, and what they stand for."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            name = alias.asname or alias.name.split('.')[0]
            yield name, alias.name if alias.asname else name
    elif isinstance(node, ast.ImportFrom):
        origin = node.module or ''
        if node.level:
            package = module.split('.')[: -node.level or None]
            origin = '.'.join(package + [origin] if origin else package)
        for alias in node.names:
            yield alias.asname or alias.name, '{}.{}'.format(origin, alias.name)
    elif isinstance(node, ast.ClassDef):
        yield node.name, '{}.{}'.format(module, node.name)
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        if isinstance(node.value, ast.Call):
            yield node.targets[0].id, 'typing.TypeVar'
        else:
            yield node.targets[0].id, delayed(scope, node.value)


def delayed(scope, node):
    return lambda: scope.of_node(node)
