"""The benchmarks behind the figures in docs/performance.md."""

from fieldsync import office

office.register()
