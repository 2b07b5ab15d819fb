"""``python -m rcinterp.cli``: the same as ``rcinterp``."""

import sys

from rcinterp.cli import main

sys.exit(main())
