"""What runs inside the agent: a Recorder makes one record of one session and logs it as one line.

Standard library only. How to attach it, what it records and what it leaves out: docs/agent.md.
"""

from analytics_lib.capture.posting import Post
from analytics_lib.capture.recorder import Recorder

__all__ = ["Post", "Recorder"]
