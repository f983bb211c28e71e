"""Where the files lie that are not code: templates, static files, revisions of the schema."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_REPOSITORY = _PACKAGE.parent
_WHEEL = _PACKAGE / "_assets"


def _find(name: str) -> Path:
    # In the repository they stand beside the package; the wheel carries them inside it (pyproject.toml, `sources`).
    for root in (_WHEEL, _REPOSITORY):
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"EvoSync is installed without its {name}")


def templates() -> Path:
    return _find("templates")


def static() -> Path:
    return _find("static")


def revisions() -> Path:
    """The folder of Alembic revisions, with its `env.py`."""
    return _find("alembic")


def alembic_ini() -> Path:
    return _find("alembic.ini")


def default_photo() -> Path:
    """The picture of an item whose product has none of its own."""
    return static() / "default-item.png"
