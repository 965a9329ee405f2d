"""Prints "N passed, N failed, N skipped" from the JUnit file that ctest wrote; exit code 1 unless all that ran passed."""

import sys
import xml.etree.ElementTree as xml

suite = xml.parse(sys.argv[1]).getroot()
total, failed, skipped = (int(suite.get(key)) for key in ("tests", "failures", "skipped"))
not_run = sum(case.get("status") not in ("run", "fail", "notrun", "disabled") for case in suite.iter("testcase"))
failed += not_run
print(f"{total - failed - skipped} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or total == skipped else 0)
