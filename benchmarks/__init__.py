"""The benchmark harness: suites, controls, tables and speed measurements."""
