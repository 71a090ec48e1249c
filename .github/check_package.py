"""Compare what the built archives contain with what they should: ``python .github/check_package.py dist``."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

IN_SDIST = ("benchmarks/", "docs/", "examples/", "pytest_concurrency/", "tests/")
TOP_OF_SDIST = {
    ".gitignore",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "PKG-INFO",
    "README.md",
    "pyproject.toml",
    "tox.ini",
}


def tracked(folder: str) -> set[str]:
    """The files of a folder that git knows."""
    found = subprocess.run(["git", "ls-files", folder], check=True, capture_output=True, text=True)
    return set(found.stdout.split())


def problems_of_wheel(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as wheel:
        names = {name for name in wheel.namelist() if not name.endswith("/")}
        metadata_name = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(wheel.read(metadata_name).decode("utf-8"))
    code = {name for name in names if ".dist-info/" not in name}
    expected = tracked("pytest_concurrency")
    found = [f"the wheel lacks {name}" for name in sorted(expected - code)]
    found += [f"the wheel has {name}, which git does not know" for name in sorted(code - expected)]
    if re.search(r"\]\((?!https?://|#)", str(metadata.get_payload())):
        found.append("the long description has a relative link, which is dead on the package's page")
    found += [
        f"the metadata has no address for {name}"
        for name in ("Documentation", "Source", "Issues")
        if not any(url.startswith(f"{name},") for url in metadata.get_all("Project-URL", []))
    ]
    return found


def problems_of_sdist(path: Path) -> list[str]:
    with tarfile.open(path) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    top = {name for name in names if "/" not in name}
    found = [f"the source archive lacks {name}" for name in sorted(TOP_OF_SDIST - top)]
    found += [f"the source archive has {name}, which is not on the list" for name in sorted(top - TOP_OF_SDIST)]
    found += [
        f"the source archive has {name}, which is not on the list"
        for name in sorted(names - top)
        if not name.startswith(IN_SDIST)
    ]
    return found


def main() -> None:
    folder = Path(sys.argv[1])
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    problems = problems_of_wheel(wheel) + problems_of_sdist(sdist)
    print("\n".join(problems) or f"{wheel.name} and {sdist.name} contain what they should")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
