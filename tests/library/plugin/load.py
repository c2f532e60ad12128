"""Loads the plugin at the path that is given, twice, and has it try to start a daemon."""

import ctypes
import sys

plugin = ctypes.CDLL(sys.argv[1])
plugin.start()
plugin.start()
