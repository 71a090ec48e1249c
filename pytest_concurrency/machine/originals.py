"""Parts of the standard library that a test may replace with a mock, as they were before.

A fixture that replaces ``threading.Thread`` or ``open`` is meant for the code under test. Without these, it would stop
the workers from starting, or the clocks from being read.
"""

from __future__ import annotations

import os
import subprocess
import threading

Thread = threading.Thread
Lock = threading.Lock
Event = threading.Event
Semaphore = threading.Semaphore
Popen = subprocess.Popen

open_file = open
open_descriptor = os.open

__all__ = ["Event", "Lock", "Popen", "Semaphore", "Thread", "open_descriptor", "open_file"]
