"""The agent's modules, which are joined into one text."""

import ast
import re
import unittest

from support import AGENT, agent_modules, source


def top_level_names(tree):
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        yield name.id


class Sources(unittest.TestCase):
    def test_no_two_modules_define_the_same_name(self):
        defined = {}
        for module in agent_modules():
            for name in set(top_level_names(ast.parse(source(module)))):
                self.assertNotIn(name, defined, module)
                defined[name] = module

    def test_each_module_imports_only_from_those_before_it(self):
        known = set()
        for module in agent_modules():
            imported = set(re.findall(r'^from (agent\.\w+)', source(module), re.MULTILINE))
            self.assertLessEqual(imported, known, module)
            known.add(module[: -len('.py')].replace('/', '.'))

    def test_each_module_is_short_enough_to_be_read_alone(self):
        for module in agent_modules():
            self.assertLessEqual(len(source(module).splitlines()), 400, module)

    def test_no_import_between_modules_is_left_in_the_joined_text(self):
        self.assertNotIn('from agent', AGENT)
        compile(AGENT, 'agent', 'exec')


if __name__ == '__main__':
    unittest.main()
