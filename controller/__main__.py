"""`python -m controller` is `print-station`."""

import sys

from controller.cli import main

sys.exit(main())
