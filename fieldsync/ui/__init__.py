"""What people see and are asked; the only importer of rich."""
