"""Pages about rollouts and software to hand on, and the fleet as numbers for monitoring. Pure: values in, text out."""

from __future__ import annotations

from mvpc.report.metrics import metrics_text
from mvpc.report.page import report_html
from mvpc.report.sbom import Contents, sbom_json
from mvpc.report.software import software_csv, software_html

__all__ = ["Contents", "metrics_text", "report_html", "sbom_json", "software_csv", "software_html"]
