"""Tables in files: CSV, XLSX, HXL and SQLite, import and export."""
