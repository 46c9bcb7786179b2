"""The commands: one module per command, each a few lines on top of the floors below.

They look for cycles seldom, from before their imports on.
"""

from connector import collect_seldom

collect_seldom()
