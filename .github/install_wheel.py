"""Install the wheel in ``dist`` with the extras that are named: ``python .github/install_wheel.py test html``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

(wheel,) = Path("dist").glob("*.whl")
subprocess.run([sys.executable, "-m", "pip", "install", f"{wheel}[{','.join(sys.argv[1:])}]"], check=True)
# Python puts the working directory first on its path, so the checkout would be tested in place of the wheel.
Path("pytest_concurrency").rename("pytest_concurrency.checkout")
