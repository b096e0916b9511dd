"""Reports: a name and a period in, rows out. One SQL file each, over the views of store/sqlite/report_reader.py; ui displays them."""
