"""`/v1/images`: images that were made."""

from __future__ import annotations

from flask import Blueprint

from . import _content

blueprint = Blueprint("images", __name__)
_content.serve(blueprint, "images")
