"""Money as text: exact, from integers, without a float."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

NANOS = 1_000_000_000


def usd(nanos: int) -> str:
    """Dollars as a JSON number with all its digits and no exponent: 12345 → `0.000012345`."""
    sign = "-" if nanos < 0 else ""
    whole, rest = divmod(abs(nanos), NANOS)
    digits = f"{rest:09d}".rstrip("0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def plain(amount: Decimal) -> str:
    """A decimal without exponent and idle zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def nanos(text: str) -> int:
    """Dollars as the operator types them. Raises ValueError for what is no amount, or finer than a nano-dollar."""
    try:
        amount = Decimal(text) * NANOS
    except InvalidOperation:
        raise ValueError(f"{text!r} is no amount of dollars") from None
    if not amount.is_finite() or amount != amount.to_integral_value() or abs(amount) > 9 * 10**18:
        raise ValueError(f"{text!r} is no amount of dollars with at most nine decimals")
    return int(amount)
