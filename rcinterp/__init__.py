"""Train compact models on transcription-factor binding data, and read their filters.

The public names stand in ``__init__.pyi``; each is imported when it is first used, so that the command line answers
at once.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
