"""The report of a run: one HTML file that needs nothing else, the same in Markdown, figures."""

from .writing import write_report

__all__ = ["write_report"]
