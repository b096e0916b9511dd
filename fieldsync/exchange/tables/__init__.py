"""Tables in files: CSV, XLSX, HXL and SQLite, in and out."""
