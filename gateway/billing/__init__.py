"""WHAT does it cost? Prices, holds, settlements. Integers of nano-dollars, computed with Decimal, rounded up once."""
