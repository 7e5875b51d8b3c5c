"""axe-core (Deque Systems, MPL-2.0), which says what of a page those who do not see or point cannot use.

For the tests alone: no distribution has it.
"""

from __future__ import annotations

import hashlib

from emotion_faces.cache import cache_dir
from emotion_faces.web.npm import fetch_files

VERSION = "4.14.1"
INTEGRITY = "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
"""Of `axe.min.js`."""

_RUN = """async () => (await axe.run({ resultTypes: ['violations'] })).violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} at ${target}: ${failureSummary}`))"""


def axe_source() -> str:
    """The script, from the user's cache or, the first time, by npm."""
    cached = cache_dir() / f"axe-core-{VERSION}.js"
    data = cached.read_bytes() if cached.is_file() else b""
    if hashlib.sha256(data).hexdigest() != SHA256:
        [data] = fetch_files("axe-core", VERSION, INTEGRITY, ["axe.min.js"])
        cached.write_bytes(data)
    return data.decode()


def violations(page) -> list[str]:
    """What axe finds fault with in a page that has run `axe_source()`, as it is now."""
    return page.evaluate(_RUN)
