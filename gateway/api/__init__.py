"""Thin faces: one blueprint per family. `_door` opens every call and delivers every reply."""
