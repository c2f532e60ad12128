"""Exceptions as plain values that keep nothing alive."""

import builtins
import collections
import types

from agent.encoding import Encoding
from agent.failure import Interrupted, attempt
from agent.inspection import SCALAR_IDS, bases, exactly, is_a, own_names, short_repr, type_name
from agent.standard_library import MODULES
from agent.standard_values import MARKER
from agent.surroundings import OWN_TRACEBACK, share_lines

SOURCE_NAME = '<oad agent>'
CHAIN_LIMIT = 64
TEXT_LIMIT = 1 << 20
FRAMES_LIMIT = 1000
PARTS_LIMIT = 1000
# In the daemon's messages a part of an exception is wrapped deeper than a value, which may have
# 32 levels.
REPORT_DEPTH = 30
# For all exceptions of a report together, so that many large ones cannot fill a frame.
REPORT_ROOM = 1 << 24
# A class in C, or one with __slots__, keeps behind these what is not in `__dict__`. Reading them
# runs no Python code.
DESCRIPTORS = (types.MemberDescriptorType, types.GetSetDescriptorType)
MISSING = object()
# A subclass may define attributes of these names that say something else.
ARGS, CAUSE, CONTEXT, SUPPRESS_CONTEXT, TRACEBACK = map(BaseException.__dict__.__getitem__, (
    'args', '__cause__', '__context__', '__suppress_context__', '__traceback__'))

BACKPORTED_GROUP = 'exceptiongroup.BaseExceptionGroup'
group_class = getattr(builtins, 'BaseExceptionGroup', None)


class ExceptionReport:
    """Describes one exception and those that it came from.

    The others are in `others`, each before those that came from it. They are referred to by
    their places there, counted from 1.
    """

    def __init__(self, depth):
        self.depth = min(depth, REPORT_DEPTH)
        self.room = REPORT_ROOM
        self.others = []
        self.places = {}
        self.seen = {}
        self.omitted = 0
        # The interpreter's own formatting is used unless a part is too long, too deep or too
        # hostile for it.
        self.is_formattable = True

    def of(self, error):
        report = self.one(error)
        text = attempt(lambda: formatted(error), None) if self.is_formattable else None
        if text is not None:
            # Python shows notes since 3.11.
            missing = [note for note in report['notes'] if note not in text]
            text += ''.join(note + '\n' for note in missing)
        report['traceback'] = bounded(readable(text) if text is not None else self.joined(report))
        report['others'] = self.others
        return report

    def one(self, error):
        self.seen[id(error)] = error
        cls = type(error)
        message = attempt(lambda: str.__str__(str(error)), None)
        if message is None:
            message = '<{} whose str failed>'.format(type_name(cls))
            self.is_formattable = False
        self.is_formattable = self.is_formattable and len(message) <= TEXT_LIMIT
        frames = attempt(lambda: frames_of(error), [])
        report = {
            'type': type_name(cls),
            'mro': [type_name(base) for base in bases(cls)],
            'message': self.text(message),
            'args': self.parts(ARGS.__get__(error)),
            'attributes': self.attributes(error),
            'notes': attempt(lambda: self.notes(error), []),
            'suppress_context': SUPPRESS_CONTEXT.__get__(error),
            'stack': self.text(readable(stack_text(frames))),
            'location': readable('{}:{}'.format(*frames[-1][:2])) if frames else None,
        }
        report.update(self.chain(error))
        return report

    def chain(self, error):
        """Cause, context and group by their places, and how many are beyond the limit."""
        self.omitted = 0
        cause_error = CAUSE.__get__(error)
        cause = self.next(cause_error)
        omitted = self.omitted
        context_error = CONTEXT.__get__(error)
        context = 0 if context_error is cause_error else self.next(context_error)
        omitted += self.omitted
        group = None
        if group_class is not None and is_a(type(error), group_class):
            group = []
            for member in group_class.exceptions.__get__(error):
                place = self.next(member)
                omitted += self.omitted
                if place:
                    group.append(place)
        self.omitted = 0
        return {'cause': cause, 'context': context, 'group': group, 'omitted': omitted}

    def next(self, error):
        """The place of another exception, 0 if there is none.

        No exception is reported twice, and no way leads from one back to itself.
        """
        self.omitted = 0
        if error is None or id(error) in self.seen:
            return self.places.get(id(error), 0)
        if len(self.seen) < CHAIN_LIMIT:
            self.others.append(self.one(error))
            self.places[id(error)] = len(self.others)
            self.omitted = 0
            return len(self.others)
        self.is_formattable = False
        while error is not None and id(error) not in self.seen:
            self.seen[id(error)] = error
            self.omitted += 1
            cause = CAUSE.__get__(error)
            error = CONTEXT.__get__(error) if cause is None else cause
        return 0

    def text(self, text):
        """A text, cut to the room that is left."""
        text = bounded(text, max(1000, min(TEXT_LIMIT, self.room)))
        self.room -= len(text)
        return text

    def plain(self, x):
        encoding = Encoding(None, 'repr', self.depth, max(0, min(TEXT_LIMIT, self.room)))
        before = encoding.room
        try:
            encoded = encoding.encode(x)
            self.room -= before - encoding.room
            return encoded
        except Interrupted:
            raise
        except BaseException:
            text = short_repr(x)
            self.room -= len(text)
            return (MARKER, 'repr', text)

    def parts(self, items):
        parts = [self.plain(item) for item in items[:PARTS_LIMIT]]
        if len(items) > PARTS_LIMIT:
            parts.append((MARKER, 'repr', '\u2026 ({} in all)'.format(len(items))))
        return parts

    def attributes(self, error):
        """The exception's own attributes.

        They are in its `__dict__`, and behind the descriptors of its classes below BaseException.
        """
        found, known = {}, set()
        for base in bases(type(error)):
            if base is BaseException:
                continue
            for name, entry in list(own_names(base).items()):
                # An attribute is looked up in the first class that has the name.
                if type(name) is not str or name in known or is_special(name):
                    continue
                known.add(name)
                is_members = base is group_class and name == 'exceptions'
                if exactly(entry, *DESCRIPTORS) and not is_members:
                    value = descriptor_value(entry, error)
                    if value is not MISSING:
                        found[name] = self.descriptor_part(base, name, value)
        own = attempt(lambda: object.__getattribute__(error, '__dict__'), None)
        if type(own) is dict:
            for name in list(own)[:PARTS_LIMIT]:
                if type(name) is str and name not in found and not is_special(name):
                    found[name[:1000]] = self.plain(own.get(name))
            if len(own) > PARTS_LIMIT:
                found['\u2026'] = (MARKER, 'repr', '{} attributes in all'.format(len(own)))
        return found

    def descriptor_part(self, base, name, value):
        if base is AttributeError and name == 'obj' and id(type(value)) not in SCALAR_IDS:
            # The object without the attribute may be the whole program's state, and it is not
            # the exception's own.
            return (MARKER, 'repr', '<{} object>'.format(type_name(type(value))))
        return self.plain(value)

    def notes(self, error):
        notes = getattr(error, '__notes__', [])
        if not exactly(notes, list, tuple):
            return [short_repr(notes)]
        texts = [
            self.text(note) if type(note) is str else short_repr(note)
            for note in notes[:PARTS_LIMIT]
        ]
        if len(notes) > PARTS_LIMIT:
            texts.append('\u2026 ({} in all)'.format(len(notes)))
        return texts

    def joined(self, report):
        """The traceback text of an exception and of those it came from, made of their reports."""
        texts = [own_text(report)]
        while True:
            if report['omitted']:
                texts.append('\u2026 and {} earlier exceptions\n'.format(report['omitted']))
            if report['cause']:
                before, link = report['cause'], 'The above exception was the direct cause of the'
                link = '\n' + link + ' following exception:\n\n'
            elif report['context'] and not report['suppress_context']:
                before, link = report['context'], 'During handling of the above exception, another'
                link = '\n' + link + ' exception occurred:\n\n'
            else:
                return ''.join(reversed(texts))
            report = self.others[before - 1]
            texts += [link, own_text(report)]


