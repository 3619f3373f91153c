"""An adapter whose framework is not there."""

import a_framework_that_nobody_has  # noqa: F401
