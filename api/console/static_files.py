"""Style sheet and scripts, kept by browsers for long: what a file holds is part of its address."""

import hashlib
from pathlib import Path as FilePath
from typing import Final

from fastapi import APIRouter, Path, Response
from starlette.exceptions import HTTPException

FOLDER: Final = FilePath(__file__).parent / "static"
_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FILES: Final = {
    file.name: (file.read_bytes(), _TYPES[file.suffix]) for file in sorted(FOLDER.iterdir()) if file.suffix in _TYPES
}
_DIGESTS: Final = {name: hashlib.sha256(content).hexdigest()[:16] for name, (content, _) in _FILES.items()}

router = APIRouter(include_in_schema=False)


def address(name: str) -> str:
    """Where a page finds the file. Raises KeyError for one that there is not."""
    return f"/console/static/{_DIGESTS[name]}/{name}"


@router.get("/console/static/{digest}/{name}")
async def static_file(digest: str = Path(max_length=64), name: str = Path(max_length=64)) -> Response:
    if _DIGESTS.get(name) != digest:
        raise HTTPException(404)
    content, media_type = _FILES[name]
    return Response(content, media_type=media_type, headers={"Cache-Control": "public, max-age=31536000, immutable"})
