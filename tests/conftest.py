"""What all tests share: how hard Hypothesis tries (HYPOTHESIS_PROFILE), and nothing more."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Tests name no number of examples themselves, so that `make fuzz` can raise it for all of them. A
# deadline would only measure how busy the machine is.
settings.register_profile(
    "default", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("fuzz", parent=settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
