"""``python -m rcinterp``: the same as ``rcinterp``."""

import sys

from rcinterp.cli import main

sys.exit(main())