def unreportable(error):
    """The report of an exception that is too hostile for any other."""
    name = type_name(type(error))
    return {
        'type': name, 'mro': [type_name(base) for base in bases(type(error))],
        'message': '<it could not be reported>', 'args': [], 'attributes': {}, 'notes': [],
        'cause': None, 'context': None, 'suppress_context': False, 'group': None,
        'omitted': 0, 'traceback': name + '\n', 'stack': '', 'location': None,
    }


def is_special(name):
    return name.startswith('__') and name.endswith('__')


def descriptor_value(descriptor, error):
    cls = type(error)
    return attempt(lambda: type(descriptor).__get__(descriptor, error, cls), MISSING)


def traceback_of(error):
    return TRACEBACK.__get__(error)


def frames_of(error):
    """File, line, function and source line of each frame, outermost first, but the agent's own."""
    entries: 'collections.deque' = collections.deque(maxlen=FRAMES_LIMIT)
    step = traceback_of(error)
    while step is not None:
        if step.tb_frame.f_code.co_filename != SOURCE_NAME:
            entries.append((step.tb_frame, step.tb_lineno))
        step = step.tb_next
    share_lines()
    summary = OWN_TRACEBACK.StackSummary.extract(list(entries))
    return [(frame.filename, frame.lineno, frame.name, frame.line or None) for frame in summary]


def formatted(error):
    """The interpreter's own traceback text, without the agent's frames."""
    cls, limit = type(error), -FRAMES_LIMIT
    share_lines()
    own = OWN_TRACEBACK
    if any(type_name(base) == BACKPORTED_GROUP for base in bases(cls)):
        # Its package teaches the module that everybody uses to show it.
        own = MODULES.get('traceback', own)
    report = own.TracebackException(cls, error, traceback_of(error), limit=limit)
    remove_agent_frames(report)
    return ''.join(report.format())


def remove_agent_frames(report):
    reports = [report]
    for report in reports:
        report.stack[:] = [frame for frame in report.stack if frame.filename != SOURCE_NAME]
        others = [report.__cause__, report.__context__]
        others += getattr(report, 'exceptions', None) or []
        for other in others:
            if other is not None and not any(other is known for known in reports):
                reports.append(other)


def stack_text(frames):
    lines = ['Traceback (most recent call last):\n'] if frames else []
    return ''.join(lines + OWN_TRACEBACK.format_list([tuple(frame) for frame in frames]))


def own_text(report):
    """The traceback text of an exception alone; the daemon composes it in the same way."""
    last = report['type'] + (': ' + report['message'] if report['message'] else '')
    return report['stack'] + ''.join(line + '\n' for line in [last] + report['notes'])


def readable(text):
    """A text with paths that the locale could not decode, which are UTF-8 nevertheless."""
    return attempt(lambda: text.encode('utf-8', 'surrogateescape').decode('utf-8'), text)


def bounded(text, limit=TEXT_LIMIT):
    if len(text) <= limit:
        return text
    return text[:limit] + '\u2026 ({} characters in all)'.format(len(text))
